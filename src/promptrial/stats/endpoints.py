"""One endpoint as a reader meets it: its pairs, its arms, its effect, and the p-value that decides on it.

The designated p-value is chosen by planned scale and clustering, before any result is seen:

* binary, no two planned items in one cluster: the score test;
* anything else: sign flips of clusters (of items, where each is its own cluster), whose row also holds the larger p of
  flips and score test where 0/1 scores in clusters are sparse.

The interval beside it is the inversion of that test, or the hull of both; ``difference`` decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from promptrial.documents.significance import (
    ArmMean,
    Endpoint,
    Estimate,
    HypothesisTest,
    StatsSettings,
    number,
)
from promptrial.stats.attrition import missing_bounds
from promptrial.stats.cautions import cautions, largest_cluster
from promptrial.stats.difference import decided_by_score, difference_test
from promptrial.stats.intervals import wilson
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import ArmScores, PairedSample

__all__ = ["decide", "describe", "designated_method", "designated_row"]


def designated_method(sample: PairedSample) -> str:
    """Return the name of the statistic whose p-value decides on this endpoint."""
    return "score" if decided_by_score(sample) else "permutation"


def designated_row(sample: PairedSample, rows: Sequence[Estimate]) -> Estimate:
    """Return the row that holds the designated p-value."""
    method = designated_method(sample)
    return next(row for row in rows if row.method == method)


def describe(sample: PairedSample, rows: Sequence[Estimate], settings: StatsSettings) -> Endpoint:
    """Return the endpoint, not yet decided on; ``rows`` are its estimates, none when there is no pair."""
    counts, method = sample.counts, designated_method(sample)
    test = difference_test(sample, settings) if rows else None
    largest, share = largest_cluster(sample)
    means = [
        _arm_mean(sample, scores, float(arm.score.mean()) if arm.score.size else None, settings.confidence)
        for scores, arm in zip(sample.whole_arms, sample.arms, strict=True)
    ]
    return Endpoint(
        contrast=sample.label,
        metric=sample.metric,
        temp=sample.temp,
        scope=sample.scope,
        subset=sample.subset,
        scale="binary" if sample.binary else "graded",
        n_items=counts.items,
        n_pairs=counts.paired,
        n_control_only=counts.one_side_only[0],
        n_treatment_only=counts.one_side_only[1],
        n_lost=counts.lost,
        n_not_applicable=counts.not_applicable,
        n_clusters=sample.n_clusters,
        clustered=sample.clustered,
        control=means[0],
        treatment=means[1],
        difference=number(sample.totals.mean),
        ci_low=number(test.low) if test else None,
        ci_high=number(test.high) if test else None,
        ci_method=test.ci_method if test else None,
        p=number(test.p) if test else None,
        p_method=method if test and number(test.p) is not None else None,
        family=None,
        p_adjusted=None,
        significant=None,
        bounds=missing_bounds(sample),
        reason=test.reason if test else _no_pair(sample),
        cautions=tuple(cautions(sample, test, settings)) if test else (),
        clusters_needed=test.clusters_needed if test else None,
        largest_cluster=largest,
        largest_cluster_share=share,
        not_shown=test is not None and test.not_shown(settings.alpha),
        monte_carlo_se=test.standard_error if test and number(test.p) is not None else None,
    )


def decide(endpoints: Sequence[Endpoint], tests: Sequence[HypothesisTest]) -> tuple[Endpoint, ...]:
    """Return the endpoints with the outcome of their tests of a difference."""
    outcome = {_place(test): test for test in tests if test.hypothesis == "difference"}
    return tuple(_decided(endpoint, outcome.get(_place(endpoint))) for endpoint in endpoints)


def _place(row: Endpoint | HypothesisTest) -> tuple[object, ...]:
    return row.contrast, row.metric, row.temp, row.scope, row.subset


def _decided(endpoint: Endpoint, test: HypothesisTest | None) -> Endpoint:
    if test is None:
        return endpoint
    return msgspec.structs.replace(endpoint, family=test.family, p_adjusted=test.p_adjusted, significant=test.rejected)


def _arm_mean(sample: PairedSample, scores: ArmScores, mean_paired: float | None, confidence: float) -> ArmMean:
    n = len(scores.score)
    interval, method = (
        _arm_interval(
            scores,
            binary=sample.binary,
            clustered=sample.clustered,
            confidence=confidence,
            score_range=sample.score_range,
        )
        if n
        else ((None, None), None)
    )
    return ArmMean(
        n_scored=n,
        mean=float(scores.score.mean()) if n else None,
        ci_low=interval[0],
        ci_high=interval[1],
        ci_method=method,
        n_paired=sample.n_pairs,
        mean_paired=mean_paired,
    )


def _arm_interval(
    scores: ArmScores, *, binary: bool, clustered: bool, confidence: float, score_range: tuple[float, float]
) -> tuple[tuple[float | None, float | None], str | None]:
    """Return the interval of an arm's mean and the method's name.

    A share of clustered items gets Wilson's interval at the effective sample size, n over the design effect, so that it
    stays in [0, 1] and a share of 0 or 1 is not given without any doubt. Where the scores do not vary the design effect
    cannot be known; then each cluster counts as one item. A continuous mean has Student's interval, cut at the ends of
    ``score_range``, and none where the scores do not vary.

    References
    ----------
    Dean, N., Pagano, M. (2015). Evaluating confidence interval methods for binomial proportions in clustered surveys.
    Journal of Survey Statistics and Methodology 3:484-503.
    """
    n = len(scores.score)
    if binary and not clustered:
        return wilson(float(scores.score.sum()), n, confidence), "wilson"
    mean = paired_difference(scores.score, scores.cluster, confidence)
    if mean.n_clusters < 2:
        return (None, None), None
    if binary:
        known = np.isfinite(mean.n_effective)
        effective = min(float(mean.n_effective), float(n)) if known else float(mean.n_clusters)
        return wilson(mean.mean * effective, effective, confidence), "wilson_effective"
    if mean.degenerate:
        return (None, None), None
    return (max(mean.ci_low, score_range[0]), min(mean.ci_high, score_range[1])), "clustered_t"


def _no_pair(sample: PairedSample) -> str:
    if not sample.counts.applies:
        return "the metric applies to no item that was answered"
    return "no pair: no item has a score in both arms"
