"""What a scorer is: a frozen dataclass whose fields are its settings, and which says what its scores mean.

The same contract holds for a scorer of the package and for one in a file of the user's. ``registry.SCORERS`` names the
first, ``scorers`` in the configuration the second.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from promptrial.documents.scorers import Declaration, Need
from promptrial.errors import ScoreError
from promptrial.model import Item

if TYPE_CHECKING:
    from promptrial.scoring.base import Gold, PreparedAnswer

__all__ = ["RESPONSE_COLUMNS", "BatchScorer", "Declaration", "Response", "Scorer", "item_tests"]


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response as it is on record.

    All but the text is given only to scorers that need ``response``, and is None where the provider did not say.
    ``reasoning`` is what the model wrote before it answered, kept apart from the text. ``row`` is the row of the
    predictions that it is in, from 0, where a judge was asked about it; otherwise None.
    """

    text: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    reasoning: str | None = None
    row: int | None = None


RESPONSE_COLUMNS: Final = Response.__struct_fields__[1:-1]
"""The columns of ``predictions`` after the fields of a response besides its text and its row."""


_TESTS: Final[Mapping[Need, Callable[[Item], bool]]] = {
    "gold": lambda item: item.has_gold,
    "choices": lambda item: bool(item.choices),
    "passage": lambda item: item.context is not None,
}


def item_tests(needs: Iterable[Need]) -> list[Callable[[Item], bool]]:
    """Return the tests that an item has to pass so that a scorer has what it needs; no item lacks a response."""
    return [_TESTS[need] for need in needs if need in _TESTS]


class Scorer:
    """A measure of an answer. Subclasses are frozen dataclasses; their fields are the settings, with the defaults.

    ``section`` names the section of ``scoring`` in the configuration that has the settings of the scorer under its own
    name in the default pack. ``libraries`` are those that the scorer imports when it is used (name that is imported ->
    name of the distribution): that they are installed is checked when the configuration is loaded, and a changed
    version of one counts as a changed scorer. ``file_setting`` names the setting that can be in a file, as its text,
    which the key ``file`` then names. ``may_miss`` says that a score may be NaN: there is none for this answer.
    """

    section: ClassVar[str] = ""
    libraries: ClassVar[Mapping[str, str]] = {}
    file_setting: ClassVar[str] = ""
    may_miss: ClassVar[bool] = False

    @property
    @abstractmethod
    def declared(self) -> Declaration:
        """What the scores mean: a class attribute, or a property where it depends on the settings."""
        raise NotImplementedError("it has no `declared`")

    def applies(self, item: Item) -> bool:
        """Tell whether the measure is defined for answers to this item; it may depend on the item alone.

        Items that lack what the scorer needs are left out. What overrides this should ask it too.
        """
        return all(test(item) for test in item_tests(self.declared.needs))

    def worst(self, item: Item) -> float:
        """Return the worst score for this item: what a missing answer counts as where it counts as a failure.

        Raises
        ------
        ScoreError
            If the better direction depends on the item, and the scorer does not say what is worst.
        """
        low, high = self.declared.range
        if self.declared.direction is None:
            raise ScoreError(
                f"{type(self).__name__} declares no direction, and does not define the worst score of item "
                f"{item.id!r} is",
                hint="define worst(self, item), or declare the direction",
            )
        return low if self.declared.direction == "higher" else high

    def gold_problem(self, item: Item) -> str | None:  # noqa: ARG002 - any accepted answers will do
        """Return why an item that the measure applies to has accepted answers that cannot be used; None if it has not.

        Scorers of the package are asked before any request is sent: what ``score`` raises is found after it was paid
        for, and only if an answer comes to it.
        """
        return None

    @abstractmethod
    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return the score, within the declared range, of an answer to an item that the measure applies to."""
        raise NotImplementedError("it has no method `score`")

    def score_many(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> Sequence[float]:
        """Return the scores of answers, in order: what ``score`` gives of each. To be overridden for speed alone."""
        return [self.score(gold, answer) for gold, answer in answers]


class BatchScorer(Scorer):
    """A scorer that takes many answers at once. A score may depend on no other answer of the batch."""

    @abstractmethod
    def score_batch(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> Sequence[float]:
        """Return the scores of answers to items that the measure applies to, in order.

        Raises
        ------
        ScoreError
            Naming the item, if one of them cannot be scored.
        """
        raise NotImplementedError("it has no method `score_batch`")

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return the score of one answer, a batch of its own."""
        (score,) = self.score_batch([(gold, answer)])
        return score
