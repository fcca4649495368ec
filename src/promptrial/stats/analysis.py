"""From a table of scores to the whole ``significance.json``: every endpoint, every statistic, one decision each.

An endpoint is a metric at a temperature, over all items or a subset. Every statistic that applies to it gives rows; one
designated p-value each (``endpoints``) is corrected and decided on (``families``), and the others are there to be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from promptrial import registry
from promptrial.model import Condition
from promptrial.significance import (
    ArmAttrition,
    Endpoint,
    Estimate,
    Hypothesis,
    HypothesisTest,
    Scope,
    Significance,
    StatsSettings,
)
from promptrial.stats.endpoints import decide, describe, designated_row
from promptrial.stats.families import correct, raw_test
from promptrial.stats.pairing import BoolArray, IntArray, PairedSample, Pairing, ScoreTable, pair_scores
from promptrial.stats.selective import ABSTENTION, ACCURACY, UNANSWERABLE, selective_rows
from promptrial.stats.statistic import Statistic
from promptrial.stats.streams import stream

__all__ = ["analyse", "pairing_of", "stream"]


def analyse(
    table: ScoreTable,
    settings: StatsSettings | None = None,
    attrition: Mapping[Condition, ArmAttrition] | None = None,
) -> Significance:
    """Analyse the scores of one trial.

    Parameters
    ----------
    table : ScoreTable
    settings : StatsSettings, optional
        The defaults if not given.
    attrition : mapping, optional
        Condition -> what became of its requests (``attrition.arm_attrition``); copied into the document.

    Returns
    -------
    Significance
        The same table, settings and attrition give the same document, whatever else was analysed before.

    Notes
    -----
    A subset dimension with a single level repeats the overall endpoint and is left out. A subset with the same pairs as
    an earlier one (a metric may apply to one data set only) has its numbers: a second draw would show a difference
    where there is none.
    """
    settings = settings or StatsSettings()
    statistics = [registry.load("statistic", name) for name in registry.STATISTICS]
    subsets = list(_subsets(table))
    results: list[_Result] = []
    selective: list[Estimate] = []
    for temp in table.temps:
        pairings = {name: pairing_of(table, name, temp, settings) for name in table.metrics}
        for pairing in pairings.values():
            known: dict[bytes, list[Estimate]] = {}
            results += [_endpoint(pairing.sample(*subset), settings, statistics, known) for subset in subsets]
        selective += _selective(pairings, subsets, settings)
    tests, families = correct([test for result in results for test in result.tests], settings.alpha)
    return Significance(
        schema_version=2,
        settings=settings,
        attrition=dict(attrition or {}),
        endpoints=decide([result.endpoint for result in results], tests),
        tests=tests,
        families=families,
        estimates=tuple(row for result in results for row in result.rows),
        selective=tuple(selective),
    )


def pairing_of(table: ScoreTable, metric: str, temp: float, settings: StatsSettings) -> Pairing:
    """Lay out a metric at a temperature with the scale that the settings declare; see ``pair_scores``."""
    return pair_scores(table, metric, temp, graded=metric in settings.graded, score_range=settings.range_of(metric))


@dataclass(frozen=True, slots=True)
class _Result:
    """An endpoint not yet decided on, its rows, and its tests not yet corrected."""

    endpoint: Endpoint
    rows: list[Estimate]
    tests: list[HypothesisTest]


_Subset = tuple[Scope, str, BoolArray | None]
_MARGIN_TESTS: tuple[Hypothesis, ...] = ("equivalence", "non_inferiority")


def _subsets(table: ScoreTable) -> Iterator[_Subset]:
    yield "overall", "all", None
    yield from _levels("dataset", table.dataset_names, table.of_items(table.dataset))
    yield from _levels("type", table.type_names, table.of_items(table.type))


def _levels(scope: Scope, names: Sequence[str], codes: IntArray) -> Iterator[_Subset]:
    present = [code for code in range(len(names)) if (codes == code).any()]
    if len(present) > 1:
        for code in sorted(present, key=lambda code: names[code]):
            yield scope, names[code], codes == code


def _endpoint(
    sample: PairedSample, settings: StatsSettings, statistics: Sequence[Statistic], known: dict[bytes, list[Estimate]]
) -> _Result:
    if sample.n_pairs == 0:
        return _Result(describe(sample, [], settings), [], [])
    pairs = hashlib.sha256(sample.items.tobytes()).digest()
    if pairs not in known:
        known[pairs] = _rows(sample, settings, statistics)
    rows = [msgspec.structs.replace(row, scope=sample.scope, subset=sample.subset) for row in known[pairs]]
    tests = [raw_test(designated_row(sample, rows), "difference", settings)]
    if sample.scope == "overall":
        tests += [raw_test(row, name, settings) for name in _MARGIN_TESTS for row in rows if row.quantity == name]
    return _Result(describe(sample, rows, settings), rows, tests)


def _rows(sample: PairedSample, settings: StatsSettings, statistics: Sequence[Statistic]) -> list[Estimate]:
    rows: list[Estimate] = []
    for statistic in statistics:
        if statistic.applies(sample):
            names = (sample.metric, sample.temp, sample.scope, sample.subset, statistic.name)
            rows += statistic.compute(sample, settings, stream(settings.random_seed, *names))
    return rows


def _selective(
    pairings: Mapping[str, Pairing], subsets: Sequence[_Subset], settings: StatsSettings
) -> Iterator[Estimate]:
    if ACCURACY not in pairings or ABSTENTION not in pairings:
        return
    accuracy, abstention = pairings[ACCURACY], pairings[ABSTENTION]
    unanswerable = np.zeros(len(accuracy.cluster), dtype=np.bool_)
    if UNANSWERABLE in pairings:
        arms = (pairings[UNANSWERABLE].control, pairings[UNANSWERABLE].treatment)
        unanswerable = ~np.isnan(arms[0].score) | ~np.isnan(arms[1].score)
    for scope, subset, chosen in subsets:
        yield from selective_rows(accuracy, abstention, unanswerable, settings, scope, subset, chosen)
