"""Starts with: whether the answer begins with an accepted one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from promptrial.scoring.contract import Declaration
from promptrial.scoring.occurrences import GoldInAnswer

__all__ = ["StartsWith"]


@dataclass(frozen=True)
class StartsWith(GoldInAnswer):
    """Whether the answer begins with an accepted one, by default as whole words of the normalised texts.

    For golds such as "yes" and "no": "Yes, because …" starts with "yes"; "There is no doubt: yes" does not start with
    "no". Settings and words are those of ``includes``; articles at the start are no words under the usual rules.

    References
    ----------
    The definition is this package's own; the question is that of BoolQ-style evaluations, which read the first word.
    """

    at_start: ClassVar[bool] = True
    declared = Declaration(
        label="Opening match",
        meaning="Does the answer begin with an accepted one or, if the question has no answer, is it a refusal?",
        scale="binary",
        direction="higher",
        needs=("gold",),
        role="accuracy",
        version=3,
    )
