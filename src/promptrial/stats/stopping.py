"""One look at an endpoint while the trial runs: what is known then, and whether that is enough to stop. Pure.

The interval of a look is the one that is valid under the rule, whenever the trial stops:

* ``evalue``: the confidence sequence of the bets. p is ``1 / E``, at most 1, and is compared with alpha at every look.
* ``obrien_fleming``, ``pocock``: the repeated confidence interval. The test that decides on the endpoint anyway is made
  at the level that the bound of this look stands for, and its inversion is the interval.

So a look has crossed its bound exactly when its interval leaves out 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from promptrial.documents.significance import StatsSettings
from promptrial.stats.alpha_spending import SpendingRule, bounds, fractions_of, nominal_levels
from promptrial.stats.difference import agreeing_limits, difference_test
from promptrial.stats.e_process import EProcess
from promptrial.stats.pairing import PairedSample
from promptrial.stats.statistic import floor_p_value

__all__ = ["EndpointLook", "LookPlan", "LookRule", "StopReason"]

LookRule = Literal["evalue", "obrien_fleming", "pocock"]
StopReason = Literal["efficacy", "futility"]
_SPENDING: Final[dict[LookRule, SpendingRule]] = {"obrien_fleming": "obrien_fleming", "pocock": "pocock"}


@dataclass(frozen=True, slots=True)
class EndpointLook:
    """What a look at an endpoint says.

    Attributes
    ----------
    estimate : float
        The mean difference over the pairs seen; NaN without any.
    low, high : float
        The interval that is valid under the rule; the whole range of differences where nothing can be said yet.
    p, level : float
        The bound is crossed if p is at most ``level``. Both in (0, 1].
    n_pairs, n_clusters : int
        How many were seen.
    """

    estimate: float
    low: float
    high: float
    p: float
    level: float
    n_pairs: int
    n_clusters: int

    @property
    def crossed(self) -> bool:
        """Whether a difference is shown, so that 0 lies outside the interval."""
        return self.p <= self.level


@dataclass(frozen=True, slots=True)
class LookPlan:
    """How an endpoint is looked at, fixed before any answer is seen.

    Parameters
    ----------
    rule : str
    units : tuple of int
        How many independent clusters each wave has, as planned; each above 0.
    largest : int
        The most items of one cluster, as planned.
    alpha : float
        Two-sided level of all looks at this endpoint together, in (0, 1).
    efficacy : bool
        Whether the trial may stop because a difference is shown.
    futility : float, optional
        A margin above 0: the trial may stop once the interval of the look lies strictly between ``-futility`` and
        ``futility``, so that no difference as large as that is left. Nobody has to stop then: the bounds are those of
        a trial that never stops for futility, so its error rate holds either way.
    """

    rule: LookRule
    units: tuple[int, ...]
    largest: int
    alpha: float = 0.05
    efficacy: bool = True
    futility: float | None = None

    def levels(self) -> tuple[float, ...]:
        """Return what p is compared with at each look."""
        return _levels(self.rule, self.units, self.alpha)

    def look(self, sample: PairedSample, number: int, settings: StatsSettings) -> EndpointLook:
        """Return what the pairs of the first waves say.

        Parameters
        ----------
        sample : PairedSample
            The pairs of waves 0 to ``number``.
        number : int
            Of the look, from 0.
        settings : StatsSettings
            How sign flips are drawn; the level is that of the look.
        """
        level, widest = self.levels()[number], sample.largest_difference
        if not sample.n_pairs:
            return EndpointLook(math.nan, -widest, widest, 1.0, level, 0, 0)
        found = self._bet(sample, level) if self.rule == "evalue" else _tested(sample, level, settings)
        low, high, p = found
        return EndpointLook(sample.totals.mean, low, high, p, level, sample.n_pairs, sample.n_clusters)

    def reason_to_stop(self, look: EndpointLook) -> StopReason | None:
        """Return why the trial may stop after a look; None if it may not."""
        if self.efficacy and look.crossed:
            return "efficacy"
        if self.futility is not None and -self.futility < look.low and look.high < self.futility:
            return "futility"
        return None

    def _bet(self, sample: PairedSample, level: float) -> tuple[float, float, float]:
        process = EProcess(sample.totals, sample.largest_difference, self.largest)
        return *process.limits(level), floor_p_value(math.exp(min(0.0, -process.log_e())))


@functools.lru_cache(maxsize=64)
def _levels(rule: LookRule, units: tuple[int, ...], alpha: float) -> tuple[float, ...]:
    if rule == "evalue":
        return (alpha,) * len(units)
    return tuple(nominal_levels(bounds(_SPENDING[rule], fractions_of(units), alpha)).tolist())


def _tested(sample: PairedSample, level: float, settings: StatsSettings) -> tuple[float, float, float]:
    """Return the interval and the p-value of the test that decides on the endpoint, at a level."""
    widest = sample.largest_difference
    test = difference_test(sample, replace(settings, alpha=level, confidence=1 - level))
    p = 1.0 if math.isnan(test.p) else test.p
    if math.isnan(test.low) or math.isnan(test.high):
        return *agreeing_limits((-widest, widest), test.estimate, rejects=p <= level), p
    return max(test.low, -widest), min(test.high, widest), p


def stops_early(looks: Sequence[Mapping[tuple[str, float], StopReason | None]]) -> bool:
    """Whether a trial with several endpoints stops after the last of its looks: once each of them has a reason to.

    ``looks`` has the reason of each endpoint at each look, the oldest first. What a look has shown stays shown, as it
    does in the endpoint's p-value; a difference that could be ruled out at an earlier look has to be at the last.
    """
    *earlier, last = looks
    shown = {endpoint for look in earlier for endpoint, reason in look.items() if reason == "efficacy"}
    return bool(last) and all(endpoint in shown or reason is not None for endpoint, reason in last.items())
