"""What plots with two axes share: the axes, and the names of what is drawn between them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.reporting.plots.canvas import Canvas, colour_of

__all__ = ["NARROW", "WIDE", "Frame", "arms_key", "dash_of", "key_rows"]

WIDE: Final = 560
NARROW: Final = 336
"""Widths of plots: beside a text, and on a telephone, where a wide one would be drawn too small to read."""
_SAMPLE: Final = 22
_LETTER: Final = 7.0
_LONGEST: Final = 20
_GAP: Final = 18
_ROW: Final = 18


@dataclass(frozen=True, slots=True)
class Frame:
    """Two axes on a canvas, by their ends in pixels; what is between them is placed by shares of their lengths."""

    canvas: Canvas
    left: float
    right: float
    top: float
    bottom: float

    def x(self, share: float) -> float:
        """Return the place at a share of the way along."""
        return self.left + (self.right - self.left) * share

    def y(self, share: float) -> float:
        """Return the place at a share of the way up."""
        return self.bottom - (self.bottom - self.top) * share

    def axes(self, along: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], what: tuple[str, str]) -> None:
        """Draw both axes with their ticks, each a share of the way and a text, and what they measure."""
        canvas = self.canvas
        canvas.line(self.left, self.top, self.left, self.bottom)
        canvas.line(self.left, self.bottom, self.right, self.bottom)
        for share, text in along:
            canvas.line(self.x(share), self.bottom, self.x(share), self.bottom + 4)
            canvas.text(self.x(share), self.bottom + 17, text, anchor="middle", size=12)
        for share, text in up:
            canvas.line(self.left - 4, self.y(share), self.left, self.y(share))
            canvas.text(self.left - 8, self.y(share) + 4, text, anchor="end", size=12)
        canvas.text(self.x(0.5), self.bottom + 36, what[0], anchor="middle", size=12, faint=True)
        canvas.text(0, self.top - 10, what[1], size=12, faint=True)


def dash_of(index: int) -> str:
    """Return how the line of an arm is broken, by its place; that of the control is dashed."""
    return ("6 3", "", "2 3", "10 3", "10 3 2 3")[index % 5]


def key_rows(arms: Sequence[str], width: float) -> int:
    """Return how many lines the names of arms take."""
    return 1 + max((line for _, line in _places(arms, width)), default=0)


def arms_key(canvas: Canvas, arms: Sequence[str]) -> None:
    """Write which line is that of which arm, at the top of a canvas."""
    for at, (arm, (x, line)) in enumerate(zip(arms, _places(arms, canvas.width), strict=True)):
        y = 14 + _ROW * line
        canvas.curve([(x, y - 4), (x + _SAMPLE, y - 4)], colour_of(at), dash=dash_of(at))
        canvas.text(x + _SAMPLE + 6, y, _cut(arm), size=12)


def _places(arms: Sequence[str], width: float) -> list[tuple[float, int]]:
    """Return where the name of each arm is, and on which line."""
    places: list[tuple[float, int]] = []
    x, line = 0.0, 0
    for arm in arms:
        wide = _SAMPLE + 6 + _LETTER * len(_cut(arm)) + _GAP
        if x > 0 and x + wide > width:
            x, line = 0.0, line + 1
        places.append((x, line))
        x += wide
    return places


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}\u2026"
