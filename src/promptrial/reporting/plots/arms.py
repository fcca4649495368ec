"""The plot of several arms: each less the control, with intervals that hold together, and its ranks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.documents.many_arms import Ranking, RanksOfArm, Simultaneous
from promptrial.documents.significance import Significance
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import effect, level, temperature
from promptrial.reporting.plots.canvas import PAGE_COLOUR, Canvas, colour_of
from promptrial.reporting.plots.effect_axis import NARROW, NARROW_ROW, ROW, WIDE, half_of_axis, in_points
from promptrial.reporting.tables.arms import ranks_text, score_text
from promptrial.reporting.tables.words import metric_text, score_unit

__all__ = ["arms_plots"]

_TOP: Final = 44
_BOTTOM: Final = 44
_NAME: Final = 24
_NARROW_NAME: Final = 30
_LONGEST_HEAD: Final = 22


@dataclass(frozen=True, slots=True)
class _Row:
    """An arm: its name and figures as texts, its effect in points, and its ranks."""

    label: str
    score: str
    shown: str
    estimate: float | None
    low: float | None
    high: float | None
    ranks: RanksOfArm
    colour: str


@dataclass(frozen=True, slots=True)
class _Layout:
    narrow: bool
    reach: float
    arms: int

    @property
    def width(self) -> int:
        return NARROW if self.narrow else WIDE

    @property
    def height(self) -> int:
        return _TOP + self.arms * (NARROW_ROW if self.narrow else ROW) + _BOTTOM

    def x(self, points: float) -> float:
        left, right = (16, NARROW - 16) if self.narrow else (270, 520)
        held = max(-self.reach, min(self.reach, points))
        return (left + right) / 2 + (right - left) / 2 * held / self.reach

    def y(self, at: int) -> float:
        return _TOP + at * NARROW_ROW + 40 if self.narrow else _TOP + at * ROW + ROW / 2

    def rank(self, rank: int) -> float:
        """Return where a rank is, beside the effects."""
        left, right = 724, 848
        return (left + right) / 2 if self.arms == 1 else left + (right - left) * (rank - 1) / (self.arms - 1)


def arms_plots(
    significance: Significance, names: Mapping[ArmName, str], *, name: str = "arms", narrow: bool = False
) -> list[str]:
    """Return a plot of all arms for each primary endpoint of a trial of several treatments, as SVG.

    Parameters
    ----------
    significance : Significance
        Its scores are shares of their ranges.
    names : mapping
        What arms are called, in the order of results.
    name : str
        Begins the ids in the SVG.
    narrow : bool
        For a telephone: texts are above each row, and ranks in words.
    """
    rankings = significance.rankings or ()
    return [
        _plot(significance, ranking, names, f"{name}{f'-{at}' if at > 1 else ''}", narrow=narrow)
        for at, ranking in enumerate(rankings, 1)
    ]


def _plot(
    significance: Significance, ranking: Ranking, names: Mapping[ArmName, str], name: str, *, narrow: bool
) -> str:
    against = {
        row.compared.sides[1]: row
        for row in significance.simultaneous or ()
        if (row.metric, row.temp) == (ranking.metric, ranking.temp)
    }
    several = len({row.temp for row in significance.rankings or ()}) > 1
    rows = _rows(ranking, against, names)
    reach = half_of_axis(each for row in rows for each in (row.estimate, row.low, row.high))
    layout = _Layout(narrow, reach, len(rows))
    at = f", temperature {temperature(ranking.temp)}" if several else ""
    title = f"Arms by {metric_text(ranking.metric).label}{at}"
    canvas = Canvas(name, layout.width, layout.height, title, _described(rows, ranking))
    first = next((names.get(row.compared.sides[0], row.compared.sides[0]) for row in against.values()), "")
    _frame(canvas, layout, title, first, ranking.confidence)
    for place, row in enumerate(rows):
        _draw(canvas, layout, place, row)
    return canvas.svg()


def _rows(ranking: Ranking, against: Mapping[ArmName, Simultaneous], names: Mapping[ArmName, str]) -> list[_Row]:
    """Return the arms, the first ranks first."""
    unit, order = score_unit(ranking.metric), [*names]
    rows = []
    for ranks in sorted(ranking.arms, key=lambda each: (each.lowest, each.highest)):
        row = against.get(ranks.arm)
        difference, low, high = (None, None, None) if row is None else (row.difference, row.ci_low, row.ci_high)
        rows.append(
            _Row(
                label=names.get(ranks.arm, ranks.arm),
                score=score_text(ranking, ranks),
                shown="" if row is None else effect(difference, low, high, unit),
                estimate=in_points(difference),
                low=in_points(low),
                high=in_points(high),
                ranks=ranks,
                colour=colour_of(order.index(ranks.arm) if ranks.arm in order else 1),
            )
        )
    return rows


def _frame(canvas: Canvas, layout: _Layout, title: str, first: str, confidence: float) -> None:
    """Draw what is around the rows: the title, both axes, and the line of no difference."""
    bottom = layout.height - _BOTTOM
    canvas.text(8, 16, title, bold=True)
    canvas.line(layout.x(-layout.reach), bottom, layout.x(layout.reach), bottom)
    for tick in (-layout.reach, -layout.reach / 2, 0.0, layout.reach / 2, layout.reach):
        canvas.line(layout.x(tick), bottom, layout.x(tick), bottom + 4)
        canvas.text(layout.x(tick), bottom + 17, f"{tick:+g}" if tick else "0", anchor="middle", size=12)
    what = f"minus {_cut(first, _LONGEST_HEAD)}, points, {level(confidence)} CI"
    canvas.text(layout.x(0), layout.height - 6, what, anchor="middle", size=12, faint=True)
    if layout.narrow:
        for at in range(layout.arms):
            canvas.line(layout.x(0), layout.y(at) - 5, layout.x(0), layout.y(at) + 9, dash="2 3")
        return
    canvas.line(layout.x(0), _TOP - 8, layout.x(0), bottom, dash="2 3")
    for rank in range(1, layout.arms + 1):
        canvas.text(layout.rank(rank), bottom + 17, str(rank), anchor="middle", size=12)
    canvas.text(layout.rank(1), layout.height - 6, f"ranks, {level(confidence)}", size=12, faint=True)


def _draw(canvas: Canvas, layout: _Layout, at: int, row: _Row) -> None:
    y, may_be_best = layout.y(at), row.ranks.lowest == 1
    if layout.narrow:
        ranks = f"rank {ranks_text(row.ranks.lowest, row.ranks.highest)}"
        canvas.text(16, y - 24, f"{_cut(row.label, _NARROW_NAME)}: {row.score}", bold=may_be_best)
        canvas.text(16, y - 9, f"{row.shown}; {ranks}" if row.shown else ranks, size=12)
    else:
        canvas.text(8, y + 4, _cut(row.label, _NAME), bold=may_be_best)
        canvas.text(256, y + 4, row.score, anchor="end")
        canvas.text(532, y + 4, row.shown, size=12)
        first, last = layout.rank(row.ranks.lowest), layout.rank(row.ranks.highest)
        canvas.line(first, y, last, y, colour=row.colour, width=1.5)
        for rank in range(row.ranks.lowest, row.ranks.highest + 1):
            canvas.circle(layout.rank(rank), y, 4, row.colour)
    _effect(canvas, layout, y, row)


def _effect(canvas: Canvas, layout: _Layout, y: float, row: _Row) -> None:
    if row.low is not None and row.high is not None:
        canvas.line(layout.x(row.low), y, layout.x(row.high), y, colour=row.colour, width=1.5)
        for end in (row.low, row.high):
            canvas.line(layout.x(end), y - 4, layout.x(end), y + 4, colour=row.colour, width=1.5)
    if row.estimate is not None:
        canvas.rect(layout.x(row.estimate) - 5, y - 5, 10, 10, row.colour)
    elif row.shown:
        canvas.text(layout.x(0), y + 4, "no estimate", anchor="middle", size=12, faint=True, colour=PAGE_COLOUR)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def _described(rows: Sequence[_Row], ranking: Ranking) -> str:
    """Return the figures as a sentence, for people who do not see the plot."""
    said = "; ".join(
        f"{row.label}: {row.score}{f', {row.shown}' if row.shown else ''}, "
        f"rank {ranks_text(row.ranks.lowest, row.ranks.highest)}"
        for row in rows
    )
    return f"Scores, differences and ranks with simultaneous {level(ranking.confidence)} intervals. {said}."
