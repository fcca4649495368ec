"""An arm against itself: its answers are split at random into two sides, and each split is tested as a trial would be.

Nothing differs between the sides but chance, so that each rejection is a false alarm and each difference is noise. A
split is drawn for whole clusters: all items of a cluster put the same answers on the same side, so that whatever the
answers of one ask have in common within a cluster stays. Given the answers, splits are independent draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import special

from promptrial.documents.aa import AAEndpoint, Alarms
from promptrial.documents.significance import StatsSettings, number
from promptrial.stats.adjusted_p_values import holm
from promptrial.stats.difference import decided_by_score, difference_test
from promptrial.stats.endpoints import designated_method
from promptrial.stats.intervals import clopper_pearson
from promptrial.stats.missing import under_rule
from promptrial.stats.pairing import Arm, FloatArray, IntArray, PairedSample, Pairing, one_each
from promptrial.stats.streams import stream

__all__ = [
    "Asked",
    "Splits",
    "alarms",
    "as_asked",
    "endpoint_of",
    "split_pairings",
    "splits_for",
    "splits_of",
    "verdict_alarms",
]

SPLITS: Final = 1_000
"""How many splits are drawn of up to 4,000 items."""
_FEWEST: Final = 100
_ITEMS_TESTED: Final = 4_000_000
"""Items in all splits together, more or less: a minute of one core at most."""
_TENTHS: Final = 10
_COMMON: Final = 0.01
"""The largest share that one p-value may have where the two-sided test of uniformity is made."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """All answers of one arm to one measure at one temperature, in columns that may change places.

    Attributes
    ----------
    pairing : Pairing
        Of any two arms over the same items: its clusters, plan, range and worst scores are taken from it.
    score, n_samples : ndarray, shape (n_items, n_columns)
        The score of each column, NaN where there is none, and how many answers are behind it. A column is one
        replicate, or one whole ask, whose replicates are averaged.
    planned : int
        Answers planned in each column of each item.
    """

    pairing: Pairing
    score: FloatArray
    n_samples: IntArray
    planned: int = 1

    @property
    def per_side(self) -> int:
        """How many columns are on each side of a split."""
        return int(self.score.shape[1]) // 2


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """What the declared test says about each split: arrays of shape (n_splits,); ``p`` is NaN where none can be made.

    ``sample`` is the first split, for what all have in common. ``reason`` says why there is no p-value.
    """

    sample: PairedSample
    p: FloatArray
    difference: FloatArray
    all_equal: bool
    reason: str | None


def split_pairings(asked: Asked, settings: StatsSettings, n_splits: int) -> Iterator[Pairing]:
    """Yield each split, laid out by item; missing answers count as the settings say.

    The draws depend on the seed, the temperature and the clusters alone: all measures of the same items are split
    alike.

    Raises
    ------
    ValueError
        If there are fewer than two columns.

    Notes
    -----
    O(n_items x n_columns) time and memory for each split. With an odd number of columns one is left out, another one
    in each split and cluster.
    """
    columns, half = asked.score.shape[1], asked.per_side
    if half < 1:
        raise ValueError(f"{columns} columns of answers cannot be split")
    names, cluster = np.unique(asked.pairing.cluster, return_inverse=True)
    order = np.tile(np.arange(columns), (len(names), 1))
    rng = stream(settings.random_seed, "against itself", asked.pairing.temp)
    for _ in range(n_splits):
        drawn = rng.permuted(order, axis=1)[cluster]
        yield _laid_out(asked, drawn[:, :half], drawn[:, half : 2 * half], settings)


def as_asked(asked: Asked, settings: StatsSettings) -> PairedSample:
    """Return the first half of the columns against the second, as they are."""
    places, half = np.tile(np.arange(asked.score.shape[1]), (len(asked.score), 1)), asked.per_side
    return _laid_out(asked, places[:, :half], places[:, half : 2 * half], settings).sample()


def _laid_out(asked: Asked, first: IntArray, second: IntArray, settings: StatsSettings) -> Pairing:
    planned = np.broadcast_to(np.int64(asked.per_side * asked.planned), len(asked.score))
    pairing = replace(
        asked.pairing,
        arms=(_side(asked, first), _side(asked, second)),
        planned=(planned, planned),
        binary=_is_binary(asked, settings) and one_each(planned),
    )
    return under_rule(pairing, settings.missing)


def _is_binary(asked: Asked, settings: StatsSettings) -> bool:
    """Whether one answer scores 0 or 1 by plan, as ``pair_scores`` decides it."""
    return asked.pairing.score_range == (0.0, 1.0) and asked.pairing.metric not in settings.graded


def _side(asked: Asked, places: IntArray) -> Arm:
    score, n = (np.take_along_axis(values, places, axis=1) for values in (asked.score, asked.n_samples))
    scored = ~np.isnan(score)
    total = (n * scored).sum(axis=1)
    sums = np.where(scored, score * n, 0.0).sum(axis=1)
    mean = np.where(total > 0, sums / np.maximum(total, 1), np.nan)
    return Arm(mean, np.full(len(mean), np.nan), n.sum(axis=1))


def splits_for(n_items: int) -> int:
    """Return how many splits are drawn where nobody says it: fewer of many items, whose tests take longer.

    Examples
    --------
    >>> splits_for(300), splits_for(20_000), splits_for(1_000_000)
    (1000, 200, 100)
    """
    return min(SPLITS, max(_FEWEST, _ITEMS_TESTED // max(n_items, 1)))


def splits_of(
    asked: Asked, settings: StatsSettings, n_splits: int, check_stop: Callable[[], None] = lambda: None
) -> Splits:
    """Put each split to the test that decides on the endpoint.

    Parameters
    ----------
    asked : Asked
        Two columns or more.
    settings : StatsSettings
        As the trial was analysed.
    n_splits : int
        At least 1.
    check_stop : callable
        Is called before each split; raises if a stop was asked for.
    """
    p, difference = np.full(n_splits, np.nan), np.full(n_splits, np.nan)
    first, reason, all_equal = None, None, True
    for place, pairing in enumerate(split_pairings(asked, settings, n_splits)):
        check_stop()
        sample = pairing.sample()
        first = first or sample
        if not sample.n_pairs:
            reason = "no item has an answer on both sides"
            continue
        test = difference_test(sample, settings)
        p[place], difference[place] = test.p, sample.totals.mean
        all_equal = all_equal and not sample.difference.any()
        reason = test.reason if math.isnan(test.p) else reason
    if first is None:
        raise ValueError("no split was asked for")
    return Splits(first, p, difference, all_equal and not np.isnan(difference).all(), reason)


def alarms(rejected: Sequence[float] | FloatArray, confidence: float) -> Alarms:
    """Count false alarms; the interval is exact for independent splits of these answers.

    Parameters
    ----------
    rejected : array_like, shape (n_splits,)
        Whether each split gave one; NaN where it could not be tested.
    confidence : float
        In (0, 1).

    Examples
    --------
    >>> found = alarms([True, False, False, False], 0.95)
    >>> found.rate, round(found.ci_low, 4), round(found.ci_high, 4)
    (0.25, 0.0063, 0.8059)
    """
    found = np.asarray(rejected, dtype=np.float64)
    tested = found[~np.isnan(found)]
    n, of = int(tested.sum()), len(tested)
    if not of:
        return Alarms(n=0, of=0, rate=None, ci_low=None, ci_high=None)
    low, high = clopper_pearson(n, of, confidence)
    return Alarms(n=n, of=of, rate=n / of, ci_low=low, ci_high=high)


def verdict_alarms(endpoints: Sequence[Splits], settings: StatsSettings) -> Alarms:
    """Count the splits in which any endpoint is significant after Holm's correction over all of them."""
    if not endpoints:
        return alarms((), settings.confidence)
    together = np.stack([each.p for each in endpoints], axis=1)
    smallest = np.array([np.nanmin(holm(row)) if not np.isnan(row).all() else math.nan for row in together])
    return alarms(_rejected(smallest, settings.alpha), settings.confidence)


def _rejected(p: FloatArray, alpha: float) -> FloatArray:
    return np.where(np.isnan(p), np.nan, p <= alpha)


def endpoint_of(
    asked: Asked, splits: Splits, settings: StatsSettings, answers_planned: int, observed: PairedSample | None = None
) -> AAEndpoint:
    """Return what the splits of one endpoint show.

    Parameters
    ----------
    asked, splits
        The answers, and what became of them in ``splits_of``.
    settings : StatsSettings
    answers_planned : int
        The answers that the trial plans for each item of each arm.
    observed : PairedSample, optional
        The two asks as they were made.
    """
    tested, per_side = splits.p[~np.isnan(splits.p)], asked.per_side * asked.planned
    apart = np.abs(splits.difference[~np.isnan(splits.difference)])
    floor = float(np.quantile(apart, settings.confidence, method="higher")) if apart.size else math.nan
    commonest = float(np.unique(tested, return_counts=True)[1].max() / len(tested)) if tested.size else math.nan
    seen = observed is not None and observed.n_pairs > 0
    return AAEndpoint(
        metric=splits.sample.metric,
        temp=splits.sample.temp,
        method=designated_method(splits.sample),
        n_pairs=splits.sample.n_pairs,
        n_clusters=splits.sample.n_clusters,
        answers_per_side=per_side,
        answers_planned=answers_planned,
        alarms=alarms(_rejected(splits.p, settings.alpha), settings.confidence),
        tenths=_tenths(tested),
        commonest=number(commonest),
        p_too_small=None if decided_by_score(splits.sample) else number(_too_small(tested)),
        p_uniform=number(_uniform(tested)) if commonest <= _COMMON else None,
        noise_floor=number(floor),
        noise_floor_planned=number(floor * math.sqrt(per_side / answers_planned)),
        largest=number(float(apart.max())) if apart.size else None,
        all_equal=splits.all_equal,
        difference=number(observed.totals.mean) if observed is not None and seen else None,
        p=number(difference_test(observed, settings).p) if observed is not None and seen else None,
        reason=splits.reason if not tested.size else None,
    )


def _tenths(p: FloatArray) -> tuple[int, ...]:
    """Count p-values in (0, 0.1], (0.1, 0.2], ... (0.9, 1]."""
    places = np.clip(np.ceil(np.round(p * _TENTHS, 9)).astype(np.int64) - 1, 0, _TENTHS - 1)
    return tuple(int(n) for n in np.bincount(places, minlength=_TENTHS))


def _too_small(p: FloatArray) -> float:
    """Return the p-value of the one-sided Kolmogorov-Smirnov test of "no smaller than uniform ones".

    It holds for p-values of few values too if the test is exact, as sign flips are: their distribution function then
    lies below that of a uniform one. That of the score test does not, since it smooths counts.

    References
    ----------
    Birnbaum, Z.W., Tingey, F.H. (1951). One-sided confidence contours for probability distribution functions. Annals
    of Mathematical Statistics 22:592-596 (the exact distribution, ``scipy.special.smirnov``).
    """
    if not p.size:
        return math.nan
    ordered, n = np.sort(p), len(p)
    excess = float(np.max(np.arange(1, n + 1) / n - ordered))
    return float(special.smirnov(n, max(excess, 0.0)))


def _uniform(p: FloatArray) -> float:
    """Return the p-value of the two-sided Kolmogorov-Smirnov test of a uniform distribution, by Kolmogorov's limit."""
    if not p.size:
        return math.nan
    ordered, n = np.sort(p), len(p)
    above, below = np.arange(1, n + 1) / n - ordered, ordered - np.arange(n) / n
    return float(special.kolmogorov(math.sqrt(n) * float(max(above.max(), below.max()))))
