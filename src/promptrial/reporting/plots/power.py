"""The power curve: how probable it is that a true difference is found, by the number of questions. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from promptrial.documents.usual import POWER
from promptrial.reporting.cells import count, rate
from promptrial.reporting.plots.canvas import COLOURS, Canvas
from promptrial.reporting.plots.frame import WIDE, Frame
from promptrial.reporting.powered import PowerCurve, difference_text, power_text
from promptrial.reporting.tables.words import listing

__all__ = ["power_plot"]

_PANEL: Final = 280
_LEFT: Final = 52
_TOP: Final = 66
_BOTTOM: Final = 46
_LEVELS: Final = (0.0, 0.2, 0.4, 0.6, POWER, 1.0)
_DASHES: Final = ("2 3", "", "7 3")
"""Of the curves, so that their colours are not all that tells them apart."""


def power_plot(curves: Sequence[PowerCurve], *, name: str = "power", width: float = WIDE) -> str:
    """Return power curves below one another, as SVG; each has points.

    The axis of questions is logarithmic: from a quarter of those of the run to four times as many.
    """
    canvas = Canvas(name, width, _PANEL * len(curves), "Power by number of questions", _described(curves))
    for at, curve in enumerate(curves):
        top = _PANEL * at
        frame = Frame(canvas, _LEFT, width - 20, top + _TOP, top + _PANEL - _BOTTOM)
        canvas.text(0, top + 18, f"Power: {curve.label}", bold=True)
        _draw(frame, curve)
    return canvas.svg()


def _draw(frame: Frame, curve: PowerCurve) -> None:
    canvas, here = frame.canvas, _place(curve, curve.here.n)
    along = [(_place(curve, each.n), count(each.n)) for each in curve.shown]
    frame.axes(along, [(level, rate(level, 0)) for level in _LEVELS], ("questions", "power"))
    canvas.line(frame.left, frame.y(POWER), frame.right, frame.y(POWER), dash="4 4")
    canvas.line(frame.x(here), frame.top, frame.x(here), frame.bottom, dash="2 3")
    canvas.text(frame.x(here), frame.top - 10, f"this run: {count(curve.here.n)}", anchor="middle", size=12)
    for at, difference in enumerate(curve.differences):
        points = [(frame.x(_place(curve, each.n)), frame.y(each.powers[at])) for each in curve.points]
        canvas.curve(points, COLOURS[at], dash=_DASHES[at])
        _name(frame, curve, at, difference_text(curve.row.metric, difference))


def _name(frame: Frame, curve: PowerCurve, at: int, text: str) -> None:
    """Write which difference a curve is of, beside the place where it comes to ``POWER``."""
    near = curve.shown[-1 - 2 * at]
    x, y = frame.x(_place(curve, near.n)), frame.y(near.powers[at])
    if at == 0:
        frame.canvas.text(x - 4, y - 8, text, anchor="end", size=12, bold=True)
    else:
        frame.canvas.text(x + 8, y + 18, text, size=12, bold=True)


def _place(curve: PowerCurve, n: int) -> float:
    """Return the place of a number of questions on the axis, from 0 to 1."""
    first, last = curve.points[0].n, curve.points[-1].n
    return math.log(n / first) / math.log(last / first)


def _described(curves: Sequence[PowerCurve]) -> str:
    """Return what the curves show, for people who do not see them."""
    return " ".join(map(_said, curves))


def _said(curve: PowerCurve) -> str:
    first, last = curve.here, curve.points[-1]
    powers = [
        f"{difference_text(curve.row.metric, each)}: {power_text(first.powers[at])} with {count(first.n)} questions, "
        f"{power_text(last.powers[at])} with {count(last.n)}"
        for at, each in enumerate(curve.differences)
    ]
    return f"{curve.label}, power for a true difference of {listing(powers)}."
