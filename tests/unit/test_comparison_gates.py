"""Gates: what may be written, and what decides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial import registry
from promptrial.comparison.gates import Gate, Verdict, decide, parse_gate, parse_gates, resolved
from promptrial.comparison.subsets import chosen_items
from promptrial.documents.missing import MissingRule
from promptrial.documents.significance import StatsSettings
from promptrial.errors import UsageError
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.analysis import pairing_of
from promptrial.stats.margins import PairsNeeded, margin_test
from promptrial.stats.missing import under_rule
from promptrial.stats.pairing import PairedSample, ScoreTable, pair_scores
from promptrial.stats.unconditional import exact_margin_p
from tests.support.score_tables import sample_of, table_of, trial_table

RANGES = dict.fromkeys(registry.DEFAULT_PACK, (0.0, 1.0))
TYPES = {name: name for name in RANGES}


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("em >= -0.01", Gate("em", ">=", -0.01)),
        ("em>=-.01", Gate("em", ">=", -0.01)),
        ("  f1@closed  <=  +1 ", Gate("f1", "<=", 1.0, "closed")),
        ("abstain_rate <= 0.02", Gate("abstain_rate", "<=", 0.02)),
        ("em@my_set1 >= 0", Gate("em", ">=", 0.0, "my_set1")),
        ("em >= -0", Gate("em", ">=", 0.0)),
        ("em@(none) >= 0", Gate("em", ">=", 0.0, "(none)")),
        ("em@tr\u00e8s>=0", Gate("em", ">=", 0.0, "tr\u00e8s")),
        ("em@level=high >= 0", Gate("em", ">=", 0.0, "high", "level")),
        ("em@'Hard level' >= 0", Gate("em", ">=", 0.0, "Hard level")),
        ("""em@"my column"='it''s; >= 1' >= 0""", Gate("em", ">=", 0.0, "it's; >= 1", "my column")),
        ("""em@level="a ""b"" c" >= 0""", Gate("em", ">=", 0.0, 'a "b" c', "level")),
    ],
)
def test_a_gate_is_read_with_any_spacing(text: str, gate: Gate) -> None:
    assert parse_gate(text) == gate
    assert parse_gate(str(gate)) == gate
    assert math.copysign(1, gate.bound) == math.copysign(1, parse_gate(text).bound)


@pytest.mark.parametrize(
    "text",
    [
        "", "em", "em >= ", ">= 0.1", "em > 0.1", "em < 0.1", "em == 0.1", "em => 0.1", "em >= 1%", "em >= 0,1",
        "em >= .", "em >= 1e-2", "em >= nan", "em >= inf", "em >= --1", "em >= 0.1 and f1 >= 0", "em @open >= 0",
        "em@ >= 0", "em@a@b >= 0",
        "em@a b >= 0", "em@a= >= 0", "em@=b >= 0", "em@a=b=c >= 0", 'em@"a >= 0',
        "em >= \u22120.1", "em >= \u0661", "em >= 0.1\n>= 0", "em >= 1_0",
    ],
)  # fmt: skip
def test_any_other_text_is_refused_with_the_grammar_and_the_metrics(text: str) -> None:
    with pytest.raises(UsageError, match="MEASURE >= NUMBER") as refused:
        parse_gate(text)
    assert all(name in refused.value.message for name in registry.DEFAULT_PACK)


def test_gates_in_one_text_are_separated_outside_quotes() -> None:
    first, second = parse_gates('em@level="a;b" >= 0; f1 >= -0.5')
    assert (first.subset, second.metric) == ("a;b", "f1")
    for text in ("em >= 0;", 'em@"a >= 0; f1 >= 0'):
        with pytest.raises(UsageError, match="MEASURE >= NUMBER"):
            parse_gates(text)


def table_with_columns() -> ScoreTable:
    table = trial_table(12)
    levels, tags = (["(none)", "high"], table.item % 2), (["high", "Hard level", "open"], table.item % 3)
    return replace(table, subgroups={"level": levels, "tag": tags, "type": (["open", "x"], table.item % 2)})


@pytest.mark.parametrize(
    ("text", "scope", "share"),
    [
        ("em@level=high >= 0", "subgroup:level", 1 / 2),
        ("em@tag=high >= 0", "subgroup:tag", 1 / 3),
        ("em@'Hard level' >= 0", "subgroup:tag", 1 / 3),
        ("em@(none) >= 0", "subgroup:level", 1 / 2),
        ("em@subgroup:type=open >= 0", "subgroup:type", 1 / 2),
    ],
)
def test_a_gate_on_the_value_of_a_column_looks_at_those_items(text: str, scope: str, share: float) -> None:
    found, subset, chosen = chosen_items(parse_gate(text), table_with_columns())
    assert (found, subset) == (scope, parse_gate(text).subset)
    assert chosen is not None
    assert chosen.mean() == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("em@high >= 0", "'high' may mean several subsets: level=high, tag=high"),
        ("em@type=open >= 0", "'open' may mean several subsets: type=open, subgroup:type=open"),
        ("em@tag=low >= 0", "there is no subset 'low'; known: tag=high, tag=\"Hard level\", tag=open"),
        ("em@none=low >= 0", "there is no subset 'low'; known: type="),
    ],
)
def test_a_gate_that_matches_several_subsets_or_none_is_refused_with_the_existing_ones(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen_items(parse_gate(text), table_with_columns())
    assert said in refused.value.message


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'abstain_rate'") as refused:
        resolved(parse_gate("abstein_rate >= 0"), RANGES, TYPES)
    assert all(name in refused.value.message for name in registry.DEFAULT_PACK)


@pytest.mark.parametrize("bound", ["-1.01", "1.5", "100"])
def test_a_bound_that_no_difference_can_pass_is_refused(bound: str) -> None:
    with pytest.raises(UsageError, match="outside -1 to 1"):
        resolved(parse_gate(f"em >= {bound}"), RANGES, TYPES)


def test_a_bound_is_checked_against_the_range_of_its_own_metric() -> None:
    assert resolved(parse_gate("polite >= -10"), {"polite": (0.0, 10.0)}, {"polite": "python"}).bound == -10
    with pytest.raises(UsageError, match="outside -10 to 10"):
        resolved(parse_gate("polite >= -10.5"), {"polite": (0.0, 10.0)}, {"polite": "python"})


def test_a_gate_can_name_the_type_of_a_scorer_if_it_is_unique() -> None:
    ranges = dict.fromkeys(["strict", "loose", "share"], (0.0, 1.0))
    types = {"strict": "em", "loose": "exact_match", "share": "f1"}
    assert resolved(parse_gate("token_f1 >= 0"), ranges, types).metric == "share"
    for name in ("em", "exact_match"):
        with pytest.raises(UsageError, match=f"several scorers are of the type '{name}'; .*: strict, loose"):
            resolved(parse_gate(f"{name} >= 0"), ranges, types)


def test_a_gate_accepts_the_aliases_of_the_default_pack_where_it_runs() -> None:
    assert resolved(parse_gate("exact_match >= 0"), RANGES, TYPES).metric == "em"
    assert resolved(parse_gate("token_f1 >= 0"), RANGES, TYPES).metric == "f1"
    assert resolved(parse_gate("abstention >= 0"), RANGES, TYPES).metric == "abstain_rate"
    with pytest.raises(UsageError, match="unknown scorer 'exact_match'"):
        resolved(parse_gate("exact_match >= 0"), {"polite": (0.0, 10.0)}, {"polite": "python"})


BINARY = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=3, max_size=30)
SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.25, 1.0])), min_size=3, max_size=30
)


def drawn(scores: list[tuple[float, float]], per_cluster: int) -> tuple[PairedSample, PairedSample]:
    """Return A and B as a sample with some items a cluster, and the same with A and B exchanged."""
    a, b = [list(side) for side in zip(*scores, strict=True)]
    cluster, graded = [index // per_cluster for index in range(len(scores))], not {*a, *b} <= {0.0, 1.0}
    return sample_of(a, b, cluster=cluster, continuous=graded), sample_of(b, a, cluster=cluster, continuous=graded)


@given(st.one_of(SCORES, BINARY), st.integers(1, 3), st.floats(-1, 1), st.sampled_from([0.01, 0.05, 0.2]))
@settings(deadline=None, max_examples=40)
def test_a_gate_passes_exactly_when_p_is_at_most_alpha_and_its_limit_lies_beyond_the_bound(
    scores: list[tuple[float, float]], per_cluster: int, bound: float, alpha: float
) -> None:
    sample, _ = drawn(scores, per_cluster)
    for gate in (Gate("em", ">=", bound), Gate("em", "<=", bound)):
        verdict = decide(gate, sample, alpha)
        if verdict.limit is None or verdict.p is None:
            assert (verdict.passed, verdict.method) == (False, None)
            assert "needs at least" in (verdict.reason or "")
            continue
        assert verdict.passed == (verdict.p <= alpha)
        assert verdict.passed == (verdict.limit > bound if gate.relation == ">=" else verdict.limit < bound)


@given(st.one_of(SCORES, BINARY), st.integers(1, 3), st.floats(-1, 1), st.booleans())
@settings(deadline=None, max_examples=40)
def test_exchanging_the_runs_and_reversing_the_gate_gives_the_same_decision(
    scores: list[tuple[float, float]], per_cluster: int, bound: float, same_requests: bool
) -> None:
    sample, exchanged = drawn(scores, per_cluster)
    verdict = decide(Gate("em", ">=", bound), sample, 0.05, same_requests=same_requests)
    turned = decide(Gate("em", "<=", -bound), exchanged, 0.05, same_requests=same_requests)
    assert (verdict.passed, verdict.method, verdict.p) == (turned.passed, turned.method, turned.p)
    assert (verdict.reason, verdict.needed) == (turned.reason, turned.needed)
    assert (verdict.limit is None) == (turned.limit is None)
    assert verdict.limit is None or turned.limit == -verdict.limit


@pytest.mark.parametrize(
    ("binary", "per_cluster", "method"),
    [(True, 1, "exact_unconditional"), (False, 1, "sign_flips"), (True, 2, "sign_flips"), (False, 2, "sign_flips")],
)
def test_a_gate_is_decided_by_the_margin_test_of_its_design(binary: bool, per_cluster: int, method: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 80))
    if binary:
        a, b = (a > 0.4).astype(float), (b > 0.35).astype(float)
    sample = sample_of(a.tolist(), b.tolist(), cluster=[n // per_cluster for n in range(80)], continuous=not binary)
    verdict = decide(Gate("em", ">=", -0.1), sample, 0.05)
    test = margin_test(sample, -0.1, 0.05, StatsSettings())
    assert (verdict.method, verdict.p, verdict.limit) == (method, test.p, test.limit)
    assert verdict.notes


def test_if_few_clusters_differ_a_gate_needs_both_tests_and_states_the_floor() -> None:
    a, b = [1.0] * 900, [1.0] * 897 + [0.0] * 3
    verdict = decide(Gate("em", ">=", -0.02), sample_of(a, b, cluster=[n // 3 for n in range(900)]), 0.05)
    assert verdict.method == "sign_flips_score"
    assert "floor" in verdict.notes[0]


def test_a_failed_gate_says_how_many_pairs_would_show_the_margin() -> None:
    verdict = decide(Gate("em", ">=", -0.01), sample_of([1.0] * 200, [1.0] * 200), 0.05)
    assert not verdict.passed
    assert verdict.needed == PairsNeeded(299, 299)
    differing = sample_of([1.0, 0.0] * 5 + [1.0] * 190, [0.0, 1.0] * 5 + [1.0] * 190)
    needed = decide(Gate("em", "<=", 0.01), differing, 0.05).needed
    assert needed is not None
    assert needed.unchanged == 299
    as_if_worse = (math.sqrt(0.05**2 + 4 * 0.01**2 * 0.95) + 0.05) / 2 - 0.01**2  # Nam's variance at the margin
    root = 1.6448536 * math.sqrt(as_if_worse) + 0.8416212 * math.sqrt(0.05)
    assert needed.planned == math.ceil((root / 0.01) ** 2)
    assert decide(Gate("em", ">=", 0.0), differing, 0.05).needed is None, "a demand for better has no margin"
    assert decide(Gate("em", ">=", -0.5), differing, 0.05).needed is None, "it passed"


def test_if_few_pairs_differ_a_failed_gate_names_the_number_that_the_exact_test_needs() -> None:
    sample = sample_of([1.0, 0.0] + [1.0] * 98, [0.0, 1.0] + [1.0] * 98)
    needed = decide(Gate("em", ">=", -0.02), sample, 0.05).needed
    assert needed is not None
    draws = np.random.default_rng(5).multinomial(needed.planned, [0.01, 0.01, 0.98], size=400)
    tables, counts = np.unique(draws, axis=0, return_counts=True)
    passes = [exact_margin_p(int(b), int(c), needed.planned, -0.02) <= 0.05 for b, c, _ in tables]
    assert np.average(passes, weights=counts) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize(("margin", "size"), [(0.01, 10), (0.02, 3), (0.05, 5)])
def test_the_stated_number_of_unchanged_clusters_shows_a_margin_and_one_fewer_does_not(
    margin: float, size: int, graded: bool
) -> None:
    def gate(clusters: int) -> Verdict:
        same = [1.0] * (clusters * size)
        sample = sample_of(same, same, cluster=[n // size for n in range(len(same))], continuous=graded)
        return decide(Gate("em", ">=", -margin), sample, 0.05)

    needed = gate(7).needed
    assert needed is not None
    clusters, rest = divmod(needed.unchanged, size)
    assert rest == 0
    assert gate(clusters).passed
    assert not gate(clusters - 1).passed


def test_a_good_estimate_without_evidence_does_not_pass_a_gate() -> None:
    few = sample_of([1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 1])
    assert few.totals.mean > 0
    assert not decide(Gate("em", ">=", -0.01), few, 0.05).passed


def test_clusters_count_as_units() -> None:
    a, b = [0.0, 0.0, 1.0, 1.0] * 10, [0.0, 0.0, 1.0, 1.0] * 9 + [0.0, 0.0, 0.0, 0.0]
    by_item = decide(Gate("em", ">=", -0.12), sample_of(a, b), 0.05)
    by_passage = decide(Gate("em", ">=", -0.12), sample_of(a, b, cluster=[n // 4 for n in range(40)]), 0.05)
    assert by_item.limit is not None
    assert by_passage.limit is not None
    assert by_passage.limit < by_item.limit


def test_without_pairs_or_with_too_few_clusters_nothing_passes() -> None:
    nothing = decide(Gate("em", ">=", -1.0), sample_of([math.nan], [1.0]), 0.05)
    assert (nothing.passed, nothing.limit, nothing.p) == (False, None, None)
    assert "no item has a score in both" in (nothing.reason or "")
    five = decide(Gate("em", ">=", -0.5), sample_of([1] * 10, [1] * 10, cluster=[n // 2 for n in range(10)]), 0.05)
    assert (five.passed, five.limit) == (False, None)
    assert five.reason == "not estimable with 5 clusters: a margin at level 0.05 needs at least 6"


@pytest.mark.parametrize(("n", "passes"), [(14, False), (268, False), (298, False), (299, True)])
def test_equal_scores_of_different_requests_pass_only_with_enough_pairs(n: int, passes: bool) -> None:
    """Without discordant pairs p is 0.99^n, which is at most 0.05 from 299 pairs on."""
    verdict = decide(Gate("em", ">=", -0.01), sample_of([1.0] * n, [1.0] * n), 0.05)
    assert verdict.passed is passes
    assert verdict.limit == pytest.approx(0.05 ** (1 / n) - 1, rel=1e-3)


def test_equal_continuous_scores_of_different_requests_pass_only_with_enough_pairs() -> None:
    few = decide(Gate("f1", ">=", -0.1), sample_of([0.5] * 9, [0.5] * 9, continuous=True), 0.05)
    many = decide(Gate("f1", ">=", -0.1), sample_of([0.5] * 90, [0.5] * 90, continuous=True), 0.05)
    assert (few.passed, many.passed) == (False, True)
    assert any(note.startswith("approximate") for note in many.notes)


def test_equal_scores_of_the_same_requests_pass_every_margin_and_no_gate_for_improvement() -> None:
    for sample in (sample_of([1.0, 0.0], [1.0, 0.0]), sample_of([0.5] * 3, [0.5] * 3, continuous=True)):
        for gate, passes in (
            (Gate("em", ">=", -0.001), True), (Gate("em", "<=", 0.001), True), (Gate("em", ">=", 0.0), True),
            (Gate("em", ">=", 0.001), False), (Gate("em", "<=", -0.001), False),
        ):  # fmt: skip
            assert decide(gate, sample, 0.05, same_requests=True).passed is passes, gate


def test_the_same_requests_with_different_answers_are_tested_normally() -> None:
    sample = sample_of([1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 1])
    gate = Gate("em", ">=", -0.01)
    assert decide(gate, sample, 0.05, same_requests=True) == decide(gate, sample, 0.05)


@pytest.mark.parametrize("missing", ["exclude", "failure"])
@pytest.mark.parametrize("lost", [(0, 399), (399, 0), (399, 399)])
def test_the_same_requests_with_missing_answers_are_tested_normally(
    missing: MissingRule, lost: tuple[int, int]
) -> None:
    gate, sides = Gate("em", ">=", -0.01), [[0.0] * (400 - n) + [math.nan] * n for n in lost]
    pairing = pairing_of(
        table_of(*sides), "em", 0.0, DEFAULT_CONTRAST, StatsSettings(primary=("em",), wanted={"em": "higher"})
    )
    sample = under_rule(pairing, missing).sample()
    assert not sample.difference.any()
    verdict = decide(gate, sample, 0.05, same_requests=True)
    assert verdict == decide(gate, sample, 0.05)
    assert verdict.method == "exact_unconditional"


def test_a_missing_replicate_is_a_missing_answer_and_an_item_outside_the_subset_is_not() -> None:
    table = replace(table_of([1.0, 0.0], [1.0, 0.0]), planned_samples={(0, 0.0): 2, (1, 0.0): 2})
    pairing = pair_scores(replace(table, n_samples=np.array([2, 2, 2, 1])), "em", 0.0, DEFAULT_CONTRAST)
    subset = pairing.sample("dataset", "one", np.array([True, False]))
    found = [decide(Gate("em", ">=", -0.5), each, 0.05, same_requests=True) for each in (pairing.sample(), subset)]
    assert [verdict.method == "same_requests" for verdict in found] == [False, True]
