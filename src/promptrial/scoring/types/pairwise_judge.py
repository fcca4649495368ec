"""Pairwise judge: a model says which of two answers to one item is better. Here is what it is asked of one pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from promptrial.config.stated import label_of
from promptrial.model import Item, Message
from promptrial.registry import PAIRWISE
from promptrial.scoring.contract import Declaration
from promptrial.scoring.judge_messages import (
    Shown,
    ShownPart,
    Text,
    delimited,
    example_turns,
    shown_of,
)
from promptrial.scoring.types.judge import JudgeSettings, frame

__all__ = ["PairExample", "PairwiseJudge", "preference"]

_OF_SECOND: Final[Mapping[str, float]] = {"A": 0.0, "tie": 0.5, "B": 1.0}


@dataclass(frozen=True)
class PairExample:
    """Two answers to one question, and which of them is better: ``A``, ``B`` or ``tie``."""

    answer_a: str
    answer_b: str
    winner: str
    reason: str = ""
    question: str = ""


@dataclass(frozen=True)
class PairwiseJudge(JudgeSettings):
    """A model says whether the answer of an arm is better than the control's, in both orders.

    Each pair is judged twice, with either answer first. An arm scores 1 where its answer wins both times, 0 where it
    loses both times, and what lies between for ties and where the orders disagree; equal answers are a tie that nobody
    is asked about. The control scores 0.5 throughout, so that a difference is the share of wins beyond half.

    Attributes
    ----------
    rubric : str
        What makes one answer better. Mostly in a file of its own: ``file: rubric.md``.
    shows : list of {"question", "passage", "choices", "answers", "messages"}
        What of an item the judge sees besides the answers, as far as the item has it; ``answers`` are the accepted
        ones.
    examples : list
        Pairs with the better answer, each with ``answer_a``, ``answer_b``, ``winner`` (``A``, ``B`` or ``tie``) and, if
        wanted, ``reason`` and ``question``. They are shown before each pair.

    References
    ----------
    Position bias, and asking in both orders: Zheng et al. 2023, https://arxiv.org/abs/2306.05685
    """

    shows: tuple[ShownPart, ...] = ("question", "passage", "choices", "messages")
    examples: tuple[PairExample, ...] = ()

    kind: ClassVar[str] = PAIRWISE
    key: ClassVar[str] = "winner"
    allowed: ClassVar[tuple[str, ...]] = ("A", "B", "tie")

    def __post_init__(self) -> None:
        """Refuse settings that do not go together."""
        self.check()
        for example in self.examples:
            if example.winner not in self.allowed:
                raise ValueError(f"an example has the winner {example.winner!r}; allowed: {', '.join(self.allowed)}")

    def said_of(self, name: str) -> Declaration:
        """Return what the scores of the scorer of this name mean."""
        return Declaration(
            label=self.label or label_of(name),
            meaning=f"Does the judge {self.model} prefer the answer to that of the control, in both orders?",
            scale="continuous",
            direction="higher",
        )

    def messages(self, shown: Shown) -> tuple[Message, ...]:
        """Return what the judge is asked about what it is shown."""
        task = "You compare two answers, A and B, and say which of them is better."
        reply = f'{self.reply("W")}, where W is "A", "B" or "tie".'
        turns = example_turns([(_shown(each), self.written(each.winner, each.reason)) for each in self.examples])
        return (Message("system", frame(self.rubric, task, reply)), *turns, Message("user", delimited(shown)))

    def shown(self, item: Item, first: str, second: str) -> Shown:
        """Return what the judge is shown of two answers, in their order."""
        return (*shown_of(item, self.shows), Text("answer-A", first), Text("answer-B", second))


def preference(control_first: str, control_second: str) -> float:
    """Return how far an answer is preferred to the control's: the mean over both orders of 1, 0.5 and 0.

    Parameters
    ----------
    control_first : {"A", "B", "tie"}
        The verdict where the control's answer is A.
    control_second : {"A", "B", "tie"}
        The verdict where it is B.

    Examples
    --------
    >>> preference("B", "A"), preference("A", "A"), preference("tie", "A")
    (1.0, 0.5, 0.75)
    """
    return (_OF_SECOND[control_first] + 1.0 - _OF_SECOND[control_second]) / 2


def _shown(example: PairExample) -> Shown:
    item = Item(id="", dataset="", question=example.question, answers=())
    return (*shown_of(item, ("question",)), Text("answer-A", example.answer_a), Text("answer-B", example.answer_b))
