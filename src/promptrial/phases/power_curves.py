"""The power curves of a trial: what its number of questions detects, and what fewer and more would. Pure.

A curve starts from the standard error in ``significance.json``, and follows the formulas by which a plan says how many
questions are needed. At the size of the run it shows the detectable difference of that document.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from promptrial.documents.significance import DETECTABLE, Estimate, Significance
from promptrial.documents.usual import POWER
from promptrial.reporting.cells import temperature
from promptrial.reporting.powered import PowerCurve, PowerPoint, differences_around, spread_of
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables import primary_endpoints
from promptrial.reporting.tables.contrasts import contrast_suffix
from promptrial.stats.planning import Design, detectable, power_at

__all__ = ["power_curves"]

_STEPS: Final = 20
"""Points of a curve on each side of this run: from a quarter of its questions to four times as many."""
_REACH: Final = 4.0
_FEWEST: Final = 2


def power_curves(significance: Significance) -> tuple[PowerCurve, ...]:
    """Return the curve of each primary endpoint, in the declared order.

    One without points says that the run detects no difference: nothing varies, too few units differ for any p-value to
    reach the level, or it would take more than the largest difference that scores can have.
    """
    shares = as_shares(significance)
    return tuple(_curves(shares))


def _curves(significance: Significance) -> Iterator[PowerCurve]:
    rows = primary_endpoints(significance)
    tests = sum(row.p is not None for row in rows)
    several = len({row.temp for row in rows}) > 1
    for row in rows:
        at = f", temperature {temperature(row.temp)}" if several else ""
        empty = PowerCurve(row, significance.settings.alpha, tests, f"{contrast_suffix(row)}{at}")
        spread = spread_of(significance, row)
        smallest = None if spread is None else spread.figures[DETECTABLE]
        yield empty if spread is None or smallest is None else _filled(empty, spread, smallest)


def _filled(curve: PowerCurve, spread: Estimate, smallest: float) -> PowerCurve:
    design = _design(spread, curve.alpha)
    differences = differences_around(smallest, curve.row.metric)
    points = [_point(design, _size(spread.n_pairs, step), differences) for step in range(-_STEPS, _STEPS + 1)]
    points[_STEPS] = replace(points[_STEPS], smallest=smallest)
    return replace(curve, differences=differences, points=tuple(points))


def _design(spread: Estimate, alpha: float) -> Design:
    """Return the design whose standard error and degrees of freedom are those of the document.

    The design effect of clusters is in the standard error already.
    """
    n = spread.n_pairs
    sd = float(spread.figures["se"] or math.nan) * math.sqrt(n)
    return Design(sd=sd, cluster_size=n / spread.n_clusters, alpha=alpha, power=POWER)


def _size(n: int, step: int) -> int:
    return max(_FEWEST, round(n * math.pow(_REACH, step / _STEPS)))


def _point(design: Design, n: int, differences: tuple[float, ...]) -> PowerPoint:
    smallest = detectable(design, n)
    powers = tuple(power_at(design, n, each) for each in differences)
    return PowerPoint(n, None if smallest is None or smallest > 1 else smallest, powers)
