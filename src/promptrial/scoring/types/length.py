"""Length: how long an answer is, or whether it keeps to a length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.characters import split_unspaced
from promptrial.scoring.contract import Declaration, Response, Scorer

__all__ = ["Length"]

Unit = Literal["words", "tokens", "characters"]
_CAPS: Final[Mapping[Unit, int]] = MappingProxyType({"words": 1000, "tokens": 2000, "characters": 10_000})
_LARGEST: Final = 10**9


def count_words(text: str) -> int:
    """Return how many words a text has: between spaces, or characters where the script has no spaces.

    What has no letter and no digit in it, such as a dash, is not a word.

    Examples
    --------
    >>> count_words("Well - it's 3.5 km!"), count_words("\u738b\u4f1f\u5efa\u9020\u3002")
    (4, 4)
    """
    return sum(any(map(str.isalnum, word)) for word in split_unspaced(text.split()))


@dataclass(frozen=True)
class Length(Scorer):
    """How long an answer is; with ``min`` or ``max``, whether it keeps to that. It needs no accepted answers.

    Attributes
    ----------
    unit : {"words", "tokens", "characters"}
        ``words`` are between spaces (characters where the script has none), ``characters`` are code points without
        white space around the answer, ``tokens`` are those that the provider counted for the whole response,
        reasoning included.
    max, min : int, optional
        If given, the score is 1 from ``min`` to ``max`` and 0 outside.
    direction : {"higher", "lower"}, optional
        Which is better; neither if not given. Not with ``min`` or ``max``: to keep to them is better.
    cap : int, optional
        Longer answers count as so long, because scores need an end; 1,000 words, 2,000 tokens or 10,000 characters
        if not given. Means are over these clipped values. Not with ``min`` or ``max``.

    Raises
    ------
    ValueError
        If the settings do not go together.

    References
    ----------
    The definition is this package's own.
    """

    unit: Unit = "words"
    max: int | None = None
    min: int | None = None
    direction: Literal["higher", "lower"] | None = None
    cap: int | None = None

    def __post_init__(self) -> None:
        if self.unit not in _CAPS:
            raise ValueError(f"unit is {self.unit!r}; allowed: {', '.join(_CAPS)}")
        low, high = self.min or 0, _LARGEST if self.max is None else self.max
        if not 0 <= low <= high:
            raise ValueError(f"min is {low}, max is {high}; allowed: 0 or more, and max not below min")
        if self._is_binary and (self.direction or self.cap is not None):
            raise ValueError("`direction` and `cap` are for lengths without `min` and `max`")
        if self.cap is not None and not 0 < self.cap <= _LARGEST:
            raise ValueError(f"cap is {self.cap}; allowed: 1 to {_LARGEST:,}")

    @cached_property
    def declared(self) -> Declaration:
        """What the scores mean: a length, or whether the answer keeps to one."""
        needs: tuple[Literal["response"], ...] = ("response",) if self.unit == "tokens" else ()
        if self._is_binary:
            return Declaration(
                label=f"Length, {self.unit}",
                meaning=f"Does the answer have {self._bounds} {self.unit}?",
                scale="binary",
                direction="higher",
                needs=needs,
            )
        return Declaration(
            label=f"Length, {self.unit}",
            meaning=f"How many {self.unit} does the answer have, {self._cap:,} at most?",
            scale="continuous",
            direction=self.direction,
            range=(0.0, float(self._cap)),
            needs=needs,
            unit=self.unit,
        )

    def worst(self, item: Item) -> float:  # noqa: ARG002 - whatever the item
        """The worse end where a direction is given; otherwise 0, the length of no answer."""
        return float(self._cap) if self.direction == "lower" else 0.0

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return the length, or 1 if it is from ``min`` to ``max`` and 0 if not.

        Raises
        ------
        ScoreError
            If tokens are asked for and the provider counted none.
        """
        length = self._measured(gold.item, answer.response)
        if self._is_binary:
            return float((self.min or 0) <= length and (self.max is None or length <= self.max))
        return float(min(length, self._cap))

    def _measured(self, item: Item, response: Response) -> int:
        if self.unit == "words":
            return count_words(response.text)
        if self.unit == "characters":
            return len(response.text.strip())
        if response.completion_tokens is None:
            raise ScoreError(
                f"the provider did not say how many tokens the answer to item {item.id!r} of {item.dataset} has",
                hint="use `unit: words` or `unit: characters`; only score to report run again",
            )
        return max(0, response.completion_tokens)

    @property
    def _is_binary(self) -> bool:
        return self.max is not None or self.min is not None

    @property
    def _cap(self) -> int:
        return _CAPS[self.unit] if self.cap is None else self.cap

    @property
    def _bounds(self) -> str:
        if self.max is None:
            return f"at least {self.min:,}"
        return f"{self.min:,} to {self.max:,}" if self.min else f"at most {self.max:,}"
