"""What is computed where it was declared alone: the trend along ordered arms, and effects over several data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import UNSET

from promptrial.documents.many_arms import PooledEffect, Trend
from promptrial.documents.significance import StatsSettings, number
from promptrial.model.arms import ArmName, Contrast
from promptrial.stats.adjusted_p_values import holm
from promptrial.stats.cr2 import cr2
from promptrial.stats.effective import density
from promptrial.stats.fewest import clusters_needed, counted_clusters
from promptrial.stats.paired import without_variation_of
from promptrial.stats.pairing import PairedSample, Pairing
from promptrial.stats.pooling import pool
from promptrial.stats.score_table import BoolArray, FloatArray, IntArray, ScoreTable
from promptrial.stats.sign_flips import FEWEST_FLIPS
from promptrial.stats.trend import item_slopes, trend_test

__all__ = ["pooled_effects", "trends"]

Pairer = Callable[[str, float, Contrast], Pairing]


_FIXED_SIZE: Final = "a stopping rule looked at this endpoint, and this test assumes a sample size fixed in advance"


def trends(
    table: ScoreTable, settings: StatsSettings, order: Sequence[ArmName], pair: Pairer, looked_at: str | None = None
) -> tuple[Trend, ...]:
    """Test the trend along arms in a declared order on each primary endpoint; none where the trial lacks an arm.

    The endpoint that a stopping rule has ``looked_at`` has a row that says why there is no test.
    """
    if not order or any(name not in table.arm_names for name in order):
        return ()
    rows = [
        _trend(settings, order, [pair(metric, temp, Contrast(name, order[0])) for name in order[1:]], looked_at)
        for temp in table.temps
        for metric in table.metrics
        if metric in settings.primary
    ]
    adjusted = holm([math.nan if row.p is None else row.p for row in rows])
    return tuple(
        row
        if row.p is None
        else msgspec.structs.replace(row, p_adjusted=float(p), significant=bool(p <= settings.alpha))
        for row, p in zip(rows, adjusted, strict=True)
    )


def _trend(
    settings: StatsSettings, order: Sequence[ArmName], pairings: Sequence[Pairing], looked_at: str | None
) -> Trend:
    first = pairings[0]
    scores = np.column_stack([first.arms[0].score, *(each.arms[1].score for each in pairings)])
    kept = np.flatnonzero(~np.isnan(scores).any(axis=1))
    row = Trend(
        metric=first.metric,
        temp=first.temp,
        arms=tuple(order),
        n_items=len(kept),
        n_clusters=len(np.unique(first.cluster[kept])),
        slope=None,
        ci_low=None,
        ci_high=None,
        confidence=settings.confidence,
        p=None,
        p_adjusted=None,
        significant=None,
        reason=_FIXED_SIZE if first.metric == looked_at else "no item has a score in every arm of the order",
    )
    if not len(kept) or first.metric == looked_at:
        return row
    test = trend_test(
        scores[kept],
        first.cluster[kept],
        confidence=settings.confidence,
        alpha=settings.alpha,
        draws=max(settings.permutation_samples, FEWEST_FLIPS),
        seed=settings.random_seed,
    )
    return msgspec.structs.replace(
        row,
        slope=number(test.estimate),
        ci_low=number(test.low),
        ci_high=number(test.high),
        p=number(test.p),
        reason=test.reason,
        cautions=tuple(_sparse(item_slopes(scores[kept]), first, kept, "scores change")) or UNSET,
    )


def pooled_effects(
    table: ScoreTable, settings: StatsSettings, pair: Pairer, looked_at: str | None = None
) -> tuple[PooledEffect, ...]:
    """Put the effects in several data sets together, on each primary endpoint; none where there is one data set.

    The endpoint that a stopping rule has ``looked_at`` has a row that says why there is no effect.
    """
    datasets = table.of_items(table.dataset)
    present = [code for code in range(len(table.dataset_names)) if (datasets == code).any()]
    if len(present) < 2:
        return ()
    codes = {table.dataset_names[code]: code for code in present}
    return tuple(
        _pooled(settings, pairing, {name: datasets == codes[name] for name in sorted(codes)}, looked_at)
        for contrast in table.contrasts
        for temp in table.temps
        for metric in table.metrics
        if metric in settings.primary
        for pairing in (pair(metric, temp, contrast),)
    )


def _pooled(
    settings: StatsSettings, pairing: Pairing, subsets: Mapping[str, BoolArray], looked_at: str | None
) -> PooledEffect:
    samples = {name: pairing.sample("dataset", name, chosen) for name, chosen in subsets.items()}
    kept = {name: sample for name, sample in samples.items() if sample.n_pairs}
    row = PooledEffect(
        contrast=pairing.label,
        metric=pairing.metric,
        temp=pairing.temp,
        datasets=tuple(kept),
        left_out=tuple(name for name in samples if name not in kept),
        confidence=settings.confidence,
        reason=_FIXED_SIZE if pairing.metric == looked_at else _why_not_pooled(kept, settings),
    )
    if row.reason is not None:
        return row
    each = [cr2(sample.difference, sample.cluster) for sample in kept.values()]
    found = pool([one.mean for one in each], [one.se**2 for one in each], [one.df for one in each], settings.confidence)
    widest = max(sample.largest_difference for sample in kept.values())
    return msgspec.structs.replace(
        row,
        method=found.method,
        difference=found.estimate,
        ci_low=max(found.low, -widest),
        ci_high=min(found.high, widest),
        se=found.se,
        df=found.df,
        p=found.p,
        q=found.q,
        q_p=found.q_p,
        i2=found.i2,
        tau2=found.tau2,
        cautions=tuple(
            f"{name}: {said}"
            for name, sample in kept.items()
            for said in _sparse(sample.difference, pairing, sample.items, "pairs differ")
        )
        or UNSET,
    )


def _sparse(values: FloatArray, pairing: Pairing, items: IntArray, what: str) -> Iterator[str]:
    """Yield that an interval leans on few clusters: those that change nothing say nothing about its width."""
    found = density(values, pairing.cluster[items])
    if not found.many:
        units = "clusters" if pairing.is_clustered(pairing.applicable) else "items"
        differ = found.said(units).replace("pairs differ", what)
        yield f"{differ} ({found.ways()}): the interval may be too narrow"


def _why_not_pooled(samples: Mapping[str, PairedSample], settings: StatsSettings) -> str | None:
    """Return why there is no effect over data sets that have pairs: without one of them it would be that of others."""
    if len(samples) < 2:
        return "fewer than two data sets have a pair"
    reasons = [reason for name, sample in samples.items() if (reason := _lacks(name, sample, settings)) is not None]
    return "; ".join(reasons) or None


def _lacks(name: str, sample: PairedSample, settings: StatsSettings) -> str | None:
    """Return what a data set lacks for a weight."""
    needed = clusters_needed(settings.alpha)
    if sample.n_clusters < needed:
        counted = counted_clusters(sample.n_clusters, clustered=sample.clustered)
        return f"{name} has {counted}; at level {settings.alpha:g} it needs {needed}"
    return f"the effect in {name} does not vary" if without_variation_of(sample.totals) else None
