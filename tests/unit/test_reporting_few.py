"""The effect of few clusters or questions on intervals and p-values is stated beside the verdict, correctly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptrial.documents.significance import Endpoint, StatsSettings
from promptrial.reporting.verdict import Verdict, scores_verdict
from promptrial.stats.analysis import analyse
from tests.support.score_tables import table_of
from tests.unit.test_reporting_pages import document, endpoint

NAMES = {"control": "base", "treatment": "new"}
SETTINGS = StatsSettings(bootstrap_samples=50, primary=("f1",))


def of_scores(control: Sequence[float], treatment: Sequence[float], **changes: Any) -> Verdict:
    """Return the verdict on graded scores of single questions."""
    found = analyse(table_of(control, treatment, metric="f1"), replace(SETTINGS, **changes))
    return scores_verdict(found, NAMES, ())


def said(*rows: Endpoint, primary: tuple[str, ...] = ("em",)) -> list[str]:
    found = document(*rows, settings=replace(document().settings, primary=primary))
    return [*map(str, scores_verdict(found, NAMES, ()).warnings)]


def test_an_interval_of_few_questions_that_differ_is_called_approximate_beside_the_verdict() -> None:
    seen = of_scores([0.5] * 200, [0.75] * 10 + [0.5] * 190)
    assert "new is higher than base" in seen.sentences[0]
    assert [*map(str, seen.warnings)] == [
        "Questions: token F1 differs in only 10 of 200 questions; the interval is approximate and may be too narrow."
    ]
    assert of_scores([0.5] * 30, [0.5 + n / 100 for n in range(30)]).warnings == ()


def test_few_questions_make_the_interval_wide_and_the_p_value_coarse() -> None:
    seen = of_scores([0.5] * 7, [0.5 + n / 100 for n in range(1, 8)])
    assert [(each.kind, each.text) for each in seen.warnings] == [
        ("questions", "there are only 7 questions, so the interval is wide and the p-value is coarse.")
    ]


def test_an_interval_that_may_be_too_narrow_is_not_called_wide() -> None:
    assert [each.text for each in of_scores([0.5] * 7, [0.6, *[0.5] * 6]).warnings] == [
        "there are only 7 questions, so the p-value is coarse.",
        "token F1 differs in only 1 of 7 questions; the interval is approximate and may be too narrow.",
    ]


def test_the_warning_says_if_no_p_value_can_reach_the_level_although_there_is_an_interval() -> None:
    seen = of_scores([0.5] * 7, [0.5 + n / 100 for n in range(1, 8)], alpha=0.01)
    assert [each.text for each in seen.warnings] == [
        "there are only 7 questions, so no p-value can reach 0.01; at least 8 are needed."
    ]


def test_a_p_value_without_an_interval_is_called_coarse_where_it_decides() -> None:
    seen = of_scores([0.5] * 7, [0.5 + n / 100 for n in range(1, 8)], confidence=0.99)
    assert [each.text for each in seen.warnings] == ["there are only 7 questions, so the p-value is coarse."]
    same = of_scores([0.5] * 7, [0.6] * 7)
    assert [each.text for each in same.warnings] == ["there are only 7 questions, so the p-value is coarse."]
    undecided = of_scores([0.5] * 7, [0.5, *(0.5 - n / 100 for n in range(3)), 0.6, 0.5, 0.5], confidence=0.99)
    assert undecided.findings[0].state == "not_estimable"
    assert undecided.warnings == ()


def test_clusters_and_single_questions_are_distinguished_if_measures_differ() -> None:
    text = "pairs differ in {} of 40 {}: the interval is approximate, and may be too narrow"
    clustered = endpoint(clustered=True, n_clusters=40, cautions=(text.format(2, "clusters"),))
    single = endpoint("f1", cautions=(text.format(3, "items"),))
    assert said(clustered, single, primary=("em", "f1")) == [
        "Clusters: exact match differs in only 2 of 40 clusters; the interval is approximate and may be too narrow.",
        "Questions: token F1 differs in only 3 of 40 questions; the interval is approximate and may be too narrow.",
    ]


@pytest.mark.parametrize("metric", ["em", "f1"])
def test_an_exploratory_measure_has_no_warning_beside_the_verdict(metric: str) -> None:
    text = "pairs differ in 2 of 40 items: the interval is approximate, and may be too narrow"
    rows = [endpoint(name, cautions=(text,)) for name in ("em", "f1")]
    assert len(said(*rows, primary=(metric,))) == 1


def test_betting_intervals_of_few_clusters_are_wide_without_a_coarse_p_value() -> None:
    row = endpoint(clustered=True, n_clusters=8, cautions=("only 8 clusters: the interval is wide",))
    assert said(row) == ["Clusters: there are only 8 clusters, so the interval is wide."]


def clustered(gains: int, losses: int, of: int = 20, *, alike: bool = False) -> list[str]:
    """Return the warnings on 0/1 scores in clusters of two, of which some gain a pair, some lose one, or both do."""
    control, treatment = np.zeros(2 * of), np.zeros(2 * of)
    treatment[: 2 * gains : 2] = 1.0
    lost = slice(1, None, 2) if alike else slice(2 * gains, 2 * (gains + losses), 2)
    control[lost] = 1.0
    table = table_of(control.tolist(), treatment.tolist(), cluster=np.repeat(np.arange(of), 2).tolist())
    found = analyse(table, replace(SETTINGS, primary=("em",)))
    return [each.text for each in scores_verdict(found, NAMES, ()).warnings]


def test_a_widened_interval_states_the_reason_in_the_data() -> None:
    assert clustered(5, 1) == [
        "exact match differs in only 6 of 20 clusters; the interval was widened to allow for this."
    ]
    assert clustered(20, 0) == [
        (
            "exact match rises in 20 of 20 clusters and falls in 0; the interval was widened because all differences "
            "go one way."
        )
    ]
    assert clustered(16, 2) == [
        (
            "exact match rises in 16 of 20 clusters and falls in 2; the interval was widened because almost all "
            "differences go one way."
        )
    ]
    assert clustered(20, 0, alike=True) == [
        "exact match has the same mean difference in all 20 clusters; the interval was widened to allow for this."
    ]
    assert clustered(12, 8) == []


def test_one_cluster_has_neither_an_interval_nor_a_p_value_to_warn_of() -> None:
    table = table_of([1.0] * 8, [0.0, 1.0] * 4, cluster=[0] * 8)
    found = analyse(table, replace(SETTINGS, primary=("em",)))
    assert [each.text for each in scores_verdict(found, NAMES, ()).warnings] == [
        "the largest cluster has 100% of the questions."
    ]


def test_several_measures_share_a_sentence_in_the_plural() -> None:
    text = "too sparse for sign flips alone (pairs differ in 20 of 20 clusters: upwards in 20, downwards in 0): the"
    rows = [endpoint(name, clustered=True, n_clusters=20, cautions=(text,)) for name in ("em", "f1")]
    assert said(*rows, primary=("em", "f1")) == [
        (
            "Clusters: exact match and token F1 rise in 20 of 20 clusters and fall in 0; the interval was widened "
            "because all differences go one way."
        )
    ]
