"""What a planned run can show: which test decides, at which level, and from what."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptrial.design.power import (
    Assumed,
    PlannedEndpoint,
    PlannedScores,
    PowerRow,
    assumptions_of,
    margin_problem,
    power_rows,
)
from promptrial.design.spread import Estimated
from promptrial.stats.difference import clustered_difference_test
from promptrial.stats.margins import binary_margin_test, clustered_margin_test, pairs_needed
from promptrial.stats.planning import Design, detectable, questions_needed
from promptrial.stats.risk_difference import score_p_value
from tests.support.score_tables import sample_of

BINARY = PlannedScores(metric="em", scale="binary", sizes=(1,) * 500)
GRADED = PlannedScores(metric="f1", scale="continuous", sizes=(1,) * 500)


def endpoint(scores: PlannedScores = BINARY, **changes: object) -> PlannedEndpoint:
    made = PlannedEndpoint(trial="t", contrast="treatment vs control", scores=scores, temp=0.0)
    return replace(made, **changes)  # type: ignore[arg-type]


def only(rows: tuple[PowerRow, ...]) -> PowerRow:
    (row,) = rows
    return row


def test_a_binary_endpoint_without_shared_passages_has_the_exact_power_of_the_test_that_decides() -> None:
    row = only(power_rows([endpoint()], 0.05, Assumed()))
    design = Design(discordance=0.2)
    assert row.design == design
    assert row.smallest == (detectable(design, 500), detectable(replace(design, power=0.9), 500))
    assert row.needed == tuple(questions_needed(design, each) for each in (0.01, 0.02, 0.03, 0.05))


@pytest.mark.parametrize(("n", "alpha"), [(12, 0.05), (25, 0.05), (25, 0.0125)])
def test_the_planned_power_of_single_answers_equals_the_enumeration_of_all_outcomes(n: int, alpha: float) -> None:
    def enumerated(size: int, delta: float) -> float:
        gain, loss = (0.5 + delta) / 2, (0.5 - delta) / 2
        return sum(
            math.comb(size, b) * math.comb(size - b, c) * gain**b * loss**c * 0.5 ** (size - b - c)
            for b in range(size + 1)
            for c in range(size + 1 - b)
            if score_p_value(b, c) <= alpha
        )

    row = only(power_rows([endpoint(replace(BINARY, sizes=(1,) * n))], alpha, Assumed(discordance=0.5)))
    for power, found in zip((0.8, 0.9), row.smallest, strict=True):
        if found is None:
            assert enumerated(n, 0.5) < power
        else:
            assert enumerated(n, found) == pytest.approx(power, abs=1e-8)
    wanted = questions_needed(Design(discordance=0.5, alpha=alpha), 0.4)
    assert wanted is not None
    assert enumerated(wanted, 0.4) >= 0.8 > enumerated(wanted - 1, 0.4)


def test_each_test_of_the_family_has_its_share_of_the_level() -> None:
    family = [endpoint(), endpoint(temp=0.7), endpoint(GRADED), endpoint(contrast="short vs control")]
    nothing = endpoint(PlannedScores(metric="false_answer_rate", scale="binary", sizes=()))
    rows = power_rows([*family, nothing], 0.05, Assumed())
    assert [row.alpha for row in rows] == [0.05 / 4] * 5
    assert {row.tests for row in rows} == {4}
    assert rows[-1].reason == "it applies to no item"
    alone = only(power_rows([endpoint()], 0.05 / 4, Assumed()))
    assert (rows[0].smallest, rows[0].needed) == (alone.smallest, alone.needed)


@pytest.mark.parametrize(
    ("changes", "design"),
    [
        ({"replicates": 5}, Design(sd=math.sqrt(0.2), replicates=5, within=0.0)),
        ({"replicates": 5, "temp": 0.7}, Design(sd=math.sqrt(0.2), replicates=5, within=0.5)),
        ({"scores": replace(BINARY, score_range=(0.0, 4.0))}, Design(sd=math.sqrt(0.2))),
        ({"scores": GRADED, "temp": 0.7}, Design(sd=0.4, within=0.5)),
        ({"scores": replace(GRADED, score_range=(1.0, 5.0))}, Design(sd=0.4)),
    ],
)
def test_endpoints_that_are_not_single_0_1_answers_are_planned_as_means_of_differences(
    changes: dict[str, Any], design: Design
) -> None:
    assert only(power_rows([endpoint(**changes)], 0.05, Assumed())).design == design


def test_the_planned_items_say_whether_an_endpoint_is_clustered_and_each_assumed_correlation_has_a_row() -> None:
    sizes = (10, 2, 2, *(1,) * 20)
    rows = power_rows([endpoint(replace(GRADED, sizes=sizes))], 0.05, Assumed())
    assert [row.design.icc for row in rows if row.design] == [0.05, 0.2]
    design = rows[1].design
    assert design is not None
    assert design.design_effect == pytest.approx(1 + (sum(size**2 for size in sizes) / 34 - 1) * 0.2)
    assert design.degrees_of_freedom(34) == pytest.approx(22)
    assert rows[0].smallest[0] < rows[1].smallest[0]  # type: ignore[operator]


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 6), (0.025, 7)])
def test_too_few_passages_give_the_number_needed_and_no_power(alpha: float, needed: int) -> None:
    few = replace(BINARY, sizes=(50,) * (needed - 1))
    row = only(power_rows([endpoint(few)], alpha, Assumed()))
    assert (row.design, row.smallest, row.clusters_needed) == (None, (), needed)
    assert row.reason == f"no p reaches {alpha:g} with {needed - 1} passages: needs {needed}"
    assert power_rows([endpoint(replace(few, sizes=(50,) * needed))], alpha, Assumed())[0].design is not None
    # All differences of one direction: the smallest p that there is.
    cluster = np.repeat(np.arange(needed - 1), 50)
    assert clustered_difference_test(np.ones(len(cluster)), cluster, binary=True).p > alpha


def test_existing_scores_replace_assumptions_and_missing_answers_are_allowed_for() -> None:
    found = Estimated(pairs=80, answered=0.8, sd=0.3, discordance=0.09, baseline=0.6)
    row = only(power_rows([endpoint(estimated=found)], 0.05, Assumed()))
    design = Design(discordance=0.09)
    assert row.design == design
    assert row.smallest[0] == detectable(design, 400)
    assert row.needed[1] == math.ceil(questions_needed(design, 0.02) / 0.8)  # type: ignore[operator]
    graded = only(power_rows([endpoint(GRADED, replicates=5, temp=0.7, estimated=found)], 0.05, Assumed()))
    assert graded.design == Design(sd=0.3)


def test_a_correlation_is_estimated_from_scores_if_possible_and_assumed_otherwise() -> None:
    shared = replace(BINARY, sizes=(2,) * 50)
    found = Estimated(pairs=80, answered=1.0, sd=0.3, discordance=0.09, baseline=0.6)
    rows = power_rows([endpoint(shared, estimated=found)], 0.05, Assumed())
    assert [row.design.icc for row in rows if row.design] == [0.05, 0.2]
    known = only(power_rows([endpoint(shared, estimated=replace(found, icc=0.4))], 0.05, Assumed()))
    assert known.design == Design(discordance=0.09, cluster_size=2.0, shared_by=2.0, icc=0.4)


def test_a_scorer_whose_scale_only_its_code_declares_has_no_power() -> None:
    row = only(power_rows([endpoint(replace(BINARY, scale=None))], 0.05, Assumed()))
    assert (row.design, row.reason) == (None, "its scale is known once its code has run")


def test_no_difference_is_larger_than_the_range_of_the_scores() -> None:
    row = only(power_rows([endpoint(replace(GRADED, sizes=(1,) * 6))], 0.05, Assumed(sd=0.9)))
    assert row.smallest == (None, None)


def test_a_baseline_without_discordance_assumes_independent_arms() -> None:
    assert assumptions_of(None, 0.9, None, None).discordance == pytest.approx(0.18)
    assert assumptions_of(0.1, 0.9, 0.3, 0.0) == Assumed(discordance=0.1, baseline=0.9, sd=0.3, icc=(0.0,))


@pytest.mark.parametrize("margin", [pytest.param(0.01, marks=pytest.mark.slow), 0.02, 0.05])
def test_a_margin_is_reported_as_unreachable_exactly_if_the_exact_test_fails_on_unchanged_pairs(
    margin: float,
) -> None:
    needed = 1 + bisect_left(range(1, 1000), True, key=lambda n: binary_margin_test(0, 0, n, -margin).p <= 0.05)
    assert margin_problem(endpoint(replace(BINARY, sizes=(1,) * needed)), margin, 0.05) is None
    problem = margin_problem(endpoint(replace(BINARY, sizes=(1,) * (needed - 1))), margin, 0.05)
    assert problem == f"even if no answer changes: {needed} are needed"


def test_a_margin_as_wide_as_the_scores_or_of_no_items_is_not_reported() -> None:
    few = endpoint(replace(BINARY, sizes=(1,) * 5))
    assert margin_problem(few, 0.9, 1e-6) == "even if no answer changes: 6 are needed"
    assert margin_problem(few, 1.0, 1e-6) is None
    assert margin_problem(endpoint(replace(BINARY, sizes=())), 0.9, 1e-6) is None


def test_a_margin_in_passages_is_reported_if_the_margin_test_fails_on_unchanged_pairs() -> None:
    for clusters in range(2, 60):
        sizes = (4,) * clusters
        cluster = np.repeat(np.arange(clusters), 4)
        shown = clustered_margin_test(np.zeros(4 * clusters), cluster, -0.05, binary=True).p <= 0.05
        assert (margin_problem(endpoint(replace(BINARY, sizes=sizes)), 0.05, 0.05) is None) == shown


def test_the_margin_needs_as_many_items_as_a_failed_gate_says() -> None:
    sample = sample_of([1.0] * 40, [1.0] * 40, cluster=[index // 4 for index in range(40)])
    found = pairs_needed(sample, 0.05, 0.05)
    assert found is not None
    problem = margin_problem(endpoint(replace(BINARY, sizes=(4,) * 10)), 0.05, 0.05)
    assert (
        problem
        == f"even if no answer changes: {found.unchanged} are needed in {found.unchanged // 4} passages like these"
    )
