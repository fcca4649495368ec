"""Missing answers: worst-case bounds, counting them as failures, and arms that lose answers unequally."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.documents.missing import MissingRule
from promptrial.documents.significance import Endpoint, StatsSettings, Wanted
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.analysis import analyse, pairing_of
from promptrial.stats.attrition import missing_bounds
from promptrial.stats.missing import answered_shares, count_as_failures
from promptrial.stats.pairing import ScoreTable, pair_scores
from tests.support.score_tables import table_of

NAN = math.nan
QUICK = StatsSettings(bootstrap_samples=300, permutation_samples=300, wanted={"em": "higher"})


def replicated(control: int, treatment: int, n: int = 225, planned: int = 3) -> ScoreTable:
    """Return a trial of ``n`` items with so many answers in each arm, spread over the items evenly."""
    counts = np.array([(total + place) // n for total in (control, treatment) for place in range(n)])
    rng = np.random.default_rng(8)
    right = [rng.binomial(count, 0.5) / count if count else NAN for count in counts]
    table = table_of(right[:n], right[n:])
    return replace(table, n_samples=counts, planned_samples={(arm, 0.0): planned for arm in (0, 1)})


def test_missing_replicates_count_in_the_worst_case_bounds() -> None:
    """337 of 675 control answers are missing, and of no item all of them."""
    sample = pair_scores(replicated(338, 675), "em", 0.0, DEFAULT_CONTRAST).sample()
    bounds = missing_bounds(sample)
    assert (bounds.n_missing_control, bounds.n_missing_treatment) == (0, 0)
    assert (bounds.n_answers_missing_control, bounds.n_answers_missing_treatment) == (337, 0)
    control = sample.whole_arms[0]
    mean = float((control.score * control.n_samples).sum()) / 675
    assert bounds.low == pytest.approx(sample.whole_arms[1].score.mean() - mean - 337 / 675)
    assert bounds.high == pytest.approx(sample.whole_arms[1].score.mean() - mean)


@pytest.mark.parametrize("planned", [3, 4])
def test_the_share_that_an_item_has_answered_is_of_the_answers_that_were_planned_for_it(planned: int) -> None:
    table = replicated(338, 675, planned=planned)
    shares = answered_shares(pair_scores(table, "em", 0.0, DEFAULT_CONTRAST))
    for arm, counts in zip(shares.arms, table.n_samples.reshape(2, -1), strict=True):
        assert arm.score == pytest.approx(counts / planned)
    assert not shares.binary
    test = analyse(table, QUICK).endpoints[0].attrition
    assert test is not None
    assert test.difference == pytest.approx(-float(shares.sample().totals.mean)), "what the test is of"
    assert test.differs


@pytest.mark.parametrize("missing", ["exclude", "failure"])
def test_an_answer_without_a_verdict_counts_as_missing(missing: MissingRule) -> None:
    rng = np.random.default_rng(1)
    control, treatment = (rng.random((2, 200)) < 0.6).astype(float)
    treatment[(treatment == 0) & (rng.random(200) < 0.6)] = NAN
    table = table_of(control.tolist(), treatment.tolist())
    no_answer = replace(table, worst={"em": np.zeros(200)})
    no_verdict = replace(no_answer, n_samples=np.ones(400, dtype=np.int64), scored={"em": table.n_samples})
    settings = replace(QUICK, missing=missing)
    (one,), (other,) = (analyse(each, settings).endpoints for each in (no_answer, no_verdict))
    assert one.attrition is not None
    assert one.attrition.differs
    assert other.attrition == msgspec.structs.replace(one.attrition, of_scores=True)
    assert other == msgspec.structs.replace(one, attrition=other.attrition)


def test_missing_scores_of_an_item_count_in_its_worst_case_bounds() -> None:
    table = replace(table_of([0.0], [1.0]), n_samples=np.array([3, 3]), planned_samples={(0, 0.0): 3, (1, 0.0): 3})
    bounds = missing_bounds(
        pair_scores(replace(table, scored={"em": np.array([3, 1])}), "em", 0.0, DEFAULT_CONTRAST).sample()
    )
    assert bounds.low == pytest.approx(1 / 3)
    assert bounds.high == 1.0
    assert bounds.answers_missing == (0, 2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
def test_any_way_to_fill_the_missing_answers_stays_within_the_bounds(seed: int, most: int, alike: bool) -> None:
    rng = np.random.default_rng(seed)
    low, high = -1.0, 2.0
    planned = np.full((2, 12), most) if alike else rng.integers(1, most, (2, 12), endpoint=True)
    answers = rng.uniform(low, high, size=(2, 12, most))
    asked = np.arange(most) < planned[..., None]
    answers = np.where(asked, answers, NAN)
    seen = (rng.random(answers.shape) < 0.6) & asked
    counts = seen.sum(axis=2)
    means = np.where(seen, answers, 0).sum(axis=2) / np.where(counts, counts, NAN)
    table = replace(
        table_of(*means.tolist()),
        n_samples=counts.reshape(-1),
        planned_samples={(arm, 0.0): most if alike else planned[arm] for arm in (0, 1)},
    )
    bounds = missing_bounds(
        pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=True, score_range=(low, high)).sample()
    )
    assert bounds.low is not None
    assert bounds.high is not None
    truth = float(np.diff(np.nanmean(answers, axis=2).mean(axis=1))[0])
    assert bounds.low - 1e-9 <= truth <= bounds.high + 1e-9
    filled = np.where(seen, answers, np.where(asked, np.array([high, low])[:, None, None], NAN))
    worst = np.nanmean(filled, axis=2).mean(axis=1)
    assert bounds.answers_missing == tuple((planned.sum(axis=1) - counts.sum(axis=1)).tolist())
    assert bounds.low == pytest.approx(worst[1] - worst[0])


def overall(table: ScoreTable, settings: StatsSettings = QUICK, metric: str = "em") -> Endpoint:
    found = analyse(table, settings).endpoints
    return next(row for row in found if (row.metric, row.scope) == (metric, "overall"))


def lossy(n: int = 100, control: int = 12, treatment: int = 1, *, share: int = 1) -> ScoreTable:
    """Return a trial that lost its first answers in the control and its last in the treatment."""
    rng = np.random.default_rng(3)
    scores = (rng.random((2, n)) < 0.6).astype(float)
    scores[0, :control] = NAN
    scores[1, n - treatment :] = NAN
    return table_of(*scores, cluster=[item // share for item in range(n)])


@pytest.mark.parametrize(("wanted", "worst"), [("higher", 0.0), ("lower", 1.0)])
def test_a_missing_answer_that_counts_as_a_failure_has_the_worst_score(wanted: Wanted, worst: float) -> None:
    table = table_of([1, NAN, 0, 1, NAN], [1, 1, NAN, 0, NAN])
    found = overall(table, replace(QUICK, wanted={"em": wanted})).missing_sensitivity
    assert found is not None
    assert (found.missing, found.n_pairs) == ("failure", 5)
    assert found.control == pytest.approx((2 + 2 * worst) / 5)
    assert found.treatment == pytest.approx((2 + 2 * worst) / 5)
    assert found.difference == 0


def test_the_worst_score_of_a_plan_decides_item_by_item() -> None:
    """As for abstention: an abstention is the failure where there is an answer, an answer where there is none."""
    table = replace(
        table_of([1, NAN, 0, NAN], [1, 1, NAN, NAN], metric="abstain_rate"),
        worst={"abstain_rate": np.array([1.0, 1.0, 0.0, 0.0])},
    )
    found = overall(table, replace(QUICK, primary=("abstain_rate",)), "abstain_rate").missing_sensitivity
    assert found is not None
    assert (found.control, found.treatment) == (0.5, 0.5)


def test_items_to_which_a_metric_does_not_apply_are_not_failures() -> None:
    table = replace(table_of([1, NAN, NAN], [0, NAN, NAN]), worst={"em": np.array([0.0, 0.0, NAN])})
    endpoint = overall(table)
    assert endpoint.missing_sensitivity is not None
    assert endpoint.missing_sensitivity.n_pairs == 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([0.0, 1.0]))
def test_missing_replicates_count_as_failures_like_missing_items(seed: int, planned: int, worst: float) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.choice([0.0, 0.25, 1.0], size=(2, 8, planned))
    seen = rng.random(answers.shape) < 0.6
    counts = seen.sum(axis=2)
    hidden = np.where(seen, answers, NAN)
    means = np.where(seen, answers, 0).sum(axis=2) / np.where(counts, counts, NAN)
    squares = np.where(seen, (hidden - means[:, :, None]) ** 2, 0).sum(axis=2)
    table = replace(
        table_of(*means.tolist()),
        n_samples=counts.reshape(-1),
        planned_samples={(arm, 0.0): planned for arm in (0, 1)},
        deviations={"em": np.where(counts > 1, np.sqrt(squares / np.maximum(counts - 1, 1)), NAN).reshape(-1)},
        worst={"em": np.full(8, worst)},
    )
    filled = count_as_failures(pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=True))
    truth = np.where(seen, answers, worst)
    for arm, expected in zip(filled.arms, truth, strict=True):
        assert arm.score == pytest.approx(expected.mean(axis=1))
        assert (arm.n_samples == planned).all()
        if planned > 1:
            assert arm.deviation == pytest.approx(expected.std(axis=1, ddof=1), abs=1e-12)


def test_missing_answers_of_an_item_are_filled_up_to_its_own_planned_number() -> None:
    """Of one item one answer of three is missing, of the next the only one, and of the last nothing."""
    table = replace(
        table_of([0.5, NAN, 1.0], [1.0, 1.0, 1.0]),
        n_samples=np.array([2, 0, 1, 1, 1, 1]),
        planned_samples={(0, 0.0): np.array([3, 1, 1])},
        deviations={"em": np.array([math.sqrt(0.5), NAN, NAN, NAN, NAN, NAN])},
        worst={"em": np.zeros(3)},
    )
    control, treatment = count_as_failures(pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=True)).arms
    assert control.score == pytest.approx([1 / 3, 0, 1])
    assert control.n_samples.tolist() == [3, 1, 1]
    assert control.deviation == pytest.approx([math.sqrt(1 / 3), NAN, NAN], nan_ok=True)
    assert treatment.score.tolist() == [1, 1, 1]


def test_with_nothing_missing_both_rules_give_the_same_effect_interval_and_p() -> None:
    endpoint = overall(lossy(control=0, treatment=0, share=3))
    found = endpoint.missing_sensitivity
    assert found is not None
    names = ("n_pairs", "difference", "ci_low", "ci_high", "ci_method", "p", "p_method", "reason")
    assert [getattr(found, name) for name in names] == [getattr(endpoint, name) for name in names]
    assert (found.control, found.treatment) == (endpoint.control.mean_paired, endpoint.treatment.mean_paired)


@pytest.mark.parametrize("share", [1, 4])
def test_the_setting_decides_which_rule_counts_and_the_other_is_reported_beside_it(share: int) -> None:
    table = lossy(share=share)
    rules: tuple[MissingRule, MissingRule] = ("exclude", "failure")
    excluded, failed = (overall(table, replace(QUICK, missing=rule)) for rule in rules)
    assert (excluded.n_pairs, failed.n_pairs) == (87, 100)
    for one, other in ((excluded, failed), (failed, excluded)):
        beside = one.missing_sensitivity
        assert beside is not None
        assert (beside.missing == "failure") == (one is excluded)
        assert (beside.difference, beside.p, beside.ci_low) == (other.difference, other.p, other.ci_low)
    assert excluded.difference != failed.difference
    assert failed.bounds == excluded.bounds
    assert failed.attrition == excluded.attrition


def test_all_figures_of_an_endpoint_follow_the_rule_that_decides() -> None:
    document = analyse(lossy(), replace(QUICK, missing="failure", tost_margins={"em": 0.1}))
    rows = [row for row in document.estimates if row.metric == "em" and row.scope == "overall"]
    assert {row.method for row in rows} >= {"paired_difference", "tost"}
    assert {row.n_pairs for row in rows} == {100}


def test_an_arm_without_answers_has_an_effect_only_if_missing_counts_as_failure() -> None:
    endpoint = overall(table_of([1, 0, 1], [NAN, NAN, NAN]))
    assert endpoint.difference is None
    assert endpoint.missing_sensitivity is not None
    assert endpoint.missing_sensitivity.difference == pytest.approx(-2 / 3)
    assert endpoint.attrition is not None
    assert (endpoint.attrition.n_missing_control, endpoint.attrition.n_missing_treatment) == (0, 3)


@pytest.mark.parametrize("missing", ["exclude", "failure"])
def test_planned_items_without_a_row_are_lost_answers_in_their_own_clusters(missing: MissingRule) -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 2, (2, 12)).astype(float).tolist()
    table = table_of(*scores, cluster=[n // 2 for n in range(12)])
    keys = [*table.item_keys, "set|lost", "set|too"]
    planned = replace(
        table,
        item_keys=keys,
        worst={"em": np.zeros(14)},
        cluster_names=[f"c{n}" for n in range(12)],
        unanswerable=np.zeros(14, np.bool_),
    )
    settings = replace(QUICK, missing=missing)
    [row] = [row for row in analyse(planned, settings).endpoints if row.scope == "overall"]
    assert (row.n_items, row.n_pairs) == (14, 14 if missing == "failure" else 12)
    assert row.n_clusters == (8 if missing == "failure" else 6)
    assert row.attrition is not None
    assert (row.attrition.n_planned_control, row.attrition.n_missing_control) == (14, 2)
    assert (row.bounds.n_missing_control, row.bounds.n_missing_treatment) == (2, 2)


def test_without_a_known_worst_score_missing_answers_cannot_count_as_failures() -> None:
    table, nothing_wanted = lossy(), replace(QUICK, wanted={})
    found = overall(table, nothing_wanted).missing_sensitivity
    assert found is not None
    assert found.difference is None
    assert found.reason == "which score counts as a failure is unknown: it depends on the item"
    with pytest.raises(ValueError, match="em: which score counts as a failure is unknown"):
        analyse(table, replace(nothing_wanted, missing="failure"))
    with pytest.raises(ValueError, match="which score counts"):
        count_as_failures(pairing_of(table, "em", 0.0, DEFAULT_CONTRAST, nothing_wanted))


def test_only_primary_effects_over_all_items_are_reported_under_both_rules() -> None:
    table = table_of([1, 0, 1, NAN], [1, 1, 1, 1], dataset=[0, 0, 1, 1])
    document = analyse(replace(table, metrics=dict.fromkeys(("em", "other"), table.metrics["em"])), QUICK)
    with_both = {(row.metric, row.scope) for row in document.endpoints if row.missing_sensitivity is not None}
    assert with_both == {("em", "overall")}


def test_a_run_of_one_arm_has_no_unequal_attrition() -> None:
    table = lossy()
    rows = table.arm == 0
    columns = ("item", "dataset", "cluster", "type", "arm", "temp", "n_samples")
    alone = replace(
        table,
        **{name: getattr(table, name)[rows] for name in columns},
        metrics={"em": table.metrics["em"][rows]},
    )
    assert (overall(alone).attrition, overall(alone).missing_sensitivity) == (None, None)


@pytest.mark.parametrize(("control", "treatment", "differs"), [(12, 1, True), (12, 11, False), (0, 0, False)])
def test_unequal_loss_of_answers_is_reported(control: int, treatment: int, differs: bool) -> None:
    found = overall(lossy(control=control, treatment=treatment)).attrition
    assert found is not None
    assert (found.n_missing_control, found.n_missing_treatment) == (control, treatment)
    assert (found.n_planned_control, found.n_planned_treatment) == (100, 100)
    assert found.difference == pytest.approx((treatment - control) / 100)
    assert found.p is not None
    assert found.differs == differs == (found.p <= 0.05)
    assert found.p_method == overall(lossy()).p_method


def test_clustered_attrition_is_tested_like_a_clustered_effect() -> None:
    """Twelve lost answers of three passages are three events, not twelve."""
    found = overall(lossy(control=12, treatment=0, share=4)).attrition
    assert found is not None
    assert found.p_method == "permutation"
    assert found.differs is not True


def test_missing_replicates_count_in_the_test_of_attrition() -> None:
    found = overall(replicated(338, 675)).attrition
    assert found is not None
    assert (found.n_missing_control, found.n_planned_control) == (337, 675)
    assert found.n_missing_treatment == 0
    assert found.differs


def test_metrics_of_the_same_items_share_one_test_of_attrition() -> None:
    table = lossy(share=4)
    document = analyse(replace(table, metrics=dict.fromkeys(("em", "other"), table.metrics["em"])), QUICK)
    assert len({row.attrition for row in document.endpoints}) == 1
    alone = overall(replace(table, metrics={"other": table.metrics["em"]}), metric="other")
    assert alone.attrition == document.endpoints[0].attrition


def test_exchanging_the_arms_keeps_the_p_of_attrition() -> None:
    table = lossy(share=2)
    turned = replace(table, arm=1 - table.arm)
    one, other = overall(table).attrition, overall(turned).attrition
    assert one is not None
    assert other is not None
    assert one.p == other.p
    assert (one.n_missing_control, one.difference) == (other.n_missing_treatment, -(other.difference or 0))


def test_arms_of_different_replicates_keep_their_own_number() -> None:
    """Two of the control's one answer each, and one of the treatment's three to each item, are missing."""
    table = replace(
        table_of([1, NAN, NAN], [1, 0.5, 1]),
        n_samples=np.array([1, 0, 0, 3, 2, 3]),
        planned_samples={(0, 0.0): 1, (1, 0.0): 3},
    )
    endpoint = overall(table)
    assert endpoint.missing_sensitivity is not None
    assert endpoint.attrition is not None
    assert endpoint.missing_sensitivity.control == pytest.approx(1 / 3)
    assert endpoint.missing_sensitivity.treatment == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert (endpoint.attrition.n_planned_control, endpoint.attrition.n_planned_treatment) == (3, 9)
    assert endpoint.attrition.difference == pytest.approx(1 / 9 - 2 / 3)
    assert (endpoint.bounds.n_answers_missing_control, endpoint.bounds.n_answers_missing_treatment) == (2, 1)
    assert endpoint.bounds.low == pytest.approx((1 + 1 / 3 + 1) / 3 - 1)


def test_a_p_of_exactly_alpha_is_a_difference() -> None:
    table = lossy(40, 6, 0)
    p = overall(table).attrition
    assert p is not None
    assert p.p is not None
    at_level = overall(table, replace(QUICK, alpha=p.p)).attrition
    assert at_level is not None
    assert at_level.differs
