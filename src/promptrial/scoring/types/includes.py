"""Includes: whether an accepted answer is in the answer. For short golds, beside exact match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from promptrial.scoring.contract import Declaration
from promptrial.scoring.occurrences import GoldInAnswer

__all__ = ["Includes"]


@dataclass(frozen=True)
class Includes(GoldInAnswer):
    """Whether an accepted answer occurs in the answer, by default as whole words of the normalised texts.

    "The capital of Germany is Berlin" includes "Berlin"; "He is a Berliner" does not. In scripts without spaces each
    character is a word. Words are parted as the rules of the data set part them, and also at all punctuation: one
    of both has to find the accepted answer. What exact match accepts is included, unless its numbers differ: the
    rules make one of "1.5" and "15", and of "-5" and "5".

    It does not read: "It is not Berlin" includes "Berlin", and an answer that lists everything includes everything.
    Read it beside ``exact_match`` and ``length``, and avoid it for golds such as "no" or "A".

    References
    ----------
    Kandpal et al. 2023, "Large Language Models Struggle to Learn Long-Tail Knowledge", and Mallen et al. 2023, "When
    Not to Trust Language Models": an answer is right if it contains an accepted one.
    """

    at_start: ClassVar[bool] = False
    declared = Declaration(
        label="Answer inclusion",
        meaning="Does the answer contain an accepted one or, if the question has no answer, is it a refusal? "
        "Negations are not taken into account.",
        scale="binary",
        direction="higher",
        needs=("gold",),
        role="accuracy",
        version=3,
    )
