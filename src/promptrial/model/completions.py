"""Many completions as columns, each named as the field of ``Completion`` that it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Self

from promptrial.model import Completion

__all__ = ["CompletionColumns", "chosen"]


class CompletionColumns(NamedTuple):
    """Completions, column by column. Where a row could not be read, there is no ``wire_id``."""

    wire_id: list[str | None]
    text: list[str]
    finish_reason: list[str | None]
    request_id: list[str | None]
    prompt_tokens: list[int | None]
    completion_tokens: list[int | None]
    total_tokens: list[int | None]
    cached_tokens: list[int | None]
    error: list[str | None]
    reasoning: list[str | None]
    reasoning_tokens: list[int | None]
    cache_write_tokens: list[int | None]
    model: list[str | None]
    latency_s: list[float | None]

    @classmethod
    def of(cls, completions: Iterable[Completion | None]) -> Self:
        """Return completions as columns; None stands for a row that could not be read."""
        rows = [_values(each) for each in completions]
        columns: list[Any] = [[row[place] for row in rows] for place in range(len(cls._fields))]
        return cls(*columns)

    def at(self, place: int) -> Completion:
        """Return the completion in a place, which could be read."""
        columns: Iterable[list[Any]] = self
        values: dict[str, Any] = {name: column[place] for name, column in zip(self._fields, columns, strict=True)}
        return Completion(**values)

    def put(self, place: int, completion: Completion | None) -> None:
        """Put a completion in place of another."""
        columns: Iterable[list[Any]] = self
        for column, value in zip(columns, _values(completion), strict=True):
            column[place] = value

    def chosen(self, places: Sequence[int]) -> CompletionColumns:
        """Return those in some places, of which there is one at least, in the order of the places."""
        picked: list[Any] = [list(chosen(column, places)) for column in self]
        return CompletionColumns(*picked)


def chosen(values: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    """Return the values in some places, of which there is one at least; quick where these follow one another."""
    first, last = places[0], places[-1] + 1
    if last - first == len(places) and places == [*range(first, last)]:
        return values[first:last]
    found: tuple[Any, ...] = itemgetter(*places)(values)
    return found


def _values(completion: Completion | None) -> tuple[Any, ...]:
    if completion is None:
        return (None, "", *(None for _ in CompletionColumns._fields[2:]))
    return tuple([getattr(completion, name) for name in CompletionColumns._fields])
