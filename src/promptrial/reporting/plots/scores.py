"""Scores by arm: how they are distributed, and how right answers are that were given at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.documents.significance import SIDES, Significance
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import rate
from promptrial.reporting.plots.canvas import Canvas, colour_of, nice_ceiling, ticks
from promptrial.reporting.plots.frame import WIDE, Frame, arms_key, dash_of, key_rows
from promptrial.reporting.tables.words import listing

__all__ = ["ArmPoint", "bin_text", "distribution_plot", "histogram", "selective_plot", "selective_points"]

_HEIGHT: Final = 260
_LEFT: Final = 52
_BOTTOM: Final = 44
_TOP: Final = 26
_BINS: Final = 20


@dataclass(frozen=True, slots=True)
class ArmPoint:
    """Of one arm: the share of items that it answers, and the share of these answers that are right."""

    arm: ArmName
    coverage: float
    accuracy: float


def histogram(scores: Sequence[float], low: float, high: float, bins: int = _BINS) -> list[float]:
    """Return the share of scores in each of equally wide bins; the highest score falls into the last.

    Examples
    --------
    >>> histogram([0.0, 0.4, 1.0, 1.0], 0.0, 1.0, bins=2)
    [0.5, 0.5]
    """
    counts = [0] * bins
    for score in scores:
        counts[min(bins - 1, max(0, int((score - low) / (high - low) * bins)))] += 1
    return [each / (len(scores) or 1) for each in counts]


def distribution_plot(
    label: str,
    shares: Mapping[ArmName, Sequence[float]],
    low: float,
    high: float,
    *,
    name: str = "distribution",
    width: float = WIDE,
) -> str:
    """Return the distribution of a score in each arm as steps, as SVG; ``shares`` are of ``histogram``."""
    key = 18 * key_rows(list(shares), width)
    canvas = Canvas(name, width, _HEIGHT + key, f"Distribution of {label}", _described(label, shares, low, high))
    frame = Frame(canvas, _LEFT, width - 12, _TOP + key, _HEIGHT + key - _BOTTOM)
    top = nice_ceiling(max((share for arm in shares.values() for share in arm), default=0.0))
    arms_key(canvas, list(shares))
    for at, found in enumerate(shares.values()):
        points, bins = [(frame.x(0), frame.y(0))], len(found) or 1
        for index, share in enumerate(found):
            points += [(frame.x((index + step) / bins), frame.y(share / top)) for step in (0, 1)]
        canvas.curve([*points, (frame.x(1), frame.y(0))], colour_of(at), dash=dash_of(at))
    frame.axes(_along(low, high), _up(top), (label, "share of items"))
    return canvas.svg()


def _described(label: str, shares: Mapping[ArmName, Sequence[float]], low: float, high: float) -> str:
    """Return in which bin most of the scores of each arm are, for people who do not see the plot."""
    fullest = {arm: max(range(len(found)), key=found.__getitem__) for arm, found in shares.items() if any(found)}
    said = [
        f"{bin_text(at, len(shares[arm]), low, high)} in the {arm} arm ({rate(shares[arm][at], 0)})"
        for arm, at in fullest.items()
    ]
    return f"Distribution of {label} by arm. {f'The most common scores: {listing(said)}.' if said else ''}".rstrip()


def bin_text(at: int, bins: int, low: float, high: float) -> str:
    """Return the ends of a bin.

    Examples
    --------
    >>> bin_text(0, 20, 0.0, 1.0), bin_text(3, 4, 0.0, 10.0)
    ('0 to 0.05', '7.5 to 10')
    """
    ends = (low + (high - low) * (at + step) / bins for step in (0, 1))
    return " to ".join(f"{end:,.4g}" for end in ends)


def selective_points(significance: Significance) -> list[ArmPoint]:
    """Return coverage and selective accuracy of each arm, over all items at the first temperature; empty without them.

    The control is that of the first contrast; arms without an answer are left out.
    """
    rows = [row for row in significance.selective if row.scope == "overall"]
    first = [row for row in rows if row.temp == rows[0].temp]
    found: dict[ArmName, dict[str, float]] = {}
    for row in first:
        if row.quantity in SIDES and row.estimate is not None:
            arm = row.compared.sides[SIDES.index(row.quantity)]
            found.setdefault(arm, {}).setdefault(row.metric, row.estimate)
    return [
        ArmPoint(arm, values["coverage"], values["selective_accuracy"])
        for arm, values in found.items()
        if len(values) == 2
    ]


def selective_plot(points: Sequence[ArmPoint], *, name: str = "selective", width: float = WIDE) -> str:
    """Return coverage against selective accuracy, one mark an arm, as SVG."""
    said = [
        f"{each.arm} answers {rate(each.coverage)} of the questions and gets {rate(each.accuracy)} of those right"
        for each in points
    ]
    canvas = Canvas(name, width, _HEIGHT, "Coverage and accuracy of the answers", f"{'; '.join(said)}.")
    frame = Frame(canvas, _LEFT, width - 12, _TOP, _HEIGHT - _BOTTOM)
    for at, each in enumerate(points):
        x, y = frame.x(each.coverage), frame.y(each.accuracy)
        canvas.circle(x, y, 7, colour_of(at), hollow=at == 0)
        is_right = each.coverage > 0.6
        canvas.text(x - 11 if is_right else x + 11, y + 4 + 14 * at, each.arm, size=12, bold=True,
                    anchor="end" if is_right else "start")  # fmt: skip
    frame.axes(_along(0.0, 1.0), _up(1.0), ("coverage: share of items answered", "accuracy of these answers"))
    return canvas.svg()


def _along(low: float, high: float) -> list[tuple[float, str]]:
    return [((tick - low) / (high - low), f"{tick:g}") for tick in ticks(low, high)]


def _up(top: float) -> list[tuple[float, str]]:
    return [(tick / top, f"{tick:.0%}") for tick in ticks(0.0, top)]
