"""A trial of several treatments: each is compared with the control, and what was declared is one family of tests."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
import pytest

from promptrial.documents import significance
from promptrial.documents.significance import Endpoint, Significance, StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST, PAIR, Contrast, compared_arms
from promptrial.stats.adjusted_p_values import holm
from promptrial.stats.analysis import analyse, pairing_of
from promptrial.stats.score_table import ScoreTable
from tests.support.score_tables import of_contrast, trial_table, with_arms, without_rows

ARMS: Final = ("control", "short", "long")
SHORT: Final = Contrast("short")
LONG: Final = Contrast("long")
QUICK: Final = StatsSettings(
    primary=("em", "f1"),
    bootstrap_samples=300,
    permutation_samples=300,
    tost_margins={"em": 0.1},
    wanted={"em": "higher", "f1": "higher", "unsupported_rate": "lower"},
)
CORRECTED: Final = ("family", "p_adjusted", "significant", "rejected", "contrast")
"""What may depend on the other contrasts of a trial, and the name of the contrast."""


def three_armed(n_items: int = 80, effect: float = 0.5) -> ScoreTable:
    return trial_table(n_items, effect=effect, temps=(0.0, 0.7), arms=ARMS)


@pytest.fixture(scope="module")
def document() -> Significance:
    return analyse(three_armed(), QUICK)


@functools.cache
def analysed_alone(contrast: Contrast) -> Significance:
    """Return the statistics of a trial of two of the arms."""
    return analyse(with_arms(three_armed(), *contrast.sides), QUICK)


def uncorrected(rows: object) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name not in CORRECTED} for row in msgspec.to_builtins(rows)]


@pytest.mark.parametrize("contrast", [SHORT, LONG])
def test_each_contrast_has_the_numbers_of_a_trial_of_its_two_arms_alone(
    document: Significance, contrast: Contrast
) -> None:
    alone = analysed_alone(contrast)
    found = of_contrast(document, contrast)
    for rows in ("endpoints", "estimates", "selective", "interactions", "tests"):
        assert uncorrected(getattr(found, rows)) == uncorrected(getattr(alone, rows)), rows
    assert found.endpoints
    assert found.interactions


def test_the_name_of_the_treatment_changes_only_random_numbers() -> None:
    table = with_arms(three_armed(), "control", "long")
    named, plain = analysed_alone(LONG), analyse(replace(table, arm_names=PAIR), QUICK)
    assert uncorrected(named.endpoints) == uncorrected(plain.endpoints)
    drawn = [
        [(row.ci_low, row.ci_high) for row in each.estimates if row.method == "bootstrap"] for each in (named, plain)
    ]
    assert drawn[0] != drawn[1]


def test_the_primary_tests_of_all_contrasts_are_one_family(document: Significance) -> None:
    [family] = [family for family in document.families if family.name == "primary"]
    tests = [test for test in document.tests if test.family == "primary"]
    assert family.size == len(tests) == 2 * 2 * 2  # metrics, temperatures, contrasts
    assert {test.compared for test in tests} == {SHORT, LONG}
    assert isinstance(document.simultaneous, tuple)
    rows = {(row.compared, row.metric, row.temp): row for row in document.simultaneous}
    found = [rows[test.compared, test.metric, test.temp] for test in tests]
    assert (family.correction, [test.p_adjusted for test in tests]) == ("max_t", [row.p_step_down for row in found])
    assert [row.p_holm for row in found] == holm([np.nan if test.p is None else test.p for test in tests]).tolist()


def test_declared_margins_are_one_family_over_all_contrasts_too(document: Significance) -> None:
    for name in ("equivalence", "non_inferiority"):
        tests = [test for test in document.tests if test.family == name]
        assert {test.compared for test in tests} == {SHORT, LONG}
        assert [family.size for family in document.families if family.name == name] == [len(tests)] == [4]


def test_leads_are_corrected_within_one_contrast_so_that_another_arm_does_not_change_them(
    document: Significance,
) -> None:
    alone = analysed_alone(SHORT)
    of_short = of_contrast(document, SHORT)
    leads = [row for row in of_short.endpoints if row.family is not None and row.family != "primary"]
    assert {str(row.family).partition("/")[0] for row in leads} == {"exploratory", "subgroups"}
    assert leads == [row for row in alone.endpoints if row.family is not None and row.family != "primary"]
    assert of_short.interactions == alone.interactions
    assert all(str(row.family).endswith("/short vs control") for row in leads)


def test_a_decision_belongs_to_the_test_of_its_own_contrast(document: Significance) -> None:
    tests = {
        (test.compared, test.metric, test.temp, test.scope, test.subset): test
        for test in document.tests
        if test.hypothesis == "difference"
    }
    decided = [row for row in document.endpoints if row.p is not None]
    assert len({row.p_adjusted for row in decided}) > 10
    for row in decided:
        test = tests[row.compared, row.metric, row.temp, row.scope, row.subset]
        assert (row.p, row.p_adjusted, row.significant) == (test.p, test.p_adjusted, test.rejected)


def test_the_document_names_its_contrasts_in_the_order_of_the_arms(document: Significance) -> None:
    assert document.compared == (SHORT, LONG)
    assert list(dict.fromkeys(row.compared for row in document.endpoints)) == [SHORT, LONG]
    read = significance.decode(significance.encode(document))
    assert significance.encode(read) == significance.encode(document)
    written = msgspec.json.decode(significance.encode(document))
    assert written["contrasts"][0] == {"name": "short vs control", "treatment": "short", "control": "control"}
    assert written["endpoints"][0]["contrast"] == "short vs control"


def test_a_document_of_control_and_treatment_names_no_contrast() -> None:
    document = analyse(trial_table(40), replace(QUICK, bootstrap_samples=20))
    assert b"contrast" not in significance.encode(document)
    assert document.compared == (DEFAULT_CONTRAST,)
    assert {row.compared for row in document.endpoints} == {DEFAULT_CONTRAST}


@pytest.mark.parametrize("arms", [("control", "a"), ("control", "zeta")])
def test_a_contrast_of_any_other_arm_with_the_control_is_named_in_every_row(arms: tuple[str, str]) -> None:
    found = analyse(trial_table(40, arms=arms), replace(QUICK, bootstrap_samples=20))
    named = f"{arms[1]} vs {arms[0]}"
    for rows in (found.endpoints, found.tests, found.estimates, found.selective):
        assert {row.contrast for row in rows} == {named}


def test_a_document_with_several_contrasts_names_each() -> None:
    named = replace(three_armed(), arm_names=("control", "treatment", "long"))
    document = analyse(named, QUICK)
    assert document.compared == (DEFAULT_CONTRAST, LONG)
    assert {row.contrast for row in document.endpoints} == {"treatment vs control", "long vs control"}
    alone = analyse(with_arms(named, *PAIR), QUICK)
    found = of_contrast(document, DEFAULT_CONTRAST)
    assert uncorrected(found.estimates) == uncorrected(alone.estimates), "the random numbers are those of before"


def test_the_name_of_a_contrast_must_name_two_arms() -> None:
    data = significance.encode(analyse(with_arms(three_armed(40), "control", "short"), replace(QUICK, primary=("em",))))
    with pytest.raises(msgspec.ValidationError, match="contrast"):
        significance.decode(data.replace(b"short vs control", b"short control"))


def only(document: Significance, contrast: Contrast) -> Endpoint:
    rows = [
        row
        for row in of_contrast(document, contrast).endpoints
        if (row.metric, row.scope, row.temp) == ("em", "overall", 0)
    ]
    [found] = rows
    return found


def test_an_arm_without_any_answer_is_compared_with_nothing_and_leaves_the_others_alone() -> None:
    table = three_armed()
    silent = table.rows_of("long")
    metrics = {name: np.where(silent, np.nan, column) for name, column in table.metrics.items()}
    document = analyse(replace(table, metrics=metrics, n_samples=np.where(silent, 0, table.n_samples)), QUICK)
    lost = only(document, LONG)
    assert (lost.n_pairs, lost.difference, lost.p, lost.significant) == (0, None, None, None)
    assert lost.reason == "no pair: no item has a score in both arms"
    assert lost.attrition is not None
    assert lost.attrition.differs
    assert uncorrected(of_contrast(document, SHORT).endpoints) == uncorrected(analysed_alone(SHORT).endpoints)
    [family] = [family for family in document.families if family.name == "primary"]
    assert family.size == 4, "a test that cannot be made does not count in the family"
    assert isinstance(document.rankings, tuple)
    assert {arm.arm for ranking in document.rankings for arm in ranking.arms} == {"control", "short"}


def test_a_contrast_whose_arms_share_no_pair_says_so() -> None:
    table = three_armed()
    for arm, parity in (("control", 0), ("long", 1)):
        lost = table.rows_of(arm) & (table.item % 2 == parity)
        metrics = {name: np.where(lost, np.nan, column) for name, column in table.metrics.items()}
        table = replace(table, metrics=metrics, n_samples=np.where(lost, 0, table.n_samples))
    document = analyse(table, QUICK)
    apart, paired = only(document, LONG), only(document, SHORT)
    assert (apart.n_pairs, apart.p, apart.difference) == (0, None, None)
    assert apart.control.mean is not None
    assert apart.treatment.mean is not None
    assert apart.reason == "no pair: no item has a score in both arms"
    assert paired.n_pairs > 0
    assert paired.p is not None


def test_an_arm_that_was_not_run_has_no_lost_answers() -> None:
    document = analyse(without_rows(three_armed(), "long"), QUICK)
    assert only(document, LONG).attrition is None
    assert only(document, LONG).missing_sensitivity is None
    assert only(document, SHORT).attrition is not None


@pytest.mark.parametrize("arm", ["control", "short"])
def test_a_trial_of_one_arm_is_described_and_compared_with_nothing(arm: str) -> None:
    names = compared_arms((arm,))
    table = with_arms(three_armed(), arm)
    table = replace(table, arm_names=names, arm=np.full(len(table.arm), names.index(arm)))
    document = analyse(table, QUICK)
    [contrast] = document.compared
    row = only(document, contrast)
    assert row.p is None
    assert [mean.n_scored > 0 for mean in row.arms] == [name == arm for name in contrast.sides]


def test_differences_are_treatment_minus_control_in_every_contrast() -> None:
    table = three_armed(effect=1.5)
    for contrast in (SHORT, LONG):
        sample = pairing_of(table, "em", 0.0, contrast, QUICK).sample()
        rows = [table.rows_of(name) & (table.temp == 0) for name in contrast.sides]
        means = [float(table.metrics["em"][arm][sample.items].mean()) for arm in rows]
        assert means[1] > means[0]
        assert sample.totals.mean == pytest.approx(means[1] - means[0])
        assert [float(arm.score.mean()) for arm in sample.arms] == pytest.approx(means)
