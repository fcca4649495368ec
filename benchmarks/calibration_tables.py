"""What a table of the calibration is: shares, each marked as within its target or not, under a heading.

A simulated share fails if it misses its target by more than two Monte Carlo standard errors; an exact one if it misses
at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

__all__ = ["NOTHING", "Cell", "Mapper", "Table", "judge", "percent", "words"]

Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Applies a function to each of many values, in several processes or in one."""


NOTHING: Final = "-"
"""What a cell without a figure shows."""


class Cell(NamedTuple):
    """What a cell shows, and whether it is within its target: None where there is none."""

    text: str
    ok: bool | None = None

    def __str__(self) -> str:
        mark = {None: "", True: " ✓", False: " ✗"}[self.ok]
        return self.text + mark


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the name is that of its place in the documentation."""

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def failures(self) -> list[str]:
        """Name the cells that miss their targets."""
        return [
            f"{self.name}: {row[0].text}, {title}: {cell.text}"
            for row in self.rows
            for title, cell in zip(self.head, row, strict=True)
            if cell.ok is False
        ]

    def __str__(self) -> str:
        ruler = "|".join(["---"] + ["--:"] * (len(self.head) - 1))
        lines = [f"| {' | '.join(self.head)} |", f"|{ruler}|"]
        lines += [f"| {' | '.join(map(str, row))} |" for row in self.rows]
        return "\n".join(lines) + "\n"


def words(*texts: object) -> tuple[Cell, ...]:
    """Return cells without a target."""
    return tuple(Cell(str(text)) for text in texts)


def percent(share: float, digits: int = 1) -> Cell:
    """Return a share in percent, without a target."""
    return Cell(NOTHING if math.isnan(share) else f"{100 * share:.{digits}f}")


def judge(share: float, trials: int | None, low: float = 0.0, high: float = 1.0, digits: int = 1) -> Cell:
    """Return a share in percent and whether it lies from ``low`` to ``high``; ``trials`` is None where it is exact."""
    below, above = (0.0 if trials is None else 2 * math.sqrt(at * (1 - at) / trials) for at in (low, high))
    # Exact shares are sums of many terms.
    rounding = 1e-12
    return Cell(percent(share, digits).text, low - below - rounding <= share <= high + above + rounding)
