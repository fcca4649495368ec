"""The whole analysis: which tests form a family, what decides, and what is recorded."""

from __future__ import annotations

import _thread
import itertools
import json
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

from promptrial import registry
from promptrial.documents import significance
from promptrial.documents.missing import MissingRule
from promptrial.documents.significance import (
    SCORE_QUANTITIES,
    Endpoint,
    Estimate,
    HypothesisTest,
    Significance,
    StatsSettings,
)
from promptrial.errors import NewerVersionError
from promptrial.stats import analysis
from promptrial.stats.adjusted_p_values import benjamini_hochberg, holm
from promptrial.stats.analysis import analyse, stream
from promptrial.stats.attrition import arm_attrition
from promptrial.stats.endpoints import _arm_interval
from promptrial.stats.families import correct
from promptrial.stats.intervals import wilson
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import ArmScores, FloatArray, IntArray, ScoreTable
from promptrial.stats.score_table import nothing
from promptrial.stats.selective import ratio_estimate
from tests.support.schemas import validate
from tests.support.score_tables import ROLES, table_of, trial_table

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "significance.schema.json"
QUICK = StatsSettings(bootstrap_samples=300, permutation_samples=300, tost_margins={"em": 0.1}, wanted={"em": "higher"})
NAN = math.nan


def changed(table: ScoreTable, **columns: Any) -> ScoreTable:
    columns = {"roles": ROLES} | columns
    return ScoreTable(**({name: getattr(table, name) for name in ScoreTable.__slots__} | columns))


CLUSTERED: dict[str, Any] = {"binary": True, "clustered": True, "confidence": 0.95, "score_range": (0.0, 1.0)}


def arm_scores(scores: FloatArray, cluster: IntArray) -> ArmScores:
    one_each = np.ones(len(scores), dtype=np.int64)
    return ArmScores(scores, cluster, one_each, planned=one_each, n_planned=len(scores))


def endpoint_of(document: Significance, metric: str, scope: str = "overall", subset: str = "all") -> Endpoint:
    return next(e for e in document.endpoints if (e.metric, e.scope, e.subset) == (metric, scope, subset))


def rows_of(document: Significance, **wanted: object) -> list[Estimate]:
    return [row for row in document.estimates if all(getattr(row, name) == value for name, value in wanted.items())]


@pytest.fixture(scope="module")
def document() -> Significance:
    attrition = {"control": arm_attrition(480, 456, {"timeout": 20}), "treatment": arm_attrition(480, 480, {})}
    return analyse(trial_table(temps=(0.0, 0.7)), QUICK, attrition)


def test_every_metric_and_temperature_is_an_endpoint_overall_and_by_subset(document: Significance) -> None:
    found = {(e.metric, e.temp, e.scope, e.subset) for e in document.endpoints}
    subsets = [
        ("overall", "all"),
        ("dataset", "passages"),
        ("dataset", "trivia_a"),
        ("dataset", "trivia_b"),
        ("type", "closed"),
        ("type", "open"),
    ]
    metrics = ("em", "f1", "abstain_rate", "false_answer_rate", "unsupported_rate")
    assert found == {(m, t, *s) for m, t, s in itertools.product(metrics, (0.0, 0.7), subsets)}


def test_every_statistic_of_the_registry_gives_rows(document: Significance) -> None:
    assert {row.method for row in document.estimates} == set(registry.STATISTICS)


def test_mcnemar_and_wilcoxon_are_never_reported_for_the_same_endpoint(document: Significance) -> None:
    methods: dict[tuple[object, ...], set[str]] = {}
    for row in document.estimates:
        methods.setdefault((row.metric, row.temp, row.scope, row.subset), set()).add(row.method)
    assert all(("mcnemar" in names) != ("wilcoxon" in names) for names in methods.values())
    assert not rows_of(document, metric="f1", method="mcnemar")


def test_the_score_test_decides_on_independent_binary_items_and_sign_flips_on_the_rest(document: Significance) -> None:
    assert endpoint_of(document, "em").p_method == "permutation"
    assert endpoint_of(document, "em", "type", "closed").p_method == "score"
    assert endpoint_of(document, "em", "type", "closed").ci_method == "tango"
    assert endpoint_of(document, "f1", "type", "closed").p_method == "permutation"
    assert endpoint_of(document, "em").ci_method == "sign_flips"


def test_the_designated_p_is_the_one_of_its_method(document: Significance) -> None:
    for test in document.tests:
        quantities = {"equivalence", "non_inferiority"} if test.method == "tost" else None
        rows = rows_of(
            document, metric=test.metric, temp=test.temp, scope=test.scope, subset=test.subset, method=test.method
        )
        candidates = {row.quantity: row.p for row in rows}
        if quantities:
            assert test.p == candidates[test.hypothesis]
        else:
            assert set(candidates.values()) == {test.p}


def test_a_subgroup_is_never_in_one_family_with_the_overall_test(document: Significance) -> None:
    families: dict[str, list[HypothesisTest]] = {}
    for test in document.tests:
        families.setdefault(test.family, []).append(test)
    for name, members in families.items():
        assert len({test.scope for test in members}) == 1
        if name.startswith("subgroups/"):
            assert len({(test.metric, test.temp) for test in members}) == 1


def test_primary_tests_are_corrected_by_holm_and_the_rest_by_benjamini_and_hochberg(document: Significance) -> None:
    expected = {"primary": holm, "exploratory": benjamini_hochberg, "equivalence": holm, "non_inferiority": holm}
    families = [family for family in document.families if not family.name.startswith("interactions/")]
    assert {family.name for family in families if not family.name.startswith("subgroups/")} == set(expected)
    for family in families:
        members = [test for test in document.tests if test.family == family.name]
        adjust = expected.get(family.name, benjamini_hochberg)
        assert family.correction == ("holm" if adjust is holm else "bh")
        adjusted = adjust([NAN if test.p is None else test.p for test in members])
        assert [test.p_adjusted for test in members] == pytest.approx(adjusted.tolist())
        assert [test.rejected for test in members] == [value <= QUICK.alpha for value in adjusted]
        assert family.size == len(members)
        assert family.rejected == sum(bool(test.rejected) for test in members)


def test_the_primary_family_holds_the_declared_metrics_overall(document: Significance) -> None:
    assert {(t.metric, t.temp) for t in document.tests if t.family == "primary"} == {("em", 0.0), ("em", 0.7)}


def test_a_single_primary_test_is_not_corrected() -> None:
    result = analyse(trial_table(60), QUICK)
    primary = [test for test in result.tests if test.family == "primary"]
    assert primary[0].p is not None
    assert [test.p_adjusted for test in primary] == [primary[0].p]


def test_a_test_without_a_p_value_is_undecided_and_not_counted() -> None:
    tests = [
        HypothesisTest(
            family="exploratory",
            hypothesis="difference",
            metric=f"m{index}",
            temp=0.0,
            scope="overall",
            subset="all",
            method="permutation",
            p=p,
            p_adjusted=None,
            rejected=None,
        )
        for index, p in enumerate([0.04, None, 0.03])
    ]
    decided, families = correct(tests, 0.05)
    assert [test.p_adjusted for test in decided] == [pytest.approx(0.04), None, pytest.approx(0.04)]
    assert [test.rejected for test in decided] == [True, None, True]
    assert (families[0].size, families[0].rejected) == (2, 2)


def test_endpoints_carry_the_outcome_of_their_test(document: Significance) -> None:
    outcome = {(t.metric, t.temp, t.scope, t.subset): t for t in document.tests if t.hypothesis == "difference"}
    for endpoint in document.endpoints:
        test = outcome.get((endpoint.metric, endpoint.temp, endpoint.scope, endpoint.subset))
        if test is None:
            assert endpoint.n_pairs == 0
            assert endpoint.reason is not None
        else:
            assert (endpoint.p, endpoint.p_adjusted, endpoint.significant, endpoint.family) == (
                test.p,
                test.p_adjusted,
                test.rejected,
                test.family,
            )


def test_items_of_an_endpoint_add_up(document: Significance) -> None:
    for e in document.endpoints:
        assert e.n_items == e.n_pairs + e.n_control_only + e.n_treatment_only + e.n_lost + e.n_not_applicable
        assert e.control.n_scored == e.n_pairs + e.n_control_only
        assert e.treatment.n_paired == e.n_pairs
        if e.bounds.low is not None and e.bounds.high is not None:
            share = (e.bounds.n_missing_control + e.bounds.n_missing_treatment) / e.bounds.n_items
            assert e.bounds.high - e.bounds.low == pytest.approx(share)


def test_false_answers_are_counted_only_over_unanswerable_items(document: Significance) -> None:
    endpoint = endpoint_of(document, "false_answer_rate")
    assert endpoint.control.n_scored <= 60  # of 240 items
    assert endpoint.n_not_applicable > 150
    closed = endpoint_of(document, "false_answer_rate", "type", "closed")
    assert (closed.n_pairs, closed.p, closed.difference) == (0, None, None)
    assert closed.reason == "the metric applies to no item that was answered"


def test_arm_means_have_wilson_limits_only_where_items_are_independent(document: Significance) -> None:
    assert endpoint_of(document, "em", "type", "closed").control.ci_method == "wilson"
    assert endpoint_of(document, "em").control.ci_method == "wilson_effective"
    assert endpoint_of(document, "f1", "type", "closed").control.ci_method == "clustered_t"


def test_the_document_is_json_without_nan_and_fits_the_published_schema(document: Significance) -> None:
    data = significance.encode(document)

    def refuse(token: str) -> float:
        raise AssertionError(token)

    parsed = json.loads(data, parse_constant=refuse)
    validate(parsed, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert parsed["schema_version"] == 2
    assert parsed["attrition"]["control"]["unexplained"] == 4
    assert significance.decode(data) == document


def test_the_published_schema_equals_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(significance.json_schema()))


def test_the_schema_refuses_what_is_not_such_a_document(document: Significance) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    good = json.loads(significance.encode(document))
    for bad in (good | {"schema_version": 1}, {k: v for k, v in good.items() if k != "tests"}):
        with pytest.raises(jsonschema.ValidationError):
            validate(bad, schema)
    with pytest.raises(NewerVersionError):
        significance.decode(json.dumps(good | {"schema_version": 3}).encode())
    with pytest.raises(msgspec.ValidationError):
        significance.decode(json.dumps(good | {"tests": 5}).encode())


def test_the_same_scores_give_the_same_bytes_in_any_row_order() -> None:
    table = trial_table(80)
    order = np.random.default_rng(1).permutation(len(table.item))
    columns = {
        name: getattr(table, name)[order] for name in ("item", "dataset", "cluster", "type", "arm", "temp", "n_samples")
    }
    shuffled = changed(table, **columns, metrics={name: column[order] for name, column in table.metrics.items()})
    assert significance.encode(analyse(table, QUICK)) == significance.encode(analyse(shuffled, QUICK))


def test_another_endpoint_changes_no_number_of_the_others() -> None:
    table = trial_table(80)
    alone = changed(table, metrics={"f1": table.metrics["f1"]})
    assert rows_of(analyse(table, QUICK), metric="f1") == list(analyse(alone, QUICK).estimates)


def test_another_seed_changes_the_draws_and_only_the_draws() -> None:
    table = trial_table(80)
    one, other = (
        analyse(table, StatsSettings(random_seed=seed, bootstrap_samples=300, permutation_samples=300))
        for seed in (1, 2)
    )
    changed_methods = {a.method for a, b in zip(one.estimates, other.estimates, strict=True) if a != b}
    assert changed_methods == {"bootstrap", "permutation", "effect_size"}


def test_streams_differ_by_name_and_by_seed() -> None:
    draws = [stream(*key).random() for key in ((1, "a", "b"), (1, "ab"), (2, "a", "b"), (1, "b", "a"))]
    assert len(set(draws)) == 4


def test_subsets_with_the_same_pairs_have_the_same_numbers(document: Significance) -> None:
    for row in rows_of(document, scope="type", subset="open"):
        [twin] = rows_of(
            document,
            scope="dataset",
            subset="passages",
            **{name: getattr(row, name) for name in ("metric", "temp", "method", "quantity")},
        )
        assert msgspec.structs.replace(twin, scope="type", subset="open") == row


def test_identical_arms_are_not_significant_anywhere() -> None:
    table = trial_table(80, lost=0)
    control = table.arm == 0
    same = changed(table, metrics={name: np.tile(column[control], 2) for name, column in table.metrics.items()})
    result = analyse(same, QUICK)
    assert {test.p for test in result.tests if test.hypothesis == "difference"} == {1.0}
    assert not any(test.rejected for test in result.tests if test.hypothesis == "difference")
    assert endpoint_of(result, "em").difference == 0
    graded, binary = endpoint_of(result, "f1"), endpoint_of(result, "em")
    assert (graded.difference, graded.p, graded.ci_low, graded.ci_high, graded.ci_method) == (0, 1, None, None, None)
    assert graded.reason == "every cluster has the same mean difference: no interval can be computed"
    assert binary.ci_method == "sign_flips_hull"
    assert binary.ci_low is not None
    assert -0.1 < binary.ci_low < 0


def test_every_interval_of_an_effect_or_an_arm_has_a_width() -> None:
    """Three passages with all answers right in both arms show next to nothing."""
    same = np.ones(18)
    table = table_of([1] * 9, [1] * 9, cluster=[0, 0, 0, 1, 1, 1, 2, 2, 2])
    result = analyse(changed(table, metrics={"em": same, "f1": same, "abstain_rate": 1 - same}), QUICK)
    limits = [(row.ci_low, row.ci_high) for row in result.endpoints]
    limits += [(row.ci_low, row.ci_high) for row in (*result.estimates, *result.selective)]
    limits += [(arm.ci_low, arm.ci_high) for row in result.endpoints for arm in (row.control, row.treatment)]
    assert len(limits) > 20
    assert all(low != high for low, high in limits if (low, high) != (None, None))
    coverage = {row.quantity: row for row in result.selective if row.metric == "coverage"}
    assert (coverage["control"].ci_low, coverage["control"].ci_high) == wilson(3, 3)
    assert coverage["difference"].reason == "no variation between clusters: no interval can be computed"
    assert endpoint_of(result, "f1").control.ci_method is None


def test_one_arm_alone_is_described_and_not_tested() -> None:
    result = analyse(table_of([1, 0, 1], [NAN, NAN, NAN]), QUICK)
    [endpoint] = result.endpoints
    assert endpoint.control.mean == pytest.approx(2 / 3)
    assert endpoint.treatment.mean is None
    assert endpoint.reason == "no pair: no item has a score in both arms"
    assert result.tests == ()
    assert endpoint.bounds.low == pytest.approx(0 - 2 / 3)
    assert endpoint.bounds.high == pytest.approx(1 - 2 / 3)


def test_one_passage_gives_an_undecided_endpoint_with_a_reason() -> None:
    result = analyse(table_of([1, 0, 1], [1, 1, 1], cluster=[0, 0, 0]), QUICK)
    [endpoint] = result.endpoints
    assert endpoint.difference == pytest.approx(1 / 3)
    assert (endpoint.p, endpoint.ci_low, endpoint.significant) == (None, None, None)
    assert endpoint.reason == "one cluster: no test and no interval can be computed"
    assert endpoint.control.ci_method is None


def clustered_table(sizes: list[int], metric: str = "em", seed: int = 3) -> ScoreTable:
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    control, treatment = rng.integers(0, 2, (2, n)).astype(float).tolist()
    cluster = np.repeat(np.arange(len(sizes)), sizes).tolist()
    return table_of(control, treatment, metric=metric, cluster=cluster)


def test_a_dominant_cluster_is_named_with_its_share() -> None:
    table = clustered_table([3] * 12 + [20])
    named = changed(table, cluster_names=[f"passage{n}" for n in range(13)])
    endpoint = analyse(named, QUICK).endpoints[0]
    assert endpoint.largest_cluster == "passage12"
    assert endpoint.largest_cluster_share == pytest.approx(20 / 56)
    assert "the largest cluster (passage12) holds 36% of the pairs" in endpoint.cautions
    unnamed = analyse(table, QUICK).endpoints[0]
    assert (unnamed.largest_cluster, "the largest cluster holds 36% of the pairs" in unnamed.cautions) == (None, True)
    even = analyse(clustered_table([4] * 10), QUICK).endpoints[0]
    assert (even.largest_cluster_share, even.cautions) == (None, ())


@pytest.mark.parametrize(
    ("clusters", "caution"),
    [
        (5, "only 5 clusters: no p-value can reach 0.05; at least 6 are needed"),
        (8, "only 8 clusters: p-values go in steps of 0.0078, and the interval is wide"),
        (10, None),
    ],
)
def test_few_clusters_are_a_caution(clusters: int, caution: str | None) -> None:
    endpoint = analyse(clustered_table([4] * clusters), QUICK).endpoints[0]
    assert [text for text in endpoint.cautions if text.startswith("only")] == ([] if caution is None else [caution])
    assert endpoint.clusters_needed == (6 if clusters == 5 else None)
    assert (endpoint.ci_low is None) == (clusters == 5)


def effects_of(changed_clusters: int, gain: float, *, graded: bool, clusters: int = 30) -> Endpoint:
    """Return the endpoint of clusters of two, of which some have one item that the treatment alone has right."""
    treatment = np.zeros(2 * clusters)
    treatment[: 2 * changed_clusters : 2] = np.resize([gain, gain / 2 if graded else gain], changed_clusters)
    table = table_of([0.0] * len(treatment), treatment.tolist(), cluster=(np.arange(2 * clusters) // 2).tolist())
    return analyse(table, StatsSettings(bootstrap_samples=50, graded=("em",) if graded else ())).endpoints[0]


def test_the_caution_of_sparse_data_says_how_many_clusters_differ_and_which_way() -> None:
    """Where most clusters have a gain and none a loss, it would be wrong to say that few differ."""
    [caution] = effects_of(25, 1.0, graded=False).cautions
    assert caution == (
        "too sparse for sign flips alone (pairs differ in 25 of 30 clusters: upwards in 25, downwards in 0): "
        "the interval is widened, by a design effect of at least 1.05"
    )


def test_the_interval_of_continuous_scores_that_differ_in_few_clusters_is_called_approximate() -> None:
    sparse = effects_of(4, 1.0, graded=True)
    assert (sparse.ci_method, sparse.ci_low) == ("sign_flips", 0.0)
    assert sparse.cautions == ("pairs differ in 4 of 30 clusters: the interval is approximate, and may be too narrow",)
    assert effects_of(25, 1.0, graded=True).cautions == ()
    items = analyse(table_of([0.0] * 30, [0.5] * 2 + [0.25] + [0.0] * 27, metric="f1"), QUICK).endpoints[0]
    assert items.cautions == ("pairs differ in 3 of 30 items: the interval is approximate, and may be too narrow",)


def test_a_caution_does_not_mention_a_missing_interval() -> None:
    strict = StatsSettings(bootstrap_samples=50, confidence=0.99)
    endpoint = analyse(clustered_table([4] * 7), strict).endpoints[0]
    assert (endpoint.ci_low, endpoint.clusters_needed) == (None, 8)
    assert endpoint.cautions == ("only 7 clusters: p-values go in steps of 0.016",)


def test_a_difference_that_only_sign_flips_reject_is_reported_without_an_interval_of_another_level() -> None:
    """At 80% the interval excludes 0, though nothing is shown at 0.05."""
    treatment = [float(n % 10 == 0 and n < 60) for n in range(200)]
    table = table_of([0.0] * 200, treatment, cluster=[n // 10 for n in range(200)])
    endpoint = analyse(table, StatsSettings(bootstrap_samples=50, confidence=0.8)).endpoints[0]
    assert endpoint.not_shown
    assert endpoint.ci_low is not None
    assert endpoint.ci_low > 0
    assert (
        "sign flips alone would reject (p = 0.0312), the score test on effective counts would not" in endpoint.cautions
    )


def test_equal_scores_have_equal_figures_under_any_name_and_at_any_seed() -> None:
    table = clustered_table([2] * 40)
    twice = changed(table, metrics={"em": table.metrics["em"], "other": table.metrics["em"]})
    settings = StatsSettings(graded=(), bootstrap_samples=50)
    one, other = (row for row in analyse(twice, settings).endpoints if row.scope == "overall")
    assert (one.p, one.ci_low, one.ci_high) == (other.p, other.ci_low, other.ci_high)
    reseeded = analyse(twice, StatsSettings(graded=(), bootstrap_samples=50, random_seed=9)).endpoints[0]
    assert reseeded.p == one.p, "sums of 0/1 scores lie on a lattice"
    assert one.monte_carlo_se == 0


def test_an_effective_sample_is_never_larger_than_the_sample(document: Significance) -> None:
    alternating = table_of([1, 0] * 30, [0, 1] * 30, cluster=[n // 2 for n in range(60)])
    found = [*document.estimates, *analyse(alternating, QUICK).estimates]
    effective = [(row.figures["n_effective"], row.n_pairs) for row in found if row.figures.get("n_effective")]
    assert effective
    assert all(n is not None and n <= pairs for n, pairs in effective)


def test_a_p_and_the_interval_of_its_row_never_disagree(document: Significance) -> None:
    rows = [
        row for row in document.estimates if row.p is not None and row.ci_low is not None and row.ci_high is not None
    ]
    differences = [row for row in rows if row.quantity in {"mean_difference", "risk_difference"}]
    assert {row.method for row in differences} == {"score", "permutation", "paired_difference", "cr2"}
    for row in differences:
        assert (row.ci_low <= 0 <= row.ci_high) == (row.p > 0.05)  # type: ignore[operator]
    for endpoint in document.endpoints:
        if endpoint.p is not None and endpoint.ci_low is not None and endpoint.ci_high is not None:
            assert (endpoint.ci_low <= 0 <= endpoint.ci_high) == (endpoint.p > 0.05)


def test_one_pair_is_enough_for_a_document() -> None:
    for table in (table_of([1], [0]), table_of([0.5], [0.25], metric="f1")):
        result = analyse(table, QUICK)
        assert significance.decode(significance.encode(result)) == result
        assert result.endpoints[0].n_pairs == 1


def test_a_table_without_rows_gives_an_empty_document() -> None:
    result = analyse(table_of([], []), QUICK)
    assert (result.endpoints, result.tests, result.estimates) == ((), (), ())


def test_every_null_estimate_has_a_reason() -> None:
    declines = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=np.float64)
    unlike, alike = table_of([0, 0, 0, 0], [1, 1, 1, 0]), table_of([1, 0, 1, 1], [1, 0, 1, 1])
    tables = [
        changed(unlike, metrics={"em": unlike.metrics["em"], "abstain_rate": declines}),
        changed(alike, metrics={"em": alike.metrics["em"], "f1": alike.metrics["em"] / 2}),
        table_of([1, 0, 1], [1, 1, 1], cluster=[0, 0, 0]),
    ]
    documents = [analyse(table, QUICK) for table in tables]
    null = [row for each in documents for row in (*each.estimates, *each.selective) if row.estimate is None]
    undefined = {"odds_ratio", "d_z", "rank_biserial", "mean_difference", "control", "difference"}
    assert {row.quantity for row in null} == undefined
    assert [row for row in null if row.reason is None] == []


class Backwards:
    """Stands for threads of which the last piece of work is done first."""

    def __init__(self, _threads: int) -> None: ...

    def shutdown(self, **_: object) -> None: ...

    def map(self, call: Callable[[Any], Any], pieces: Iterable[Any]) -> list[Any]:
        return [call(piece) for piece in reversed([*pieces])][::-1]


@pytest.mark.parametrize("missing", ["exclude", "failure"])
def test_the_document_depends_neither_on_threads_nor_on_their_order(
    missing: MissingRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = trial_table(temps=(0.0, 0.7))
    settings = replace(QUICK, missing=missing, wanted=dict.fromkeys(table.metrics, "higher"))
    alone = significance.encode(analyse(table, settings))
    assert significance.encode(analyse(table, settings, threads=4)) == alone
    monkeypatch.setattr(analysis, "ThreadPoolExecutor", Backwards)
    assert significance.encode(analyse(table, settings, threads=2)) == alone


def test_interrupting_statistics_does_not_wait_for_threads() -> None:
    ended = threading.Event()

    def interrupt() -> Any:
        _thread.interrupt_main()
        ended.wait(60)

    with pytest.raises(KeyboardInterrupt):
        analysis._done([interrupt, *[partial(ended.wait, 60)] * 8], 2)  # type: ignore[list-item]  # it finds nothing
    assert not ended.is_set()
    ended.set()


@pytest.mark.parametrize("missing", ["exclude", "failure"])
def test_columns_in_fewer_bytes_give_the_same_document(missing: MissingRule) -> None:
    table = trial_table(lost=0.1)
    n = len(table.item)
    wide = changed(table, deviations={name: np.full(n, NAN) for name in table.metrics})
    narrow = changed(
        table,
        **{name: getattr(table, name).astype(np.int8) for name in ("arm", "dataset", "type")},
        **{name: getattr(table, name).astype(np.int32) for name in ("item", "cluster", "n_samples")},
        temp=np.broadcast_to(table.temp[0], n),
        deviations=dict.fromkeys(table.metrics, nothing(n)),
    )
    settings = replace(QUICK, missing=missing, wanted=dict.fromkeys(table.metrics, "higher"))
    assert significance.encode(analyse(narrow, settings)) == significance.encode(analyse(wide, settings))


def test_coverage_and_selective_accuracy_are_over_answered_items() -> None:
    em = [1, 0, 1, 1, 0, 0]
    abstains = [0, 0, 0, 1, 1, 0]
    unanswerable = [NAN, NAN, NAN, 0, NAN, 1]  # of the last two kinds: one refused rightly, one answered falsely
    table = table_of(em, em)
    table = changed(
        table,
        metrics={
            "em": np.tile(np.array(em, dtype=np.float64), 2),
            "abstain_rate": np.tile(np.array(abstains, dtype=np.float64), 2),
            "false_answer_rate": np.tile(np.array(unanswerable), 2),
        },
    )
    rows = {(row.metric, row.quantity): row for row in analyse(table, QUICK).selective}
    assert rows["coverage", "control"].estimate == pytest.approx(4 / 6)
    assert rows["selective_accuracy", "control"].estimate == pytest.approx(2 / 4)  # the right refusal is no answer
    assert rows["selective_accuracy", "control"].notes == ("Wilson",)
    assert rows["selective_accuracy", "difference"].estimate == 0


def test_an_arm_that_answers_nothing_has_no_selective_accuracy() -> None:
    table = table_of([0, 0, 0], [1, 0, 1])
    abstain = np.array([1, 1, 1, 0, 0, 0], dtype=np.float64)
    table = changed(table, metrics={"em": table.metrics["em"], "abstain_rate": abstain})
    rows = {(row.metric, row.quantity): row for row in analyse(table, QUICK).selective}
    assert rows["coverage", "control"].estimate == 0
    assert rows["selective_accuracy", "control"].estimate is None
    assert rows["selective_accuracy", "control"].reason == "an arm answered nothing"
    assert rows["selective_accuracy", "difference"].estimate is None


def test_a_ratio_with_a_constant_denominator_is_a_clustered_mean() -> None:
    rng = np.random.default_rng(2)
    values, cluster = rng.normal(size=60), np.arange(60) // 3
    ratio = ratio_estimate(values, np.ones(60), cluster)
    mean = paired_difference(values, cluster)
    assert (ratio.value, ratio.se, ratio.df) == pytest.approx((mean.mean, mean.se, mean.df))


def test_a_metric_unknown_to_the_program_is_analysed_like_any_other() -> None:
    settings = replace(QUICK, graded=("brevity",))
    result = analyse(table_of([0.1, 0.9, 0.4, 0.3], [0.2, 0.7, 0.6, 0.8], metric="brevity"), settings)
    assert result.endpoints[0].scale == "graded"
    assert result.tests[0].family == "exploratory"


@pytest.mark.parametrize("lost", [None, 0, 1, 40])
def test_methods_do_not_depend_on_which_answers_arrived(lost: int | None) -> None:
    """One passage is shared among 104 items; with or without its answers, the endpoint is tested in clusters."""
    rng = np.random.default_rng(4)
    right = (rng.random((2, 104)) < 0.6).astype(float)
    metrics = {"em": right.copy(), "abstain_rate": 1 - right}
    for column in metrics.values():
        column[:, [] if lost is None else lost] = NAN
    table = table_of(*right, cluster=[0, 0, *range(1, 103)])
    found = analyse(
        changed(
            table,
            metrics={name: column.reshape(-1) for name, column in metrics.items()},
            n_samples=(~np.isnan(metrics["em"])).astype(np.int64).reshape(-1),
        ),
        QUICK,
    )
    endpoint = endpoint_of(found, "em")
    assert endpoint.clustered
    assert endpoint.p_method == "permutation"
    assert endpoint.control.ci_method == endpoint.treatment.ci_method == "wilson_effective"
    coverage = [row for row in found.selective if row.metric == "coverage"]
    assert {row.notes for row in coverage} == {("Student's t, clustered",)}


def test_replicates_make_an_endpoint_continuous_even_if_every_mean_is_0_or_1() -> None:
    table = table_of([1, 0, 1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1, 0, 1])
    planned = changed(table, planned_samples={(arm, 0.0): 3 for arm in (0, 1)})
    assert endpoint_of(analyse(table, QUICK), "em").scale == "binary"
    assert endpoint_of(analyse(planned, QUICK), "em").scale == "graded"


def test_intervals_are_cut_at_the_range_that_the_scorer_declares() -> None:
    scores = [1.0, 10, 10, 10, 9, 10], [10.0, 1, 10, 10, 10, 9]
    settings = replace(QUICK, graded=("em",), ranges={"em": (1.0, 10.0)}, tost_margins={})
    endpoint = endpoint_of(analyse(table_of(*scores), settings), "em")
    assert endpoint.control.ci_high == 10
    assert endpoint.ci_high is not None
    assert endpoint.ci_high > 1
    shifted = [[(score - 1) / 9 for score in arm] for arm in scores]
    unit = endpoint_of(analyse(table_of(*shifted), replace(settings, ranges={})), "em")
    assert unit.ci_low is not None
    assert (endpoint.ci_low, endpoint.ci_high) == pytest.approx((9 * unit.ci_low, 9 * (unit.ci_high or 0)))
    assert endpoint.bounds.low == pytest.approx(9 * (unit.bounds.low or 0))


def test_no_row_has_a_limit_beyond_the_possible_differences() -> None:
    table = table_of([0, 0, 0, 1, 0, 0, 1, 0], [1, 1, 1, 0, 1, 1, 1, 1], cluster=[0, 0, 1, 2, 3, 4, 5, 6])
    for factor in (1.0, 10.0):
        scaled = changed(table, metrics={"em": factor * table.metrics["em"]})
        settings = replace(QUICK, graded=("em",), ranges={"em": (0.0, factor)})
        rows = [row for row in analyse(scaled, settings).estimates if row.quantity in SCORE_QUANTITIES]
        limits = [limit for row in rows for limit in (row.ci_low, row.ci_high) if limit is not None]
        assert max(map(abs, limits)) == factor


def test_a_clustered_share_of_1_has_an_interval_with_a_width() -> None:
    everything_right = arm_scores(np.ones(12), np.repeat(np.arange(4), 3))
    (low, high), method = _arm_interval(everything_right, **CLUSTERED)
    assert method == "wilson_effective"
    assert high == 1.0
    assert low == pytest.approx(wilson(4, 4)[0]), "each of the 4 clusters counts as one item"


def test_an_interval_of_a_clustered_share_widens_with_the_design_effect_and_stays_within_0_and_1() -> None:
    scores = np.array([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    (low, high), _ = _arm_interval(arm_scores(scores, np.repeat(np.arange(4), 3)), **CLUSTERED)
    naive = wilson(3, 12)
    assert low is not None
    assert high is not None
    assert 0 <= low < naive[0]
    assert naive[1] < high <= 1
