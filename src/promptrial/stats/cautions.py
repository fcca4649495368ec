"""What has to be said beside an effect: few clusters, one that dominates, data too sparse for sign flips alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from promptrial.documents.significance import StatsSettings
from promptrial.stats.clusters import cluster_codes
from promptrial.stats.difference import DifferenceTest, decided_by_score
from promptrial.stats.fewest import clusters_needed, counted_clusters
from promptrial.stats.pairing import PairedSample

__all__ = ["cautions", "largest_cluster", "still_true"]

FEW_CLUSTERS: Final = 10
DOMINANT_SHARE: Final = 0.2
_BOTH: Final = "sign flips alone would reject"
_STEPS: Final = re.compile(r"(only \d+ (?:cluster|pair)s?): .+")


def largest_cluster(sample: PairedSample) -> tuple[str | None, float | None]:
    """Return the name of the largest cluster and its share of the pairs, where that is more than a fifth.

    The name is None where it is not known; both are where no cluster is so large, or items share none by plan.
    """
    if not sample.clustered or not sample.n_pairs:
        return None, None
    sizes = sample.totals.sizes
    share = float(sizes.max() / sample.n_pairs)
    if share <= DOMINANT_SHARE:
        return None, None
    code = int(cluster_codes(sample.cluster)[sizes.argmax()])
    return (sample.cluster_names[code] if code < len(sample.cluster_names) else None), share


def cautions(sample: PairedSample, test: DifferenceTest, settings: StatsSettings) -> Iterator[str]:
    """Yield what has to be said beside the effect, in phrases."""
    if not decided_by_score(sample):
        yield from _few(sample, test, settings)
    name, share = largest_cluster(sample)
    if share is not None:
        yield f"the largest cluster{'' if name is None else f' ({name})'} holds {100 * share:.0f}% of the pairs"
    yield from _sparse(sample, test)
    if test.not_shown(settings.alpha):
        yield (f"{_BOTH} (p = {test.p_flips:.3g}), the score test on effective counts would not")


def still_true(said: Iterable[str], *, same_test: bool) -> Iterator[str]:
    """Yield the cautions that hold where a stopping rule has put its interval and p-value in place of others.

    What is said about the data stays. ``same_test`` is whether the rule makes the same test at levels of its own, so
    that sparse data do to its interval what they did to the other; bets on no difference assume nothing of the kind.
    """
    for text in said:
        few = _STEPS.fullmatch(text)
        if few is not None:
            yield f"{few[1]}: {'the p-value is coarse, and ' if same_test else ''}the interval is wide"
        elif not text.startswith(_BOTH) and (same_test or "pairs differ in" not in text):
            yield text


def _sparse(sample: PairedSample, test: DifferenceTest) -> Iterator[str]:
    """Yield what sparse data do to the interval: on 0/1 scores it is widened, on others it is approximate."""
    found = test.density
    if found is None or test.ci_method is None:
        return
    said = found.said("clusters" if sample.clustered else "items")
    if test.effective is not None:
        yield (
            f"too sparse for sign flips alone ({said}: {found.ways()}): the interval is widened, "
            f"by a design effect of at least {test.effective.floor:.3g}"
        )
    elif not found.many:
        yield f"{said}: the interval is approximate, and may be too narrow"


def _few(sample: PairedSample, test: DifferenceTest, settings: StatsSettings) -> Iterator[str]:
    count, needed = sample.n_clusters, clusters_needed(settings.alpha)
    counted = counted_clusters(count, clustered=sample.clustered)
    if count < needed:
        yield f"only {counted}: no p-value can reach {settings.alpha:g}; at least {needed} are needed"
    elif count < FEW_CLUSTERS:
        wide = "" if test.ci_method is None else ", and the interval is wide"
        yield f"only {counted}: p-values go in steps of {2.0 ** (1 - count):.2g}{wide}"
