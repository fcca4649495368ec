"""Gates: what may be written, and what decides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from promptrial import registry
from promptrial.comparison.gates import Gate, decide, parse_gate
from promptrial.errors import UsageError
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import PairedSample
from promptrial.stats.tost import tost
from tests.reference.test_stat_cases import CASES
from tests.support.score_tables import sample_of


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("em >= -0.01", Gate("em", ">=", -0.01)),
        ("em>=-.01", Gate("em", ">=", -0.01)),
        ("  f1@closed  <=  +1 ", Gate("f1", "<=", 1.0, "closed")),
        ("abstain_rate <= 0.02", Gate("abstain_rate", "<=", 0.02)),
        ("em@my_set1 >= 0", Gate("em", ">=", 0.0, "my_set1")),
        ("em >= -0", Gate("em", ">=", 0.0)),
    ],
)
def test_a_gate_is_read_whatever_its_spaces(text: str, gate: Gate) -> None:
    assert parse_gate(text, registry.SCORERS) == gate
    assert parse_gate(str(gate), registry.SCORERS) == gate
    assert math.copysign(1, gate.bound) == math.copysign(1, parse_gate(text, registry.SCORERS).bound)


@pytest.mark.parametrize(
    "text",
    [
        "", "em", "em >= ", ">= 0.1", "em > 0.1", "em < 0.1", "em == 0.1", "em => 0.1", "em >= 1%", "em >= 0,1",
        "em >= .", "em >= 1e-2", "em >= nan", "em >= inf", "em >= --1", "em >= 0.1 and f1 >= 0", "em @open >= 0",
        "em@ >= 0", "em@a@b >= 0", "em >= \u22120.1", "em >= \u0661", "em >= 0.1\n>= 0", "em >= 1_0",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_grammar_and_the_metrics(text: str) -> None:
    with pytest.raises(UsageError, match="METRIC >= NUMBER") as refused:
        parse_gate(text, registry.SCORERS)
    assert all(name in refused.value.message for name in registry.SCORERS)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'abstain_rate'") as refused:
        parse_gate("abstein_rate >= 0", registry.SCORERS)
    assert all(name in refused.value.message for name in registry.SCORERS)


@pytest.mark.parametrize("bound", ["-1.01", "1.5", "100"])
def test_a_bound_that_no_difference_can_pass_is_refused(bound: str) -> None:
    with pytest.raises(UsageError, match="outside -1 to 1"):
        parse_gate(f"em >= {bound}", registry.SCORERS)


def test_both_directions_give_the_published_legs_and_limits() -> None:
    given_, expected = CASES["S16"]["input"], CASES["S16"]["expected"]
    sample = sample_of(given_["y"], given_["x"], graded=True)
    above = decide(Gate("em", ">=", -given_["eps"]), sample, 0.05)
    below = decide(Gate("em", "<=", given_["eps"]), sample, 0.05)
    assert above.p == pytest.approx(CASES["S17"]["expected"]["p_lower"], rel=CASES["S17"]["rtol"])
    assert below.p == pytest.approx(expected["p"], rel=CASES["S16"]["rtol"])
    assert (above.limit, below.limit) == pytest.approx(tuple(expected["ci90"]), rel=1e-6)
    assert above.passed
    assert below.passed
    assert (above.method, above.reason) == ("tost", None)
    assert not decide(Gate("em", ">=", -given_["eps"]), sample, 1e-5).passed


SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.25, 1.0])), min_size=3, max_size=30
)


def drawn(scores: list[tuple[float, float]]) -> tuple[PairedSample, PairedSample]:
    """Return A and B as a sample with two items a cluster, and the same with A and B exchanged."""
    a, b = [list(side) for side in zip(*scores, strict=True)]
    cluster = [index // 2 for index in range(len(scores))]
    return sample_of(a, b, cluster=cluster, graded=True), sample_of(b, a, cluster=cluster, graded=True)


@given(SCORES, st.floats(-1, -0.001), st.floats(0.001, 0.4))
def test_a_margin_is_decided_by_one_leg_of_the_two_one_sided_tests(
    scores: list[tuple[float, float]], bound: float, alpha: float
) -> None:
    sample, _ = drawn(scores)
    result = paired_difference(sample.difference, sample.cluster)
    verdict = decide(Gate("em", ">=", bound), sample, alpha)
    if not result.se > 0:
        assert verdict.method != "tost"
        return
    legs = tost(result, -bound, alpha)
    assert verdict.p == pytest.approx(legs.p_lower, rel=1e-6)
    assert verdict.limit == pytest.approx(max(legs.ci_low, -1.0), abs=1e-9)
    assert verdict.passed == (legs.p_lower <= alpha) or legs.p_lower == pytest.approx(alpha)


@given(SCORES, st.floats(-1, 1), st.floats(0.001, 0.4))
def test_a_gate_passes_exactly_when_its_limit_does_not_pass_the_bound(
    scores: list[tuple[float, float]], bound: float, alpha: float
) -> None:
    sample, _ = drawn(scores)
    for gate in (Gate("em", ">=", bound), Gate("em", "<=", bound)):
        verdict = decide(gate, sample, alpha)
        if verdict.limit is None or abs(verdict.limit - bound) < 1e-9 or abs(verdict.limit) == 1:
            continue
        assert verdict.passed == (verdict.limit > bound if gate.relation == ">=" else verdict.limit < bound)


@given(SCORES, st.floats(-1, 1), st.booleans())
def test_exchanging_the_runs_and_turning_the_gate_decides_alike(
    scores: list[tuple[float, float]], bound: float, same_requests: bool
) -> None:
    sample, exchanged = drawn(scores)
    verdict = decide(Gate("em", ">=", bound), sample, 0.05, same_requests=same_requests)
    turned = decide(Gate("em", "<=", -bound), exchanged, 0.05, same_requests=same_requests)
    assert (verdict.passed, verdict.method, verdict.reason) == (turned.passed, turned.method, turned.reason)
    assert verdict.p == pytest.approx(turned.p)
    assert (verdict.limit is None) == (turned.limit is None)
    assert verdict.limit is None or turned.limit == pytest.approx(-verdict.limit)


@pytest.mark.parametrize("bound", [0.0, 0.1, -0.1])
def test_any_bound_is_tested_as_students_one_sided_test_does(bound: float) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random(25), np.clip(rng.random(25) + 0.2, 0, 1)
    verdict = decide(Gate("f1", ">=", bound), sample_of(a.tolist(), b.tolist(), graded=True), 0.05)
    expected = stats.ttest_1samp(b - a, bound, alternative="greater").pvalue
    assert verdict.p == pytest.approx(float(expected), rel=1e-6)


def test_the_estimate_alone_does_not_pass_a_gate() -> None:
    few = sample_of([1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 1])
    assert few.totals.mean > 0
    assert not decide(Gate("em", ">=", -0.01), few, 0.05).passed


def test_clusters_count_as_such() -> None:
    a, b = [0.0, 0.0, 1.0, 1.0] * 10, [0.0, 0.0, 1.0, 1.0] * 9 + [0.0, 0.0, 0.0, 0.0]
    by_item = decide(Gate("em", ">=", -0.12), sample_of(a, b), 0.05)
    by_passage = decide(Gate("em", ">=", -0.12), sample_of(a, b, cluster=[n // 4 for n in range(40)]), 0.05)
    assert by_item.limit is not None
    assert by_passage.limit is not None
    assert by_passage.limit < by_item.limit


def test_without_pairs_or_with_one_cluster_nothing_passes() -> None:
    nothing = decide(Gate("em", ">=", -1.0), sample_of([math.nan], [1.0]), 0.05)
    assert (nothing.passed, nothing.limit, nothing.p) == (False, None, None)
    assert "no item has a score in both" in (nothing.reason or "")
    one = decide(Gate("em", ">=", -0.5), sample_of([0, 1, 1], [1, 1, 1], cluster=[0, 0, 0]), 0.05)
    assert not one.passed
    assert "one cluster" in (one.reason or "")


@pytest.mark.parametrize(("n", "passes"), [(14, False), (267, False), (268, True)])
def test_equal_scores_of_other_requests_pass_only_with_enough_pairs(n: int, passes: bool) -> None:
    """Without discordant pairs the limit is -z^2/(n + z^2), which reaches -0.01 with 268 pairs."""
    verdict = decide(Gate("em", ">=", -0.01), sample_of([1.0] * n, [1.0] * n), 0.05)
    z2 = 1.6448536269514722**2
    assert verdict.limit == pytest.approx(-z2 / (n + z2))
    assert verdict.passed is passes
    assert verdict.p is None
    clustered = sample_of([1.0] * 2 * n, [1.0] * 2 * n, cluster=[index // 2 for index in range(2 * n)])
    assert decide(Gate("em", ">=", -0.01), clustered, 0.05).limit == pytest.approx(verdict.limit)


def test_equal_graded_scores_of_other_requests_are_not_estimable_and_do_not_pass() -> None:
    verdict = decide(Gate("f1", ">=", -0.5), sample_of([0.5] * 9, [0.5] * 9, graded=True), 0.05)
    assert not verdict.passed
    assert (verdict.reason or "").startswith("not estimable")


def test_equal_scores_of_the_same_requests_pass_every_margin_and_no_demand_for_better() -> None:
    for sample in (sample_of([1.0, 0.0], [1.0, 0.0]), sample_of([0.5] * 3, [0.5] * 3, graded=True)):
        for gate, passes in (
            (Gate("em", ">=", -0.001), True), (Gate("em", "<=", 0.001), True), (Gate("em", ">=", 0.0), True),
            (Gate("em", ">=", 0.001), False), (Gate("em", "<=", -0.001), False),
        ):  # fmt: skip
            assert decide(gate, sample, 0.05, same_requests=True).passed is passes, gate


def test_the_same_requests_with_other_answers_are_tested_like_any_others() -> None:
    sample = sample_of([1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 1])
    gate = Gate("em", ">=", -0.01)
    assert decide(gate, sample, 0.05, same_requests=True) == decide(gate, sample, 0.05)
