"""What a run of this size can show, and a larger one could: the values of a power curve, in words and as a table. Pure.

Nothing is computed here: *report* fills the values in, from ``significance.json`` and by the formulas of a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from promptrial.documents.significance import DETECTABLE, Endpoint, Estimate, Significance
from promptrial.documents.usual import POWER
from promptrial.reporting.cells import MISSING, Table, count, rate
from promptrial.reporting.tables.words import metric_text, score_unit

__all__ = [
    "PowerCurve",
    "PowerPoint",
    "difference_text",
    "differences_around",
    "no_curve",
    "one_test_text",
    "power_table",
    "power_text",
    "spread_of",
    "target_of",
]

_NEARLY_ALL: Final = 0.995
_NEARLY_NONE: Final = 0.005


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """What so many questions show.

    ``smallest`` is the difference that they detect with a power of ``POWER``, a share of the range of the scores; None
    where no p-value can reach the level. ``powers`` are in [0, 1], for each of the differences of the curve.
    """

    n: int
    smallest: float | None
    powers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """How power grows with the number of questions, for a primary endpoint.

    Attributes
    ----------
    row : Endpoint
    alpha : float
        The level of one two-sided test.
    tests : int
        How many primary tests are corrected together.
    where : str
        What follows the name of the measure where there are several contrasts or temperatures.
    differences : tuple of float
        True differences, rising, as shares of the range of the scores. Empty where the run detects none.
    points : tuple of PowerPoint
        With rising ``n``; the one in the middle is this run.
    """

    row: Endpoint
    alpha: float
    tests: int
    where: str = ""
    differences: tuple[float, ...] = ()
    points: tuple[PowerPoint, ...] = ()

    @property
    def label(self) -> str:
        """The endpoint in words."""
        return f"{metric_text(self.row.metric).label}{self.where}"

    @property
    def here(self) -> PowerPoint:
        """What this run shows."""
        return self.points[len(self.points) // 2]

    @property
    def shown(self) -> tuple[PowerPoint, ...]:
        """The points that a table shows: a quarter of the questions of this run, half, all, twice and four times."""
        step = len(self.points) // 4
        return self.points[::step] if step else self.points


def spread_of(significance: Significance, row: Endpoint) -> Estimate | None:
    """Return the estimate that says how far the scores of an endpoint over all items differ; None without one."""
    for each in significance.estimates:
        same = (each.metric, each.temp, each.compared) == (row.metric, row.temp, row.compared)
        if DETECTABLE in each.figures and each.scope == "overall" and same:
            return each
    return None


def target_of(smallest: float) -> float:
    """Return half of what could be shown, as a whole number where it is one or more."""
    half = smallest / 2
    return float(round(half)) if half >= 1 else half


def differences_around(smallest: float, metric: str) -> tuple[float, ...]:
    """Return differences to draw: about half of the smallest that the run detects, that one, and about twice as much.

    All are shares of the range of the scores; one that is larger than scores can differ is left out.
    """
    width = score_unit(metric).width
    found = width * smallest
    twice = float(round(2 * found)) if found >= 1 else 2 * found
    return tuple(each / width for each in (target_of(found), found, twice) if each <= width)


def difference_text(metric: str, share: float) -> str:
    """Return a difference in points or in the unit of its scores: with one decimal, or with two digits below one."""
    unit = score_unit(metric)
    value = unit.width * share
    text = f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"
    return f"{text} {unit.name or 'points'}"


def power_text(power: float) -> str:
    """Return a probability in percent, without ever saying that something is certain.

    Examples
    --------
    >>> power_text(0.8), power_text(0.9999), power_text(0.001)
    ('80%', '>99%', '<1%')
    """
    if power > _NEARLY_ALL:
        return ">99%"
    return "<1%" if power < _NEARLY_NONE else rate(power, 0)


def no_curve(curve: PowerCurve) -> str:
    """Return why an endpoint has no curve."""
    return (
        f"{curve.label}: this run cannot detect a difference of any size: too few questions have different scores in "
        "the two arms, or only a difference larger than the scores allow could be detected."
    )


def power_table(curve: PowerCurve) -> Table:
    """Return the figures of a curve: what fewer and more questions detect."""
    metric, here = curve.row.metric, curve.here
    rows = tuple(
        (
            f"{'this run: ' if each is here else ''}{count(each.n)}",
            MISSING if each.smallest is None else difference_text(metric, each.smallest),
            *map(power_text, each.powers),
        )
        for each in curve.shown
    )
    heads = (f"Power for {difference_text(metric, each)}" for each in curve.differences)
    headers = ("Questions", f"Detectable at {rate(POWER, 0)} power", *heads)
    return Table(f"Power: {curve.label}", headers, rows, tuple(_notes(curve)), "r" * len(headers))


def _notes(curve: PowerCurve) -> Iterator[str]:
    alike = ", in clusters of the same size" if curve.row.clustered else ""
    yield f"Power is the probability of detecting a true difference, at level {curve.alpha:g}."
    yield f"It assumes that scores vary as much as in this run{alike}. The difference that was found plays no part."
    if curve.tests > 1:
        yield one_test_text(curve.tests)


def one_test_text(tests: int) -> str:
    """Return that what a run detects is said about one test, where so many are corrected together."""
    return f"This is for a single test; correcting for {tests} primary tests takes more questions."
