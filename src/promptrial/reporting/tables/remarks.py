"""What statistics remark on their figures, in plain words for pages. Pure; ``significance.json`` keeps its own form."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["plain"]

_BOTH: Final = "the sign flips and of the score test on effective counts"
_PLAIN: Final = {
    r"too sparse for sign flips alone \((.+): upwards in (\d+), downwards in (\d+)\): (the interval is widened, by .+)":
        r"\1 (upwards in \2, downwards in \3), which is too sparse for sign flips alone: \4",
    r"too sparse for the flips alone: .+ counts \((.+)\), and p is the larger of both":
        rf"too sparse for sign flips alone: the interval has the wider limits of {_BOTH} (\1), "
        r"and p is the larger of the two",
    r"hull of the sign flips' interval and of the score interval on effective counts":
        f"the wider limits of {_BOTH}",
    r"inversion of the sign flips":
        "inverting the sign-flip test",
    r"(?:the|sign) flips alone would reject (.+), the score test .*":
        r"sign flips alone would reject \1, but the score test on effective counts would not",
}  # fmt: skip
"""What statistics write, as a pattern, and what pages write instead."""


def plain(remark: str) -> str:
    """Return a remark in plain words; one that is plain already stays as it is.

    Examples
    --------
    >>> plain("hull of the sign flips' interval and of the score interval on effective counts")
    'the wider limits of the sign flips and of the score test on effective counts'
    >>> plain("ignores the pairing")
    'ignores the pairing'
    """
    for pattern, words in _PLAIN.items():
        if found := re.fullmatch(pattern, remark):
            return found.expand(words)
    return remark
