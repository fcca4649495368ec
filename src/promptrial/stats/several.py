"""What concerns several arms of a trial at once: max-T over the contrasts with the control, and ranks of all arms.

Everything else in ``stats`` works on one contrast. Here all pairs of arms of every primary endpoint are flipped
together, so that what they share is known; see ``max_t`` and ``ranking``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from promptrial.documents.many_arms import PairOfArms, Ranking, RanksOfArm, Simultaneous
from promptrial.documents.significance import StatsSettings, number
from promptrial.model.arms import ArmName, Contrast, control_first
from promptrial.stats.adjusted_p_values import holm
from promptrial.stats.clusters import DECIMALS
from promptrial.stats.difference import DifferenceTest, agreeing_limits, decided_by_score, difference_test
from promptrial.stats.intervals import level_text
from promptrial.stats.max_t import JointFlips, MaxT, joint_flips, max_t
from promptrial.stats.pairing import FloatArray, PairedSample, Pairing
from promptrial.stats.ranking import directed_p, rank_sets
from promptrial.stats.score_table import ScoreTable

__all__ = ["Place", "SeveralArms", "several_arms"]

Place = tuple[Contrast, str, float]
"""A contrast, a measure and a temperature."""
Pairer = Callable[[str, float, Contrast], Pairing]
"""Lays a measure at a temperature out for two arms."""
_ROUNDING = 1 + 1e-12


@dataclass(frozen=True, slots=True)
class SeveralArms:
    """The rows on several arms; ``adjusted`` holds the p-values that decide on the primary tests of the contrasts."""

    simultaneous: tuple[Simultaneous, ...]
    rankings: tuple[Ranking, ...]
    adjusted: Mapping[Place, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Two arms on a primary endpoint, and the test that decides between them alone."""

    place: Place
    sample: PairedSample
    test: DifferenceTest


def several_arms(table: ScoreTable, settings: StatsSettings, pair: Pairer) -> SeveralArms | None:
    """Compare all arms of a trial on its primary endpoints; None where it has fewer than two contrasts.

    Notes
    -----
    An arm without any score is compared with nothing, and has no rank. More flips are drawn while a p-value that
    decides is within three Monte Carlo standard errors of its level.
    """
    if len(table.contrasts) < 2:
        return None
    compared = _compared(table, settings, pair)
    spread = np.array([decided_by_score(each.sample) for each in compared], dtype=np.bool_)
    flips = joint_flips(_rows(compared), spread, seed=settings.random_seed)
    while flips.can_grow:
        p = _decisive(table, compared, flips)
        if not (flips.close(p, settings.alpha) or flips.close(p, 1 - settings.confidence)):
            break
        flips = flips.grown()
    return _found(table, settings, compared, flips)


def _decisive(table: ScoreTable, compared: Sequence[_Compared], flips: JointFlips) -> FloatArray:
    """Return every p-value at which something is decided."""
    of_contrasts = _corrected(compared, flips, _contrasts(table, compared), 0.5).step_down
    of_pairs = [directed_p(flips, columns, _own_p(compared, columns)) for columns in _endpoints(compared)]
    return np.concatenate([of_contrasts, *of_pairs])


def _contrasts(table: ScoreTable, compared: Sequence[_Compared]) -> list[int]:
    """Return the columns of the contrasts with the control."""
    return [column for column, each in enumerate(compared) if each.place[0] in table.contrasts]


def _endpoints(compared: Sequence[_Compared]) -> list[list[int]]:
    """Return the columns of each endpoint: of all pairs of arms."""
    places = dict.fromkeys(each.place[1:] for each in compared)
    return [[column for column, each in enumerate(compared) if each.place[1:] == place] for place in places]


def _own_p(compared: Sequence[_Compared], columns: Sequence[int]) -> FloatArray:
    return np.array([compared[column].test.p for column in columns])


def _corrected(compared: Sequence[_Compared], flips: JointFlips, columns: Sequence[int], level: float) -> MaxT:
    return max_t(flips, columns, _own_p(compared, columns), level)


def _compared(table: ScoreTable, settings: StatsSettings, pair: Pairer) -> list[_Compared]:
    """Return every two arms on each primary endpoint that have a pair, and a p-value."""
    arms = [name for name in table.arm_names if table.rows_of(name).any()]
    pairs = [Contrast(later, earlier) for earlier, later in combinations(control_first(arms), 2)]
    found = []
    for temp in table.temps:
        for metric in (name for name in table.metrics if name in settings.primary):
            for contrast in pairs:
                sample = pair(metric, temp, contrast).sample()
                test = difference_test(sample, settings) if sample.n_pairs else None
                if test is not None and not math.isnan(test.p):
                    found.append(_Compared((contrast, metric, temp), sample, test))
    return found


def _rows(compared: Sequence[_Compared]) -> FloatArray:
    """Return the sums of the differences by cluster, in one column for each two arms."""
    clusters = max((int(each.sample.cluster.max()) for each in compared), default=-1) + 1
    rows = np.zeros((clusters, len(compared)))
    for column, each in enumerate(compared):
        sums = np.bincount(each.sample.cluster, weights=each.sample.difference, minlength=clusters)
        rows[:, column] = np.round(sums, DECIMALS)
    return rows


def _found(table: ScoreTable, settings: StatsSettings, compared: Sequence[_Compared], flips: JointFlips) -> SeveralArms:
    columns = _contrasts(table, compared)
    corrected = _corrected(compared, flips, columns, 1 - settings.confidence)
    contrasts = [compared[column] for column in columns]
    return SeveralArms(
        tuple(_simultaneous(settings, contrasts, flips, corrected)),
        tuple(_ranking(table, settings, compared, flips, each) for each in _endpoints(compared)),
        {each.place: float(p) for each, p in zip(contrasts, corrected.step_down, strict=True)},
    )


def _simultaneous(
    settings: StatsSettings, compared: Sequence[_Compared], flips: JointFlips, corrected: MaxT
) -> list[Simultaneous]:
    by_holm = holm([each.test.p for each in compared])
    rows = []
    for at, each in enumerate(compared):
        (contrast, metric, temp), level = each.place, float(corrected.levels[at])
        interval = _interval(settings, each, level, float(corrected.single_step[at]), len(compared))
        stepped = float(corrected.step_down[at])
        rows.append(
            Simultaneous(
                contrast=str(contrast),
                metric=metric,
                temp=temp,
                difference=number(each.test.estimate),
                ci_low=interval.low,
                ci_high=interval.high,
                confidence=settings.confidence,
                ci_method=interval.method,
                level=level if interval.method is not None else None,
                p=each.test.p,
                p_single_step=float(corrected.single_step[at]),
                p_step_down=stepped,
                p_holm=float(by_holm[at]),
                monte_carlo_se=flips.standard_error(stepped),
                reason=interval.reason,
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class _Interval:
    low: float | None
    high: float | None
    method: str | None
    reason: str | None


def _interval(settings: StatsSettings, each: _Compared, level: float, p_single_step: float, count: int) -> _Interval:
    """Return the interval that holds together with those of the other comparisons, and agrees with their test."""
    if level <= 0:
        units = "clusters" if each.sample.totals.clustered else "pairs"
        return _Interval(
            None,
            None,
            None,
            f"not estimable with {each.sample.n_clusters} {units}: too few for {count} intervals that hold together at "
            f"{level_text(settings.confidence)}",
        )
    test = difference_test(each.sample, replace(settings, confidence=1 - level))
    if test.ci_method is None:
        return _Interval(None, None, None, test.reason)
    rejects = p_single_step <= (1 - settings.confidence) * _ROUNDING
    limits = agreeing_limits((test.low, test.high), test.estimate, rejects=rejects)
    widest = each.sample.largest_difference
    low, high = (number(min(max(limit, -widest), widest)) for limit in limits)
    return _Interval(low, high, test.ci_method, None)


def _ranking(
    table: ScoreTable, settings: StatsSettings, every: Sequence[_Compared], flips: JointFlips, columns: Sequence[int]
) -> Ranking:
    """Return the ranking of the arms on the endpoint whose pairs are in these columns."""
    compared = [every[column] for column in columns]
    _, metric, temp = compared[0].place
    adjusted = directed_p(flips, columns, _own_p(every, columns))
    corrected = _corrected(every, flips, columns, 1 - settings.confidence)
    pairs = []
    for at, each in enumerate(compared):
        p_single_step, level = float(corrected.single_step[at]), float(corrected.levels[at])
        interval = _interval(settings, each, level, p_single_step, len(compared))
        pairs.append(_pair(settings, each, interval, float(adjusted[at])))
    named = {side for each in compared for side in each.place[0]}
    arms = [name for name in control_first(table.arm_names) if name in named]
    better = np.zeros((len(arms), len(arms)), dtype=np.bool_)
    for pair in pairs:
        if pair.ahead is not None:
            behind = pair.second if pair.ahead == pair.first else pair.first
            better[arms.index(pair.ahead), arms.index(behind)] = True
    sets = rank_sets(better)
    means = _means(compared)
    return Ranking(
        metric=metric,
        temp=temp,
        confidence=settings.confidence,
        arms=tuple(
            RanksOfArm(arm=name, mean=means[name], lowest=int(sets.lowest[at]), highest=int(sets.highest[at]))
            for at, name in enumerate(arms)
        ),
        best=tuple(arms[place] for place in sets.best),
        pairs=tuple(pairs),
        flips=flips.flips,
        enumerated=flips.enumerated,
    )


def _pair(settings: StatsSettings, each: _Compared, interval: _Interval, p_adjusted: float) -> PairOfArms:
    shown = p_adjusted <= (1 - settings.confidence) * _ROUNDING and each.test.estimate != 0
    towards = -1.0 if settings.wanted.get(each.place[1]) == "lower" else 1.0
    subtracted, first = each.place[0].sides
    return PairOfArms(
        first=first,
        second=subtracted,
        n_pairs=each.sample.n_pairs,
        n_clusters=each.sample.n_clusters,
        difference=number(each.test.estimate),
        ci_low=interval.low,
        ci_high=interval.high,
        ci_method=interval.method,
        p=each.test.p,
        p_adjusted=p_adjusted,
        ahead=(first if each.test.estimate * towards > 0 else subtracted) if shown else None,
        reason=interval.reason,
    )


def _means(compared: Sequence[_Compared]) -> dict[ArmName, float | None]:
    means: dict[ArmName, float | None] = {}
    for each in compared:
        for name, scores in zip(each.place[0].sides, each.sample.whole_arms, strict=True):
            means[name] = float(scores.score.mean()) if len(scores.score) else None
    return means
