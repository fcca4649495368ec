"""The forest plot: effects with their intervals, one row each, on one axis in points. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from promptrial.documents.significance import SIDES, Endpoint, Significance
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import count, effect, level, temperature
from promptrial.reporting.plots.canvas import Canvas, colour_of
from promptrial.reporting.plots.effect_axis import NARROW, NARROW_ROW, ROW, WIDE, half_of_axis, in_points
from promptrial.reporting.tables.effects import paired_means
from promptrial.reporting.tables.levels import common_confidence
from promptrial.reporting.tables.words import metric_text, score_unit

__all__ = ["ForestRow", "forest", "forest_of", "forest_rows"]

_TOP: Final = 34
_BOTTOM: Final = 44
_LINE: Final = 15
_MARGIN: Final = "#e69f00"


@dataclass(frozen=True, slots=True)
class ForestRow:
    """An effect as a plot shows it: estimate and limits in points of the range of its scores, None if not known.

    ``means`` are those of both sides, ``shown`` is the effect in its own unit, all as texts. ``margin`` is the declared
    one, in points. ``colour`` is the place of the treatment among the arms. A row that is not ``primary`` is faint.
    ``note`` says where the effect was measured, if there are several such places: the contrast, the temperature. It
    also has the level of the interval where that is another one than the plot's.
    """

    label: str
    means: tuple[str, str]
    shown: str
    n: int
    estimate: float | None
    low: float | None
    high: float | None
    margin: float | None = None
    primary: bool = True
    colour: int = 1
    note: str = ""


def forest_rows(significance: Significance, rows: Sequence[Endpoint], arms: Sequence[ArmName]) -> list[ForestRow]:
    """Return endpoints as rows of a plot; scores have to be shares of their ranges.

    An exploratory measure without a single pair has no row.
    """
    several, primary = len({row.temp for row in rows}) > 1, significance.settings.primary
    common = common_confidence(significance, rows)
    shown = [row for row in rows if row.n_pairs or row.metric in primary] or rows
    return [_row(significance, row, arms, several=several, common=common) for row in shown]


def _row(
    significance: Significance, row: Endpoint, arms: Sequence[ArmName], *, several: bool, common: float
) -> ForestRow:
    unit = score_unit(row.metric)
    settings, second = significance.settings, row.compared.sides[1]
    at = [f"temp. {temperature(row.temp)}"] if several else []
    confidence = significance.confidence_of(row)
    at += [f"{level(confidence)} CI"] if confidence != common else []
    width = settings.tost_margins.get(row.metric)
    return ForestRow(
        label=metric_text(row.metric).label,
        means=paired_means(row),
        shown=effect(row.difference, row.ci_low, row.ci_high, unit),
        n=row.n_pairs,
        estimate=in_points(row.difference),
        low=in_points(row.ci_low),
        high=in_points(row.ci_high),
        margin=in_points(width),
        primary=row.metric in settings.primary,
        colour=arms.index(second) if second in arms else 1,
        note=", ".join([*([] if row.contrast is UNSET else [row.contrast]), *at]),
    )


def forest(
    rows: Sequence[ForestRow],
    confidence: float,
    *,
    name: str = "forest",
    narrow: bool = False,
    sides: tuple[str, str] = SIDES,
) -> str:
    """Return the plot of some effects, as SVG.

    Parameters
    ----------
    rows : sequence of ForestRow
    confidence : float
        The level of the intervals.
    name : str
        Begins the ids in the SVG.
    narrow : bool
        For a telephone: texts are above each row and not beside it.
    sides : tuple of str
        What both sides are called; an effect is the second minus the first.
    """
    reach = half_of_axis(each for row in rows for each in (row.estimate, row.low, row.high, row.margin))
    margin = "dashes: margin" if any(row.margin is not None for row in rows) else ""
    layout = _Layout(narrow=narrow, reach=reach, rows=len(rows), captions=2 if margin and narrow else 1)
    canvas = Canvas(name, layout.width, layout.height, "Effects with intervals", _described(rows, confidence))
    _axis(canvas, layout, sides)
    sizes = max((row.n for row in rows), default=1) or 1
    for at, row in enumerate(rows):
        _draw(canvas, layout, at, row, sizes)
    first, second = sides if layout.fits(*sides) else SIDES
    what = f"{second} minus {first}, points, {level(confidence)} CI"
    said = [what, margin] if layout.captions > 1 else [f"{what}; {margin}" if margin else what]
    for at, line in enumerate(said):
        canvas.text(layout.x(0), layout.bottom + 38 + _LINE * at, line, anchor="middle", size=12, faint=True)
    return canvas.svg()


def forest_of(
    significance: Significance,
    rows: Sequence[Endpoint],
    names: Mapping[ArmName, str],
    *,
    name: str = "forest",
    narrow: bool = False,
) -> str:
    """Return the plot of endpoints whose scores are shares of their ranges, as SVG.

    Parameters
    ----------
    names : mapping
        What arms are called, such as by the names of their prompts' files, in the order of results.
    """
    compared = list(dict.fromkeys(row.compared for row in rows))
    heads = tuple(names.get(arm, arm) for arm in compared[0].sides) if len(compared) == 1 else SIDES
    drawn = forest_rows(significance, rows, list(names))
    return forest(drawn, common_confidence(significance, rows), name=name, narrow=narrow, sides=(heads[0], heads[1]))


@dataclass(frozen=True, slots=True)
class _Layout:
    narrow: bool
    reach: float
    rows: int
    captions: int = 1
    """Lines of text below the axis."""

    @property
    def width(self) -> int:
        return NARROW if self.narrow else WIDE

    @property
    def height(self) -> int:
        return self.bottom + _BOTTOM + _LINE * (self.captions - 1)

    @property
    def bottom(self) -> int:
        """Where the axis is."""
        return self.top + self.rows * (NARROW_ROW if self.narrow else ROW)

    @property
    def top(self) -> int:
        """Where rows begin: below the heads of the columns, which a narrow plot has not."""
        return 0 if self.narrow else _TOP

    @property
    def span(self) -> tuple[float, float]:
        return (16, NARROW - 16) if self.narrow else (344, 650)

    def fits(self, *names: str) -> bool:
        """Return whether names of both sides fit into the line below the axis."""
        return len("".join(names)) <= (20 if self.narrow else 44)

    def x(self, points: float) -> float:
        left, right = self.span
        held = max(-self.reach, min(self.reach, points))
        return (left + right) / 2 + (right - left) / 2 * held / self.reach

    def y(self, at: int) -> float:
        """Return the height of the line of a row."""
        return self.top + (at * NARROW_ROW + 40 if self.narrow else at * ROW + ROW / 2)

    def beside(self, at: int) -> tuple[float, float]:
        """Return the ends of an upright line that belongs to one row."""
        return (self.y(at) - 7, self.y(at) + 9) if self.narrow else (self.y(at) - 13, self.y(at) + 13)


def _axis(canvas: Canvas, layout: _Layout, sides: tuple[str, str]) -> None:
    bottom = layout.bottom
    left, right = layout.span
    canvas.line(left, bottom, right, bottom)
    _zero(canvas, layout)
    for tick in (-layout.reach, -layout.reach / 2, 0.0, layout.reach / 2, layout.reach):
        canvas.line(layout.x(tick), bottom, layout.x(tick), bottom + 4)
        canvas.text(layout.x(tick), bottom + 17, f"{tick:+g}" if tick else "0", anchor="middle", size=12)
    if not layout.narrow:
        for x, text in ((236, _cut(sides[0], _NAME)), (330, _cut(sides[1], _NAME)), (852, "n")):
            canvas.text(x, 18, text, anchor="end", size=12, faint=True)
        canvas.text(666, 18, "difference", size=12, faint=True)


def _zero(canvas: Canvas, layout: _Layout) -> None:
    """Draw the line at zero: down the whole plot, or beside each row where texts are between the rows."""
    x, bottom = layout.x(0.0), layout.bottom
    for top, end in [layout.beside(at) for at in range(layout.rows)] if layout.narrow else [(_TOP - 8, bottom)]:
        canvas.line(x, top, x, end, dash="2 3")


def _margin(canvas: Canvas, layout: _Layout, at: int, margin: float | None) -> None:
    """Draw the margin that was declared for a row, on both sides of zero."""
    top, end = layout.beside(at)
    for points in () if margin is None else (-margin, margin):
        canvas.line(layout.x(points), top, layout.x(points), end, colour=_MARGIN, width=1.5, dash="4 2")


def _draw(canvas: Canvas, layout: _Layout, at: int, row: ForestRow, largest: int) -> None:
    y, faint = layout.y(at), not row.primary
    colour = colour_of(row.colour) if row.primary else "#8a8a8a"
    if layout.narrow:
        note = f" ({row.note})" if row.note else ""
        canvas.text(
            16, y - 28, _cut(f"{row.label}{note}", _NARROW_LABEL - len(count(row.n))), bold=row.primary, faint=faint
        )
        canvas.text(NARROW - 16, y - 28, f"n {count(row.n)}", anchor="end", size=12, faint=True)
        first, second = (_bare(mean, row.shown) for mean in row.means)
        said = "not measured in both" if row.estimate is None else f"{second} against {first}: {row.shown}"
        canvas.text(16, y - 13, said, size=12, faint=faint)
    else:
        canvas.text(8, y - 2 if row.note else y + 4, _cut(row.label, _LABEL), bold=row.primary, faint=faint)
        if row.note:
            canvas.text(8, y + 11, _cut(row.note, _NOTE), size=11, faint=True)
        _figures(canvas, y, row, faint=faint)
        canvas.text(852, y + 4, count(row.n), anchor="end", size=12, faint=faint)
    _margin(canvas, layout, at, row.margin)
    if row.low is not None and row.high is not None:
        canvas.line(layout.x(row.low), y, layout.x(row.high), y, colour=colour, width=1.5)
        for end in (row.low, row.high):
            _end(canvas, layout, end, y, colour)
    if row.estimate is not None:
        size = 4 + 4 * (row.n / largest) ** 0.5
        x = layout.x(row.estimate)
        if row.primary:
            canvas.rect(x - size, y - size, 2 * size, 2 * size, colour)
        else:
            canvas.circle(x, y, size * 0.8, colour, hollow=True)
    else:
        canvas.text(layout.x(0) + 8, y + 4, "no estimate", size=12, faint=True)


def _figures(canvas: Canvas, y: float, row: ForestRow, *, faint: bool) -> None:
    """Write means and effect beside the plot; where they are long, without the unit of a mean, and smaller."""
    for end, mean in zip((236, 330), row.means, strict=True):
        text = mean if len(mean) <= _MEAN else _bare(mean, row.shown)
        canvas.text(end, y + 4, text, anchor="end", size=min(13, 13 * _MEAN / len(text)), faint=faint)
    canvas.text(666, y + 4, row.shown, size=min(12, 12 * _SHOWN / max(len(row.shown), 1)), faint=faint)


def _bare(mean: str, shown: str) -> str:
    """Return a mean without its unit where the effect beside it has the same."""
    number, _, unit = mean.partition(" ")
    return number if unit and shown.endswith(f" {unit}") else mean


def _end(canvas: Canvas, layout: _Layout, end: float, y: float, colour: str) -> None:
    """Draw the end of an interval; an arrow where it leaves the axis."""
    x = layout.x(end)
    if abs(end) <= layout.reach:
        canvas.line(x, y - 4, x, y + 4, colour=colour, width=1.5)
        return
    back = x - 6 if end > 0 else x + 6
    canvas.curve([(back, y - 4), (x, y), (back, y + 4)], colour, width=1.5)


_LABEL: Final = 26
_NOTE: Final = 31
_NARROW_LABEL: Final = 38
_NAME: Final = 13
"""Letters of a label and a note beside the plot, of a label above a row of a narrow one, and of a name of a column."""
_MEAN: Final = 12
_SHOWN: Final = 29
"""Letters of a mean and of an effect beside the plot that have the usual size; longer ones are written smaller."""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def _described(rows: Sequence[ForestRow], confidence: float) -> str:
    """Return the figures as a sentence, for people who do not see the plot."""
    said = "; ".join(f"{row.label}{f' ({row.note})' if row.note else ''}: {row.shown}" for row in rows)
    return f"Differences with {level(confidence)} intervals. {said}." if said else "There are no effects."
