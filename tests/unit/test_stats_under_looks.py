"""What a trial that was looked at shows: the rule decides on its endpoint in each contrast, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import msgspec
import pytest
from msgspec import UNSET

from promptrial.documents.looks import EndpointLookRow, LookRow, Looks, StoppingRule
from promptrial.documents.significance import Endpoint, HypothesisTest, Significance, StatsSettings
from promptrial.stats.analysis import analyse
from promptrial.stats.under_looks import FAMILY, under_looks
from tests.support.score_tables import trial_table

SETTINGS = StatsSettings(
    primary=("em", "f1"),
    bootstrap_samples=50,
    permutation_samples=50,
    tost_margins={"em": 0.1},
    wanted={"em": "higher", "f1": "higher"},
)


def seen(low: float, high: float, p: float, level: float = 0.025, **changes: Any) -> EndpointLookRow:
    row = EndpointLookRow(
        contrast="treatment vs control", temp=0.0, difference=0.1, ci_low=low, ci_high=high, p=p, level=level,
        n_pairs=100, n_clusters=100, reason=None,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def looks(*rows: EndpointLookRow, rule: StoppingRule = "pocock") -> Looks:
    taken = tuple(LookRow(wave=at, items=50 * at, endpoints=(row,)) for at, row in enumerate(rows, 1))
    return Looks(
        rule=rule, metric="em", alpha=0.05, efficacy=True, futility=None, waves_planned=2, items_planned=120, items=120,
        decision="end", taken=taken,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fixed() -> Significance:
    """The analysis of a trial of a fixed size."""
    return analyse(trial_table(120, temps=(0.0, 0.7)), SETTINGS, looked_at="em")


def endpoint(document: Significance, metric: str = "em", temp: float = 0.0) -> Endpoint:
    return next(row for row in document.endpoints if (row.metric, row.temp, row.scope) == (metric, temp, "overall"))


def hypothesis(document: Significance, name: str, temp: float = 0.0) -> HypothesisTest:
    return next(
        row
        for row in document.tests
        if (row.metric, row.temp, row.scope, row.hypothesis) == ("em", temp, "overall", name)
    )


def test_p_is_the_smallest_scaled_p_of_all_looks_and_the_interval_is_that_of_the_last(
    fixed: Significance,
) -> None:
    found = under_looks(fixed, looks(seen(-0.2, 0.3, 0.01), seen(-0.1, 0.2, 0.02)))
    row, test = endpoint(found), hypothesis(found, "difference")
    assert row.p == row.p_adjusted == test.p == test.p_adjusted == pytest.approx(0.02)
    assert row.significant is test.rejected is True
    assert (row.ci_low, row.ci_high) == (-0.1, 0.2)
    assert (row.family, row.p_method, row.ci_method) == (FAMILY, "repeated_test", "repeated_interval")
    assert (test.method, test.family) == ("repeated_test", FAMILY)
    assert row.difference == endpoint(fixed).difference, "the difference is that of all items"


@pytest.mark.parametrize(
    ("rows", "interval"),
    [
        ([seen(0.02, 0.3, 0.01), seen(-0.1, 0.2, 0.03)], (0.02, 0.2)),
        ([seen(0.02, 0.3, 0.025), seen(-0.1, 0.2, 0.026)], (0.02, 0.2)),
        ([seen(0.02, 0.3, 0.01), seen(0.01, 0.2, 0.02)], (0.01, 0.2)),
        ([seen(-0.02, 0.3, 0.03), seen(-0.1, 0.2, 0.03)], (-0.1, 0.2)),
        ([seen(0.25, 0.3, 0.01), seen(-0.1, 0.2, 0.03)], (-0.1, 0.2)),
    ],
    ids=["takes_back", "at_the_level", "shown_to_the_end", "never_shown", "nothing_in_common"],
)
def test_if_the_last_look_takes_back_a_difference_the_interval_is_the_common_part_of_all_looks(
    fixed: Significance, rows: list[EndpointLookRow], interval: tuple[float, float]
) -> None:
    row = endpoint(under_looks(fixed, looks(*rows)))
    assert (row.ci_low, row.ci_high) == interval


@pytest.mark.parametrize(("p", "significant"), [(0.025, True), (0.0251, False), (0.9, False)])
def test_a_difference_is_significant_where_p_is_at_most_alpha_and_p_is_at_most_one(
    fixed: Significance, p: float, *, significant: bool
) -> None:
    row = endpoint(under_looks(fixed, looks(seen(-0.1, 0.2, p))))
    assert row.significant is significant
    assert row.p == pytest.approx(min(1.0, 2 * p))


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "not_worse"),
    [(-0.09, 0.09, True, True), (-0.09, 0.1, False, True), (-0.1, 0.09, False, False), (-0.2, 0.2, False, False)],
)
def test_a_margin_is_kept_where_the_interval_of_the_looks_keeps_it(
    fixed: Significance, low: float, high: float, *, equivalent: bool, not_worse: bool
) -> None:
    found = under_looks(fixed, looks(seen(low, high, 0.5)))
    for name, kept in (("equivalence", equivalent), ("non-inferiority", not_worse)):
        test = hypothesis(found, name.replace("-", "_"))
        assert (test.rejected, test.p, test.p_adjusted) == (kept, None, None)


def test_where_less_is_wanted_not_worse_is_decided_by_the_upper_limit(fixed: Significance) -> None:
    turned = msgspec.structs.replace(fixed, settings=replace(SETTINGS, wanted={"em": "lower"}))
    for high, kept in ((0.09, True), (0.1, False)):
        test = hypothesis(under_looks(turned, looks(seen(-0.2, high, 0.5))), "non_inferiority")
        assert test.rejected is kept


@pytest.mark.parametrize("changes", [{"contrast": "other vs control"}, {"temp": 0.5}])
def test_looks_at_another_contrast_or_temperature_change_nothing(fixed: Significance, changes: dict[str, Any]) -> None:
    found = under_looks(fixed, looks(seen(-0.1, 0.2, 0.001, **changes)))
    assert (found.endpoints, found.tests) == (fixed.endpoints, fixed.tests)


def test_other_endpoints_and_subsets_stay_as_they_were(fixed: Significance) -> None:
    found = under_looks(fixed, looks(seen(-0.1, 0.2, 0.001)))
    changed = [row for row, before in zip(found.endpoints, fixed.endpoints, strict=True) if row != before]
    assert [(row.metric, row.temp, row.scope) for row in changed] == [("em", 0.0, "overall")]
    assert found.looks is not UNSET


def test_families_count_the_tests_that_they_have_now(fixed: Significance) -> None:
    found = under_looks(fixed, looks(seen(-0.1, 0.2, 0.001)))
    own = found.families[0]
    assert (own.name, own.correction, own.size, own.rejected) == (FAMILY, "bonferroni", 1, 1)
    assert [each for each in found.families if each.name.startswith("interactions/")] == [
        each for each in fixed.families if each.name.startswith("interactions/")
    ]
    others = [each for each in found.families if not each.name.startswith("interactions/")]
    for family in others:
        members = [test for test in found.tests if test.family == family.name]
        assert family.size == sum(test.p is not None for test in members)
        assert family.rejected == sum(test.rejected is True for test in members)
    assert all(any(test.family == family.name for test in found.tests) for family in others)


@pytest.mark.parametrize(
    ("rule", "methods"),
    [("evalue", ("e_value", "confidence_sequence")), ("obrien_fleming", ("repeated_test", "repeated_interval"))],
)
def test_each_rule_names_its_test_and_its_interval(
    fixed: Significance, rule: Literal["evalue", "obrien_fleming"], methods: tuple[str, str]
) -> None:
    row = endpoint(under_looks(fixed, looks(seen(-0.1, 0.2, 0.5), rule=rule)))
    assert (row.p_method, row.ci_method) == methods


@pytest.mark.parametrize("rule", ["evalue", "pocock"])
def test_cautions_of_the_test_that_the_rule_replaces_go(fixed: Significance, rule: StoppingRule) -> None:
    said = ("only 7 clusters: p-values go in steps", "sign flips alone would reject", "only 3 pairs differ in sign",
            "the largest cluster holds 30% of the pairs")  # fmt: skip
    row = msgspec.structs.replace(endpoint(fixed), cautions=said)
    document = msgspec.structs.replace(fixed, endpoints=(row,))
    found = under_looks(document, looks(seen(-0.1, 0.2, 0.5), rule=rule)).endpoints[0].cautions
    few = "only 7 clusters: the p-value is coarse, and the interval is wide"
    assert (
        found
        == {
            "pocock": (few, "only 3 pairs differ in sign", "the largest cluster holds 30% of the pairs"),
            "evalue": ("only 7 clusters: the interval is wide", "the largest cluster holds 30% of the pairs"),
        }[rule]
    )
