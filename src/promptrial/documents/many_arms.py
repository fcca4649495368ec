"""What ``significance.json`` holds on several arms at once: typed rows. Nothing is computed here.

They are there where a trial has two or more treatments, or where an order of arms or an effect over several data sets
was declared; documents without them have none of these fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.model.arms import DEFAULT_CONTRAST, ArmName, Contrast

__all__ = [
    "ComparedRow",
    "ContrastName",
    "PairOfArms",
    "PooledEffect",
    "Ranking",
    "RanksOfArm",
    "Simultaneous",
    "Trend",
]

ContrastName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,31} vs [a-z][a-z0-9_]{0,31}$")]


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of one contrast: ``short vs control``. It is not named where the only one is ``treatment vs control``."""

    contrast: ContrastName | UnsetType = UNSET

    @property
    def compared(self) -> Contrast:
        """The arms that the row compares."""
        if self.contrast is UNSET:
            return DEFAULT_CONTRAST
        second, _, first = self.contrast.partition(" vs ")
        return Contrast(second, first)


class Simultaneous(ComparedRow, frozen=True, kw_only=True):
    """A primary endpoint of one contrast, corrected by max-T over all primary endpoints of all contrasts.

    The intervals of all these rows hold together, with ``confidence``: 0 lies in one exactly when ``p_single_step`` is
    above ``1 - confidence``. ``level`` is that of the interval alone. ``p_step_down`` decides; ``p_holm`` is given with
    it. ``monte_carlo_se`` is the standard error of ``p_step_down``, 0 where all flips were looked at. ``reason`` is
    set where there is no interval.
    """

    metric: str
    temp: float
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    ci_method: str | None
    level: float | None
    p: float | None
    p_single_step: float | None
    p_step_down: float | None
    p_holm: float | None
    monte_carlo_se: float | None
    reason: str | None


class PairOfArms(msgspec.Struct, frozen=True, kw_only=True):
    """Two arms of a ranking: the effect of the first less that of the second.

    The intervals of all pairs of a ranking hold together. ``p_adjusted`` is corrected over both directions of all
    pairs, by step-down max-T. ``ahead`` is the arm that is shown to be ahead of the other one, towards rank 1; it is
    null where ``p_adjusted`` is above ``1 - confidence``.
    """

    first: ArmName
    second: ArmName
    n_pairs: int
    n_clusters: int
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    p: float | None
    p_adjusted: float | None
    ahead: ArmName | None
    reason: str | None


class RanksOfArm(msgspec.Struct, frozen=True, kw_only=True):
    """The ranks that an arm may have, 1 being the best: from ``lowest`` to ``highest``; and its mean score."""

    arm: ArmName
    mean: float | None
    lowest: int
    highest: int


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """The arms by one primary measure at one temperature, as far as all pairs tell them apart.

    The sets of ranks hold together, with ``confidence``. Rank 1 is the highest mean, or the lowest where lower is
    better. ``best`` are the arms that may have rank 1. ``flips`` is how many joint sign flips were looked at.
    """

    metric: str
    temp: float
    confidence: float
    arms: tuple[RanksOfArm, ...]
    best: tuple[ArmName, ...]
    pairs: tuple[PairOfArms, ...]
    flips: int
    enumerated: bool


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a primary measure rises or falls along arms in a declared order.

    ``slope`` is the score from one arm to the next, over the items that were scored in all of them; the interval is
    the inversion of the test. ``p_adjusted`` is Holm's, over the trends of the trial. ``cautions`` say what makes the
    interval approximate.
    """

    metric: str
    temp: float
    arms: tuple[ArmName, ...]
    n_items: int
    n_clusters: int
    slope: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    p: float | None
    p_adjusted: float | None
    significant: bool | None
    reason: str | None
    cautions: tuple[str, ...] | UnsetType = UNSET


class PooledEffect(ComparedRow, frozen=True, kw_only=True):
    """The effect on a primary measure over several data sets, weighted by inverse variance.

    ``method`` is ``inverse_variance``, or ``hartung_knapp`` from five data sets on. ``left_out`` names data sets
    without a pair. ``q``, ``q_p`` and ``i2`` say how much the effects differ between data sets; ``tau2`` is their
    variance, on the scale of squared scores. The rest is null where ``reason`` says why there is no such effect: one of
    ``datasets`` has too few clusters, or an effect that does not vary. ``cautions`` say what makes the interval
    approximate.
    """

    metric: str
    temp: float
    datasets: tuple[str, ...]
    left_out: tuple[str, ...]
    confidence: float
    method: Literal["inverse_variance", "hartung_knapp"] | None = None
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    se: float | None = None
    df: float | None = None
    p: float | None = None
    q: float | None = None
    q_p: float | None = None
    i2: float | None = None
    tau2: float | None = None
    reason: str | None = None
    cautions: tuple[str, ...] | UnsetType = UNSET
