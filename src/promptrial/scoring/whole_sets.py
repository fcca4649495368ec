"""What is odd about a data set as a whole, which no question shows by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

from promptrial.model import Item
from promptrial.scoring.letters import LetterCheck

__all__ = ["WholeSetCheck"]


class RepeatCheck:
    """Counts questions that are asked more than once under several ids, and that no passage or cluster holds together.

    Upper and lower case, and how words are spaced, make no other question; choices do.
    """

    def __init__(self) -> None:
        self._first: dict[int, str] = {}
        self._repeated = 0
        self._example = ("", "")

    def notice(self, item: Item) -> None:
        """Look at an item."""
        if item.context or item.cluster:
            return
        key = hash((" ".join(item.question.casefold().split()), item.choices))
        first = self._first.setdefault(key, item.id)
        if first != item.id:
            self._repeated += 1
            self._example = self._example if self._repeated > 1 else (item.id, first)

    def warnings(self, dataset: str) -> Iterator[str]:
        """Yield a sentence if any question is there more than once."""
        if self._repeated:
            again, first = self._example
            more = f"{self._repeated:,} questions repeat others" if self._repeated > 1 else "a question repeats another"
            yield (
                f"datasets.{dataset}: {more} under a new id ({again!r} is {first!r}), and count as independent; "
                "remove them, or give those that belong together the same `cluster`"
            )


class WholeSetCheck:
    """All that is looked for in a data set as a whole."""

    def __init__(self) -> None:
        self._checks = (LetterCheck(), RepeatCheck())

    @classmethod
    def of(cls, items: Iterable[Item]) -> Self:
        """Return a check that has looked at these items."""
        found = cls()
        for item in items:
            found.notice(item)
        return found

    def notice(self, item: Item) -> None:
        """Look at an item."""
        for check in self._checks:
            check.notice(item)

    def warnings(self, dataset: str) -> Iterator[str]:
        """Yield a sentence for each thing that is odd."""
        for check in self._checks:
            yield from check.warnings(dataset)
