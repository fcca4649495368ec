"""Regex: whether a regular expression matches the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer
from promptrial.scoring.expressions import LIBRARIES, compiled, searchable

__all__ = ["Regex"]


@dataclass(frozen=True)
class Regex(Scorer):
    r"""Whether a regular expression matches somewhere in the answer.

    Attributes
    ----------
    pattern : str
        In RE2's syntax: no look-around, no back references. Asked of every answer as it is, abstentions too.
    from_gold : bool
        Whether each accepted answer is a pattern, instead of ``pattern``; one of them has to match. An abstention
        scores as for exact match.
    case : bool
        Whether upper and lower case differ.
    multiline : bool
        Whether ``^`` and ``$`` match at each line.
    dotall : bool
        Whether ``.`` matches a line break.
    whole : bool
        Whether it has to match the whole answer, white space around it aside.

    Raises
    ------
    ValueError
        If not exactly one of ``pattern`` and ``from_gold`` is given, or the pattern is none.

    References
    ----------
    RE2, https://github.com/google/re2/wiki/Syntax; it takes time proportional to the length of the answer.
    """

    libraries: ClassVar[Mapping[str, str]] = LIBRARIES

    pattern: str = ""
    from_gold: bool = False
    case: bool = True
    multiline: bool = False
    dotall: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if bool(self.pattern) == self.from_gold:
            raise ValueError("give either `pattern` or `from_gold: true`")
        if self.pattern:
            self._compiled(self.pattern)

    @cached_property
    def declared(self) -> Declaration:
        """What the scores mean: right answers where golds are the patterns, otherwise a match."""
        asks = "one of the accepted patterns" if self.from_gold else f"`{self.pattern}`"
        refusal = " or, if the question has no answer, is it a refusal" if self.from_gold else ""
        return Declaration(
            label="Pattern",
            meaning=f"Does {'the whole answer' if self.whole else 'the answer'} match {asks}{refusal}?",
            scale="binary",
            direction="higher",
            needs=("gold",) if self.from_gold else (),
            role="accuracy" if self.from_gold else None,
        )

    def gold_problem(self, item: Item) -> str | None:
        """Each accepted answer must be a pattern, if they are the patterns."""
        for pattern in item.answers if self.from_gold else ():
            try:
                self._compiled(pattern)
            except ValueError as error:
                return str(error)
        return None

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """1 if a pattern matches, else 0.

        Raises
        ------
        ScoreError
            If an accepted answer that is to be a pattern is none; names the item.
        """
        if not self.from_gold:
            return float(self._matches(self.pattern, answer.response.text))
        if answer.abstained:
            return float(gold.item.is_unanswerable)
        try:
            return float(any(self._matches(pattern, answer.text) for pattern in gold.item.answers))
        except ValueError as error:
            raise ScoreError(
                f"the accepted answer of item {gold.item.id!r} of {gold.item.dataset}: {error}",
                hint="correct the question file, or leave out `from_gold`",
            ) from error

    def _compiled(self, pattern: str) -> Any:  # noqa: ANN401 - no types
        return compiled(pattern, case=self.case, multiline=self.multiline, dotall=self.dotall)

    def _matches(self, pattern: str, text: str) -> bool:
        expression, text = self._compiled(pattern), searchable(text)
        return (expression.fullmatch(text.strip()) if self.whole else expression.search(text)) is not None
