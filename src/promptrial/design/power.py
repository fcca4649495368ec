"""What a planned run can show: by endpoint the smallest difference that it finds, and the items that others need. Pure.

An endpoint is as it is known before any result: binary by its scorer's declared range, clustered by the planned items.
What is assumed of the scores is stated, or estimated from those that the run has: how much they differ between the
arms, and never in which direction or by how much on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from promptrial.design.spread import Estimated
from promptrial.documents.scorers import Scale
from promptrial.documents.usual import DIFFERENCES, POWER, WITHIN, independent_discordance
from promptrial.stats.fewest import MARGIN_SLOPE, clusters_needed, unchanged_clusters, unchanged_pairs
from promptrial.stats.planning import Design, detectable, questions_needed

__all__ = [
    "POWERS",
    "Assumed",
    "PlannedEndpoint",
    "PlannedScores",
    "PowerRow",
    "assumptions_of",
    "designs_of",
    "margin_problem",
    "power_rows",
]

POWERS: Final = (POWER, 0.9)
"""How probable it is to be that the smallest difference is found; items are counted at the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is assumed of scores without a look at any: shares of their range.

    Attributes
    ----------
    discordance : float
        Right or wrong: the share of items that one arm alone answers rightly, in (0, 1].
    baseline : float, optional
        The share that the control answers rightly; without ``discordance`` the arms count as independent.
    sd : float
        Scores on a scale: the standard deviation of an item's difference.
    icc : tuple of float
        Intraclass correlations of the differences of a passage; each is a row.
    within : float
        The share of the variance that is between replicates of an item, above temperature 0.
    """

    discordance: float = 0.2
    baseline: float | None = None
    sd: float = 0.4
    icc: tuple[float, ...] = (0.05, 0.2)
    within: float = WITHIN


def assumptions_of(discordance: float | None, baseline: float | None, sd: float | None, icc: float | None) -> Assumed:
    """Return what is assumed where some of it is given.

    Examples
    --------
    >>> round(assumptions_of(None, 0.9, None, None).discordance, 2)  # as if the arms were independent
    0.18
    """
    usual = Assumed()
    if discordance is None:
        discordance = usual.discordance if baseline is None else independent_discordance(baseline)
    return Assumed(
        discordance=discordance,
        baseline=baseline,
        sd=usual.sd if sd is None else sd,
        icc=usual.icc if icc is None else (icc,),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedScores:
    """The scores of one measure that are planned: their scale, and the items of each passage that it applies to.

    ``scale`` is None where only the scorer's code says it, which a plan does not run.
    """

    metric: str
    scale: Scale | None
    sizes: tuple[int, ...]
    score_range: tuple[float, float] = (0.0, 1.0)

    @property
    def items(self) -> int:
        """How many items it applies to."""
        return sum(self.sizes)

    @property
    def clustered(self) -> bool:
        """Whether any two of them share a passage."""
        return max(self.sizes, default=0) > 1

    @property
    def mean_size(self) -> float:
        """Items of a passage, on average over passages."""
        return self.items / len(self.sizes)

    @property
    def shared_by(self) -> float:
        """Items of the passage of an average item."""
        return sum(size**2 for size in self.sizes) / self.items

    @property
    def width(self) -> float:
        """How far scores can differ."""
        return self.score_range[1] - self.score_range[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEndpoint:
    """A primary endpoint: scores at a temperature in a contrast of a trial, with so many answers to an item."""

    trial: str
    contrast: str
    scores: PlannedScores
    temp: float
    replicates: int = 1
    estimated: Estimated | None = None

    @property
    def binary(self) -> bool:
        """Whether an item's score is 0 or 1, as ``stats.pairing`` decides it."""
        return self.scores.scale == "binary" and self.scores.score_range == (0.0, 1.0) and self.replicates == 1

    @property
    def is_exact(self) -> bool:
        """Whether the score test decides, as ``stats.difference`` has it: binary, and no passage is shared."""
        return self.binary and not self.scores.clustered


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerRow:
    """What an endpoint can show under one set of assumptions.

    ``smallest`` are differences by ``POWERS``, ``needed`` items by ``DIFFERENCES``: shares of the range of the scores,
    and None where the assumptions allow none so large. ``reason`` is set where nothing can be said at all.
    """

    endpoint: PlannedEndpoint
    tests: int
    alpha: float
    assumed: Assumed
    design: Design | None = None
    smallest: tuple[float | None, ...] = ()
    needed: tuple[int | None, ...] = ()
    clusters_needed: int | None = None
    reason: str = ""


def family_size(endpoints: Sequence[PlannedEndpoint]) -> int:
    """Return how many tests are corrected together in the family of primary endpoints of one trial.

    An endpoint that applies to no item has no p-value, and does not count.
    """
    return sum(endpoint.scores.items > 0 for endpoint in endpoints)


def power_rows(endpoints: Sequence[PlannedEndpoint], alpha: float, assumed: Assumed) -> tuple[PowerRow, ...]:
    """Return what the endpoints of one trial can show.

    Parameters
    ----------
    endpoints : sequence of PlannedEndpoint
        All primary ones of the trial: Holm's method corrects their p-values together. The smallest has to reach
        ``alpha / k``, which is the level of each row: a difference in one endpoint alone is found at that.
    alpha : float
        The level of the family.
    assumed : Assumed
        Used where nothing is estimated.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics
    6:65-70.
    """
    tests = family_size(endpoints)
    return tuple(row for endpoint in endpoints for row in _rows(endpoint, tests, alpha / max(tests, 1), assumed))


def _rows(endpoint: PlannedEndpoint, tests: int, alpha: float, assumed: Assumed) -> list[PowerRow]:
    row = PowerRow(endpoint=endpoint, tests=tests, alpha=alpha, assumed=assumed)
    scores, needed = endpoint.scores, clusters_needed(alpha)
    if scores.scale is None:
        return [replace(row, reason="its scale is known once its code has run")]
    if scores.items == 0:
        return [replace(row, reason="it applies to no item")]
    if not endpoint.is_exact and len(scores.sizes) < needed:
        units = "passages" if scores.clustered else "items"
        why = f"no p reaches {alpha:.3g} with {len(scores.sizes)} {units}: needs {needed}"
        return [replace(row, clusters_needed=needed, reason=why)]
    return [_computed(row, design) for design in designs_of(endpoint, alpha, assumed)]


def _computed(row: PowerRow, design: Design) -> PowerRow:
    found = row.endpoint.estimated
    smallest, needed = _figures(design, row.endpoint.scores.items, 1.0 if found is None else found.answered)
    return replace(row, design=design, smallest=smallest, needed=needed)


@lru_cache(maxsize=256)
def _figures(design: Design, items: int, answered: float) -> tuple[tuple[float | None, ...], tuple[int | None, ...]]:
    """Return what so many items show, of which a share has an answer in both arms, and how many others need."""
    pairs = max(2, round(items * answered))
    smallest = tuple(detectable(replace(design, power=power), pairs) for power in POWERS)
    needed = (questions_needed(design, difference) for difference in DIFFERENCES)
    return (
        tuple(None if each is None or each > 1 else each for each in smallest),
        tuple(None if n is None else math.ceil(n / answered) for n in needed),
    )


def designs_of(endpoint: PlannedEndpoint, alpha: float, assumed: Assumed) -> list[Design]:
    """Return the designs of an endpoint with items, one for each intraclass correlation that is assumed."""
    found, scores = endpoint.estimated, endpoint.scores
    spread = _stated_spread(endpoint, assumed) if found is None else _estimated_spread(endpoint, found)
    spread = replace(spread, alpha=alpha, power=POWERS[0])
    if not scores.clustered:
        return [spread]
    correlations = assumed.icc if found is None or found.icc is None else (found.icc,)
    return [replace(spread, cluster_size=scores.mean_size, shared_by=scores.shared_by, icc=icc) for icc in correlations]


def _estimated_spread(endpoint: PlannedEndpoint, found: Estimated) -> Design:
    """Return a design with the spread of existing scores, which already includes the replicates of an item."""
    if endpoint.binary:
        return Design(discordance=found.discordance)
    return Design(sd=found.sd)


def _stated_spread(endpoint: PlannedEndpoint, assumed: Assumed) -> Design:
    if endpoint.binary:
        return Design(discordance=assumed.discordance, baseline=assumed.baseline)
    sd = math.sqrt(assumed.discordance) if endpoint.scores.scale == "binary" else assumed.sd
    return Design(sd=sd, replicates=endpoint.replicates, within=assumed.within if endpoint.temp > 0 else 0.0)


def margin_problem(endpoint: PlannedEndpoint, margin: float, alpha: float) -> str | None:
    """Return why a margin can never be shown by so many items, even if no answer changes; None if it can.

    Parameters
    ----------
    endpoint : PlannedEndpoint
    margin : float
        On the scale of the scores, above 0.
    alpha : float
        One-sided level, after the correction for other margins.
    """
    scores = endpoint.scores
    if scores.scale is None or scores.items == 0 or margin >= scores.width:
        return None
    if endpoint.is_exact:
        needed = unchanged_pairs(margin, alpha)
        short = scores.items < needed
        return f"even if no answer changes: {needed:,} are needed" if short else None
    floor = 1 + MARGIN_SLOPE * (scores.shared_by - 1)
    needed = unchanged_clusters(scores.mean_size, floor, margin / scores.width, alpha)
    if len(scores.sizes) >= needed:
        return None
    passages = f" in {needed:,} passages like these" if scores.clustered else ""
    return f"even if no answer changes: {math.ceil(needed * scores.mean_size):,} are needed{passages}"
