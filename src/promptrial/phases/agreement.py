"""How far measures agree with people, and judges with each other: from scores and labels to ``agreement.json``.

The arithmetic is ``promptrial.stats``; this says on which answers, and what is compared with what.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from msgspec import UNSET

from promptrial.documents.labels import (
    Agreement,
    ArmAgreement,
    Coefficient,
    CorrectedEffect,
    JudgesAgreement,
    LabelReport,
    PairAgreement,
    RaterAgreement,
    RatersAgreement,
)
from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Endpoint, Significance, StatsSettings, number
from promptrial.model.arms import ArmName, Contrast
from promptrial.phases.labelled import Labels, RaterLabels, clusters_of
from promptrial.phases.side_by_side import SideBySide
from promptrial.stats import agreement as stats
from promptrial.stats.clusters import DECIMALS
from promptrial.stats.difference import deciding_test
from promptrial.stats.prediction_powered import PredictionPowered, prediction_powered_difference
from promptrial.stats.score_table import FloatArray, IntArray

__all__ = ["FEWEST_ITEMS", "agreement_of", "label_report"]

FEWEST_ITEMS: Final = 50
"""Labelled items below which no effect is corrected: what is known of its coverage begins there."""
FEWEST_CLUSTERS: Final = 20
"""The same of the clusters that the labelled items lie in."""
_FEWEST_ERRORS: Final = 10
"""Labelled answers below which no effective number of judges is given."""


class _Compared(NamedTuple):
    """How two ratings of the same answers are compared, on the scale of a measure."""

    binary: bool
    confidence: float
    n_resamples: int
    seed: int

    @property
    def drawn(self) -> dict[str, float | int]:
        return {"confidence": self.confidence, "n_resamples": self.n_resamples, "seed": self.seed}

    def alpha(self, ratings: FloatArray, cluster: IntArray) -> Coefficient:
        """Return Krippendorff's alpha of ratings, shape (n, n_raters)."""
        scale: stats.AlphaScale = "nominal" if self.binary else "interval"
        return _coefficient(stats.krippendorffs_alpha(ratings, cluster, scale=scale, **self.drawn))  # type: ignore[arg-type]  # the options of both are the same

    def kappa(self, first: FloatArray, second: FloatArray, cluster: IntArray) -> Coefficient | None:
        """Return Cohen's kappa; None where scores are not binary."""
        if not self.binary:
            return None
        return _coefficient(stats.cohens_kappa(first, second, cluster, **self.drawn))  # type: ignore[arg-type]  # the options of both are the same

    def pair(self, names: tuple[str, str], first: FloatArray, second: FloatArray, cluster: IntArray) -> PairAgreement:
        both = np.isfinite(first) & np.isfinite(second)
        y, f, codes = first[both], second[both], cluster[both]
        return PairAgreement(
            first=names[0],
            second=names[1],
            n_answers=len(y),
            agreeing=_mean(y == f),
            kappa=self.kappa(y, f, codes),
            alpha=self.alpha(np.column_stack([y, f]), codes),
        )


def _compared(results: Significance, scorer: Declaration, *values: FloatArray) -> _Compared:
    """Return how ratings are compared; scores that are means of replicates are not binary, though their scorer is."""
    settings = results.settings
    is_binary = all(np.isin(each[np.isfinite(each)], scorer.range).all() for each in values)
    return _Compared(
        scorer.scale == "binary" and is_binary, settings.confidence, settings.bootstrap_samples, settings.random_seed
    )


def agreement_of(
    sides: SideBySide, results: Significance, found: Sequence[Labels], judges: Sequence[str]
) -> Agreement | None:
    """Return the document of a trial; None where nothing is labelled, and no two judges measure on one scale.

    Parameters
    ----------
    sides : SideBySide
    results : Significance
        Its effects as they are measured, and how intervals are made.
    found : sequence of Labels
        By measure and temperature.
    judges : sequence of str
        The measures that are judges', in order.
    """
    reports = tuple(label_report(sides, results, labels) for labels in found)
    together = tuple(_judges(sides, results, found, judges))
    return Agreement(labels=reports, judges=together) if reports or together else None


# --- one measure, and people ------------------------------------------------------------------------------------------


def label_report(sides: SideBySide, results: Significance, labels: Labels) -> LabelReport:
    """Compare people's labels with the measure that they are for."""
    name, temp = labels.measure, sides.trial.temps[labels.place]
    scorer, scores = sides.scorers[name], _scores(sides, name, labels.place)
    cluster = clusters_of(sides, range(sides.n_items))
    given = np.isfinite(labels.values)
    compared = _compared(results, scorer, scores, labels.values)
    drawable = np.isfinite(scores).all(axis=1)
    people = _mean_label(labels.values)
    seen = _without_control(labels)
    rated = [at for at in range(len(sides.arms)) if at != labels.control]
    return LabelReport(
        run_id=sides.run.run_id,
        trial=sides.trial.slug,
        temperature=temp,
        measure=name,
        confidence=compared.confidence,
        n_answers=sum(each.n_answers for each in labels.raters),
        n_labels=int(given.sum()),
        n_empty=sum(each.empty for each in labels.raters),
        n_unmeasured=int((given & np.isnan(scores)).sum()),
        arms=tuple(_arm(sides.arms[at], labels.values[:, :, at], scores[:, at], cluster, compared) for at in rated),
        effects=tuple(
            _effect(
                contrast,
                people[drawable][:, places],
                scores[drawable][:, places],
                cluster[drawable],
                scorer,
                _endpoint(results, name, contrast, temp),
                results.settings,
            )
            for contrast in sides.contrasts
            for places in [[sides.arms.index(side) for side in contrast.sides]]
        ),
        raters=tuple(_rater(each, scores, cluster, compared) for each in seen.raters),
        between=_between(seen, cluster, compared),
    )


def _without_control(labels: Labels) -> Labels:
    """Return labels without those of an arm that the others are compared with: they are all alike."""
    if labels.control is None:
        return labels
    raters = []
    for each in labels.raters:
        values = each.values.copy()
        values[:, labels.control] = np.nan
        raters.append(replace(each, values=values))
    return replace(labels, raters=tuple(raters))


def _scores(sides: SideBySide, name: str, place: int) -> FloatArray:
    """Return the scores of a measure at a temperature, shape (n_items, n_arms)."""
    return sides.scores[name][place * sides.n_items : (place + 1) * sides.n_items]


def _mean_label(values: FloatArray) -> FloatArray:
    """Return the mean of the labels that each answer has, over the first axis; NaN without any."""
    n = np.isfinite(values).sum(axis=0)
    mean: FloatArray = np.divide(np.nansum(values, axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)
    return mean


def _endpoint(results: Significance, measure: str, contrast: Contrast, temp: float) -> Endpoint | None:
    """Return the row of a measure over all items."""
    rows = (row for row in results.endpoints if row.scope == "overall" and row.metric == measure and row.temp == temp)
    return next((row for row in rows if row.compared == contrast), None)


def _arm(
    arm: ArmName, people: FloatArray, measured: FloatArray, cluster: IntArray, compared: _Compared
) -> ArmAgreement:
    """Compare all labels of an arm, shape (n_raters, n_items), with its scores."""
    scores, codes = np.tile(measured, len(people)), np.tile(cluster, len(people))
    both = np.isfinite(people.ravel()) & np.isfinite(scores)
    y, f = people.ravel()[both], scores[both]
    pair = compared.pair(("people", "measure"), y, f, codes[both])
    table = stats.confusion_table(y, f) if compared.binary else None
    return ArmAgreement(
        arm=arm,
        n_labelled=len(y),
        mean_people=_mean(y),
        mean_measure=_mean(f),
        agreeing=pair.agreeing,
        kappa=pair.kappa,
        alpha=pair.alpha,
        values=table.values if table else (),
        table=tuple(tuple(map(int, row)) for row in table.counts) if table else (),
    )


def _rater(rater: RaterLabels, scores: FloatArray, cluster: IntArray, compared: _Compared) -> RaterAgreement:
    codes = np.repeat(cluster, scores.shape[1])
    pair = compared.pair((rater.rater, "measure"), rater.values.ravel(), scores.ravel(), codes)
    return RaterAgreement(
        rater=rater.rater,
        n_answers=rater.n_answers,
        n_empty=rater.empty,
        n_labelled=pair.n_answers,
        agreeing=pair.agreeing,
        kappa=pair.kappa,
        alpha=pair.alpha,
    )


def _between(labels: Labels, cluster: IntArray, compared: _Compared) -> RatersAgreement | None:
    if len(labels.raters) < 2:
        return None
    ratings = labels.values.reshape(len(labels.raters), -1).T
    codes = np.repeat(cluster, labels.values.shape[2])
    names = [each.rater for each in labels.raters]
    return RatersAgreement(
        n_answers=int((np.isfinite(ratings).sum(axis=1) >= 2).sum()),
        alpha=compared.alpha(ratings, codes),
        pairs=tuple(_pairs(names, ratings, codes, compared)),
    )


def _pairs(
    names: Sequence[str], ratings: FloatArray, cluster: IntArray, compared: _Compared
) -> Iterator[PairAgreement]:
    for first, second in combinations(range(len(names)), 2):
        yield compared.pair((names[first], names[second]), ratings[:, first], ratings[:, second], cluster)


def _effect(
    contrast: Contrast,
    labels: FloatArray,
    scores: FloatArray,
    cluster: IntArray,
    scorer: Declaration,
    endpoint: Endpoint | None,
    settings: StatsSettings,
) -> CorrectedEffect:
    """Correct the effect between two arms over the items that could be drawn; shapes (n_items, 2), control first."""
    labelled = np.isfinite(labels).all(axis=1)
    n, clusters = int(labelled.sum()), len(np.unique(cluster[labelled]))
    reason, found = _too_few(n, clusters), None
    if reason is None:
        low, high = scorer.range
        made = prediction_powered_difference(
            labels.T, scores.T, cluster, confidence=settings.confidence, width=high - low
        )
        found, reason = made, made.reason
    measured = _measured(endpoint, scores, cluster, settings)
    left_out = endpoint.n_pairs - len(scores) if endpoint else 0
    return CorrectedEffect(
        contrast=str(contrast),
        measured=measured[0],
        measured_low=measured[1],
        measured_high=measured[2],
        corrected=_of(found, "estimate"),
        ci_low=_of(found, "low"),
        ci_high=_of(found, "high"),
        tuning=_of(found, "tuning"),
        n_labelled=n,
        labelled_clusters=clusters,
        n_others=len(labels) - n,
        n_left_out=left_out if left_out > 0 else UNSET,
        reason=reason,
    )


def _measured(
    endpoint: Endpoint | None, scores: FloatArray, cluster: IntArray, settings: StatsSettings
) -> tuple[float | None, float | None, float | None]:
    """Return the effect as measured, with its interval, over the items that the corrected one is over.

    Where the endpoint has more items, because missing answers count as failures or an arm of another contrast lacks
    one, the test that decides on it is made of those items alone.
    """
    if endpoint is None or endpoint.n_pairs <= len(scores):
        return (endpoint.difference, endpoint.ci_low, endpoint.ci_high) if endpoint else (None, None, None)
    if not len(scores):
        return None, None, None
    difference = np.round(scores[:, 1] - scores[:, 0], DECIMALS) + 0.0  # no negative zeros
    binary = endpoint.scale == "binary"
    found = deciding_test(difference, cluster, settings, binary=binary, clustered=endpoint.clustered)
    return number(found.estimate), number(found.low), number(found.high)


def _too_few(items: int, clusters: int) -> str | None:
    if items < FEWEST_ITEMS:
        return f"{items} items with labels of both arms: a corrected effect needs at least {FEWEST_ITEMS}"
    if clusters < FEWEST_CLUSTERS:
        return f"the labelled items lie in {clusters} clusters: a corrected effect needs at least {FEWEST_CLUSTERS}"
    return None


# --- several judges ---------------------------------------------------------------------------------------------------


def _judges(
    sides: SideBySide, results: Significance, found: Sequence[Labels], judges: Sequence[str]
) -> Iterator[JudgesAgreement]:
    """Yield how far those judges agree that measure on one scale, at each temperature."""
    for names in _on_one_scale(sides.scorers, judges):
        for place, temp in enumerate(sides.trial.temps):
            ratings = np.column_stack([_scores(sides, name, place).ravel() for name in names])
            codes = np.repeat(clusters_of(sides, range(sides.n_items)), len(sides.arms))
            compared = _compared(results, sides.scorers[names[0]], ratings)
            labels = next((each for each in found if each.measure in names and each.place == place), None)
            n, effective, reason = _effective(ratings, labels)
            yield JudgesAgreement(
                measures=tuple(names),
                temperature=temp,
                confidence=compared.confidence,
                n_answers=int((np.isfinite(ratings).sum(axis=1) >= 2).sum()),
                alpha=compared.alpha(ratings, codes),
                pairs=tuple(_pairs(names, ratings, codes, compared)),
                labels_of=None if labels is None else labels.measure,
                n_labelled=n,
                effective=effective,
                reason=reason,
            )


def _on_one_scale(scorers: Mapping[str, Declaration], judges: Sequence[str]) -> Iterator[list[str]]:
    """Yield the judges that measure on one scale and in one range, two or more."""
    groups: dict[tuple[str, tuple[float, float]], list[str]] = {}
    for name in judges:
        groups.setdefault((scorers[name].scale, scorers[name].range), []).append(name)
    yield from (names for names in groups.values() if len(names) > 1)


def _effective(ratings: FloatArray, labels: Labels | None) -> tuple[int, float | None, str | None]:
    """Return on how many answers the errors of all judges are known, the effective number, or why there is none."""
    if labels is None:
        return 0, None, "no answer has a person's label"
    errors = ratings - _mean_label(labels.values).ravel()[:, None]
    known = errors[np.isfinite(errors).all(axis=1)]
    if len(known) < _FEWEST_ERRORS:
        return len(known), None, f"{len(known)} labelled answers: at least {_FEWEST_ERRORS} are needed"
    effective = stats.effective_judges(known)
    if math.isnan(effective):
        return len(known), None, "no judge errs on the labelled answers"
    return len(known), _number(effective), None if math.isfinite(effective) else "their errors cancel"


# --- values -----------------------------------------------------------------------------------------------------------


def _coefficient(found: stats.Agreement) -> Coefficient:
    return Coefficient(
        value=_number(found.value), ci_low=_number(found.low), ci_high=_number(found.high), reason=found.reason
    )


def _of(found: PredictionPowered | None, name: str) -> float | None:
    return None if found is None else _number(getattr(found, name))


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
