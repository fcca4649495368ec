"""Drawn bugs that no test can notice, each with the reason: whatever the program is asked, it does the same.

A bug of which that cannot be said does not belong here: it is a missing test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ARGUED", "Argued"]


@dataclass(frozen=True)
class Argued:
    """In ``module``, in the line ``old``, one may as well write ``new``, and ``why``."""

    module: str
    old: str
    new: str
    why: str


ARGUED: Final = (
    Argued(
        "costs/catalogue.py",
        "_FIRST_TIER: Final = -1",
        "_FIRST_TIER: Final = - 0",
        "no tier of the list starts at 0 tokens: its base rate does, and the first tier starts at 32,000",
    ),
    Argued(
        "costs/catalogue.py",
        "_FIRST_TIER: Final = -1",
        "_FIRST_TIER: Final = 1",
        "no tier of the list starts at 0 or 1 tokens: the first one starts at 32,000",
    ),
    Argued(
        "design/context_lengths.py",
        "if max((each.most for each in requests), default=0) > UNREMARKABLE:",
        "if max((each.most for each in requests), default= -1) > UNREMARKABLE:",
        "without requests nothing is longer than any limit, whether 0 or -1 stands for the longest",
    ),
    Argued(
        "reporting/plots/scores.py",
        "top = nice_ceiling(max((share for arm in shares.values() for share in arm), default=0.0))",
        "top = nice_ceiling(max((share for arm in shares.values() for share in arm), default= -1.0))",
        "nice_ceiling returns 1 for whatever is not above 0",
    ),
    Argued(
        "scoring/expressions.py",
        'said = error.args[0] if error.args else ""',
        'said = error.args[ -1] if error.args else ""',
        "the errors of RE2 have one argument, so that the first is the last",
    ),
    Argued(
        "scoring/phrases.py",
        "optional = False",
        "optional = True",
        "a free stretch may begin with any word, and wherever that is so nobody asks whether it may be left out",
    ),
    Argued(
        "scoring/types/judge.py",
        'value_type = "integer" if isinstance(self.allowed[0], int) else "string"',
        'value_type = "integer" if isinstance(self.allowed[ 1], int) else "string"',
        "a verdict has at least two values, all of one type",
    ),
    Argued(
        "stats/resampling.py",
        "_BYTES_AT_ONCE: Final = 250_000",
        "_BYTES_AT_ONCE: Final = 250001",
        "it bounds memory, and as many octets fit into one byte more",
    ),
)
