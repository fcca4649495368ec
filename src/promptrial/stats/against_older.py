"""New answers of an arm against older ones to the same requests: has the model changed since? Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from promptrial.documents.drift import Drift
from promptrial.documents.significance import StatsSettings, number
from promptrial.model.arms import Contrast
from promptrial.stats.analysis import pairing_of
from promptrial.stats.difference import difference_test
from promptrial.stats.endpoints import designated_method
from promptrial.stats.missing import under_rule
from promptrial.stats.pairing import Arm, FloatArray, IntArray, one_each
from promptrial.stats.score_table import ScoreTable

__all__ = ["drift_row"]


def drift_row(
    table: ScoreTable,
    metric: str,
    contrast: Contrast,
    temp: float,
    older: tuple[FloatArray, IntArray],
    settings: StatsSettings,
    *,
    runs: tuple[str, ...],
    n_asked: int,
) -> Drift:
    """Test the new answers of the first arm of a contrast against older ones, by the test that decides on the endpoint.

    Parameters
    ----------
    table : ScoreTable
        With the new scores.
    metric : str
    contrast : Contrast
    temp : float
        The endpoint.
    older : tuple of ndarray, shape (n_items,)
        The older scores, NaN where there is none, and how many answers each is the mean of.
    settings : StatsSettings
        As the trial is analysed.
    runs : tuple of str
        Where the older scores come from.
    n_asked : int
        How many items were to be asked again.
    """
    score, n = older
    pairing = pairing_of(table, metric, temp, contrast, settings)
    planned = pairing.planned[0]
    both = (Arm(score, np.full(len(score), np.nan), n), pairing.arms[0])
    binary = pairing.score_range == (0.0, 1.0) and metric not in settings.graded and one_each(planned)
    pairing = replace(pairing, arms=both, planned=(planned, planned), binary=binary)
    sample = under_rule(pairing, settings.missing).sample("overall", "all", n > 0)
    test = difference_test(sample, settings) if sample.n_pairs else None
    p = None if test is None else number(test.p)
    limits = (None, None) if test is None else (number(test.low), number(test.high))
    known = [abs(limit) for limit in limits if limit is not None]
    return Drift(
        arm=contrast.sides[0],
        metric=metric,
        temp=temp,
        runs=runs,
        n_asked=n_asked,
        n_pairs=sample.n_pairs,
        n_clusters=sample.n_clusters,
        difference=number(sample.totals.mean),
        ci_low=limits[0],
        ci_high=limits[1],
        confidence=settings.confidence,
        method=None if p is None else designated_method(sample),
        p=p,
        drifted=None if p is None else p <= settings.alpha,
        not_excluded=max(known) if len(known) == 2 else None,
        reason=test.reason if test else "no item has both an older and a new answer",
    )
