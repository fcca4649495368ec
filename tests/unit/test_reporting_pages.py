"""Reports of made-up documents, read as a colleague would read them, and one of a real analysis."""

import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from markdown_it import MarkdownIt

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.documents import significance
from promptrial.documents.cost_report import CostReport, Price
from promptrial.documents.looks import Looks
from promptrial.documents.missing import ArmAttrition, AttritionTest, MissingBounds
from promptrial.documents.significance import (
    ArmMean,
    Endpoint,
    Estimate,
    Family,
    HypothesisTest,
    Significance,
    StatsSettings,
)
from promptrial.model import ModelSpec, Prompt
from promptrial.model.arms import DEFAULT_CONTRAST, PAIR, ArmName
from promptrial.model.instances import RequestOptions
from promptrial.model.responses import NO_TEXT
from promptrial.reporting.cells import MISSING
from promptrial.reporting.details import trial_details
from promptrial.reporting.facts import DatasetFacts, ParseFacts, ReuseFacts, RunFacts, TrialFacts, TrialResult
from promptrial.reporting.markdown import aggregate_report
from promptrial.reporting.page.sections import _prompts
from promptrial.reporting.summary import run_sentences, trial_sentences
from promptrial.reporting.tables import (
    aggregate_table,
    arms_table,
    attrition_table,
    binary_table,
    bounds_table,
    costs_table,
    effect_sizes_table,
    equivalence_table,
    exploratory_table,
    methods_table,
    pairs_table,
    precision_table,
    primary_p_values,
    primary_table,
    questions_table,
    selective_table,
    subgroup_table,
    trials_table,
)
from promptrial.reporting.tables.context import design_table
from promptrial.reporting.tables.words import reason_text
from promptrial.stats.analysis import analyse
from promptrial.stats.attrition import arm_attrition
from promptrial.stats.pairing import ScoreTable
from tests.support.score_tables import ROLES, table_of
from tests.support.values import make_trial

PRICE = Price(input_per_million=0.1, output_per_million=0.4, batch_discount=0.5)
SETTINGS = StatsSettings(wanted={"em": "higher", "f1": "higher", "false_answer_rate": "lower"})
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def arm(mean: float | None, n: int = 100) -> ArmMean:
    low, high = (None, None) if mean is None else (mean - 0.1, mean + 0.1)
    method = None if mean is None else "wilson"
    return ArmMean(n_scored=n, mean=mean, ci_low=low, ci_high=high, ci_method=method, n_paired=n, mean_paired=mean)


def endpoint(metric: str = "em", control: float = 0.3, treatment: float = 0.45, **changes: Any) -> Endpoint:
    difference = treatment - control
    row = Endpoint(
        metric=metric,
        temp=0.0,
        scope="overall",
        subset="all",
        scale="binary",
        n_items=104,
        n_pairs=100,
        n_control_only=1,
        n_treatment_only=2,
        n_lost=1,
        n_not_applicable=0,
        n_clusters=100,
        clustered=False,
        control=arm(control),
        treatment=arm(treatment),
        difference=difference,
        ci_low=difference - 0.06,
        ci_high=difference + 0.06,
        ci_method="newcombe",
        p=0.0125,
        p_method="mcnemar",
        family="primary",
        p_adjusted=0.025,
        significant=True,
        bounds=MissingBounds(n_items=104, n_missing_control=3, n_missing_treatment=2, low=0.11, high=0.18, reason=None),
        reason=None,
    )
    return msgspec.structs.replace(row, **changes)


_UNTESTED: dict[str, Any] = {
    "n_pairs": 0,
    "n_clusters": 0,
    "control": arm(None, 0),
    "treatment": arm(None, 0),
    "difference": None,
    "ci_low": None,
    "ci_high": None,
    "ci_method": None,
    "p": None,
    "p_method": None,
    "family": None,
    "p_adjusted": None,
    "significant": None,
    "reason": "no pair: no item has a score in both arms",
}


def untested(metric: str = "em", **changes: Any) -> Endpoint:
    return msgspec.structs.replace(endpoint(metric), **_UNTESTED | changes)


DULL: dict[str, Any] = {"p": 0.4, "p_adjusted": 0.4, "significant": False, "family": "exploratory"}


def estimate(method: str, quantity: str, value: float | None, **changes: Any) -> Estimate:
    row = Estimate(
        metric="em",
        temp=0.0,
        scope="overall",
        subset="all",
        method=method,
        quantity=quantity,
        estimate=value,
        ci_low=None,
        ci_high=None,
        confidence=None,
        p=None,
        n_pairs=100,
        n_clusters=100,
        reason=None,
        notes=(),
        figures={},
    )
    return msgspec.structs.replace(row, **changes)


def attrition(
    answered: int = 104, reasons: dict[str, int] | None = None, empty: int = 0, truncated: int = 0
) -> ArmAttrition:
    return arm_attrition(104, answered, reasons or {}, empty, truncated)


def document(*endpoints: Endpoint, **changes: Any) -> Significance:
    whole = Significance(
        schema_version=2,
        settings=SETTINGS,
        attrition={"control": attrition(), "treatment": attrition()},
        endpoints=endpoints or (endpoint(),),
        tests=(),
        families=(
            Family(name="primary", correction="holm", alpha=0.05, size=2, rejected=1),
            Family(name="exploratory", correction="bh", alpha=0.05, size=3, rejected=1),
        ),
        estimates=(),
        selective=(),
    )
    return msgspec.structs.replace(whole, **changes)


def looked_at(alpha: float) -> Looks:
    """The looks of a trial that asked all its waves, in which the rule decides on exact match at a level of its own."""
    return Looks(
        rule="pocock", metric="em", alpha=alpha, efficacy=True, futility=None, waves_planned=2, items_planned=100,
        items=100, decision="end", taken=(),
    )  # fmt: skip


def facts(slug: str = "model-set-tp1-tk50-mx32-32", **changes: Any) -> TrialFacts:
    prompts: dict[ArmName, Prompt] = {
        "control": Prompt("Answer with care.", "a" * 64),
        "treatment": Prompt("Say so when you do not know.\n```\nnot code\n```", "b" * 64),
    }
    trial = make_trial(
        slug=slug,
        model=ModelSpec("small", "/models/small.gguf", "embedded"),
        prompt_set="operational_only",
        prompts=prompts,
        temps=(0.0,),
        samples_per_item={"0.0": 1},
        top_p=1.0,
        top_k=50,
        max_new_tokens={"open": 32, "closed": 32},
        stop=("\n",),
        seed=7,
    )
    run = RunFacts(
        run_id="demo",
        experiment="sample",
        question="Does it help?",
        config_hash="c" * 64,
        package_version="0.1.0",
        datasets=(DatasetFacts("sample_open", "squad_v2", 64, "/home/x/open.json", f"SHA-256 {'d' * 64}"),),
        n_open=64,
        n_closed=40,
    )
    whole = TrialFacts(
        run=run,
        trial=trial,
        prompt_tokens={"control": 5, "treatment": None},
        engine={"weights": "/models/small.gguf", "version": 3},
        parse=ParseFacts(
            duplicates_ignored=1, unknown_ids=2, malformed_lines=3, missing={"control": 4, "treatment": 5}
        ),
    )
    return replace(whole, **changes)


def costs(price: Price | None = PRICE, unknown: int = 0) -> CostReport:
    usage: dict[ArmName, TokenUsage] = {
        name: TokenUsage(104, 100, 10_000, 2_000, 12_000, None, unknown) for name in PAIR
    }
    return cost_report(usage, {"control": 30.0, "treatment": 45.0}, price)


def sentences(significance: Significance, **changes: Any) -> list[str]:
    return trial_sentences(TrialResult(facts(**changes), significance, costs()))


def headings(page: str) -> list[str]:
    return [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]


# --- the summary ------------------------------------------------------------------------------------------------------


def test_the_summary_states_comparison_finding_missing_answers_and_cost() -> None:
    texts = sentences(
        document(
            endpoint(
                bounds=MissingBounds(
                    n_items=104, n_missing_control=0, n_missing_treatment=0, low=0.15, high=0.15, reason=None
                )
            )
        )
    )

    assert texts == [
        (
            "The control and treatment prompts of prompt set operational_only were compared on the model small. "
            "Each of 104 items (64 open-book, 40 closed-book) was asked once at temperature 0 in each arm."
        ),
        (
            "Exact match (primary): significant; the treatment is higher, which is better. 45.0% against 30.0% in the "
            "control: +15.0 percentage points (95% CI +9.0 to +21.0), 100 pairs, adjusted p = 0.0250."
        ),
        "Missing answers: none (all 104 requests of each arm were answered).",
        (
            "Cost: 0.0018 USD (0.00090 for the control arm and 0.00090 for the treatment arm), 24,000 tokens, "
            "0.000024 USD per exact match."
        ),
    ]


def test_a_result_that_is_not_significant_is_not_called_no_difference() -> None:
    [text] = [text for text in sentences(document(endpoint(**DULL))) if "(primary)" in text]

    assert "no significant difference" in text
    assert "(95% CI +9.0 to +21.0)" in text
    assert text.endswith("This does not mean that the prompts are equal.")


def test_a_difference_shows_its_single_limit_or_says_that_it_has_none() -> None:
    none, lower = (sentences(document(endpoint(ci_low=low, ci_high=None)))[1] for low in (None, 0.09))
    assert "+15.0 percentage points (no interval can be computed), 100 pairs" in none
    assert "+15.0 percentage points (95% CI +9.0 to " in lower


def test_a_significant_result_in_the_unwanted_direction_is_called_worse() -> None:
    assert any("the treatment is lower, which is worse" in text for text in sentences(document(endpoint(control=0.6))))
    false_answers = endpoint("false_answer_rate", control=0.6)
    settings = replace(SETTINGS, primary=("false_answer_rate",))
    assert any("lower, which is better" in text for text in sentences(document(false_answers, settings=settings)))


def test_the_better_direction_of_a_metric_is_read_from_the_document() -> None:
    turned = document(endpoint(), settings=StatsSettings(wanted={"em": "lower"}))
    silent = document(endpoint(), settings=StatsSettings())

    assert any("the treatment is higher, which is worse" in text for text in sentences(turned))
    assert any("the treatment is higher. 45.0%" in text for text in sentences(silent))
    assert [questions_table(each).rows[0][3] for each in (turned, silent)] == ["lower", "depends on the item"]


def test_an_untestable_endpoint_is_shown_with_its_reason_and_n() -> None:
    texts = sentences(document(untested()))

    assert (
        "Exact match (primary) could not be tested: no pair, because no item has a score in both arms (0 pairs)."
        in texts
    )


def test_exploratory_results_are_called_leads() -> None:
    found = endpoint("abstain_rate", family="exploratory")
    texts = sentences(document(endpoint(), found, endpoint("f1", **DULL), untested("unsupported_rate")))

    assert any(text.startswith("Abstention (exploratory): the treatment is higher. 45.0%") for text in texts)
    assert any("leads for another trial rather than findings" in text for text in texts)
    assert "Exploratory, without a significant difference: Token F1." in texts


def test_missing_answers_are_reported_with_what_they_could_change() -> None:
    arms = {"control": attrition(101, {"content_filter": 2}), "treatment": attrition()}
    texts = sentences(document(attrition=arms))

    assert any(
        text.startswith(
            "Missing answers: 3 of 104 (2.9%) for the control arm and 0 of 104 (0.0%) for the treatment arm."
        )
        for text in texts
    )
    assert any("over all 104 items lies within +11.0 to +18.0 percentage points" in text for text in texts)


def test_an_unpriced_model_has_no_cost_in_usd_and_none_of_zero() -> None:
    page = trial_details(facts(), document(), costs(None))

    assert "the cost in USD is unknown, because the model has no price" in page
    assert "unknown, not 0" in page
    assert not re.search(r"\b0(\.0+)? USD", page)
    assert [row[-2:] for row in costs_table(costs(None)).rows] == [(MISSING, MISSING)] * 3


def test_a_trials_model_that_answers_no_arm_has_no_price_message() -> None:
    price = Price(input_per_million=1.0, output_per_million=2.0, batch_discount=0.0)
    some = msgspec.structs.replace(costs(None), arm_prices={"treatment": price})
    both = msgspec.structs.replace(costs(None), arm_prices={"control": price, "treatment": price})
    assert "The model has no price" in " ".join(costs_table(some).notes)
    notes = " ".join(costs_table(both).notes)
    assert "The model has no price" not in notes
    assert "Price per million tokens of the control arm" in notes


def test_costs_of_partly_unknown_usage_are_lower_bounds() -> None:
    page = trial_details(facts(), document(), costs(unknown=7))

    assert "Cost: at least 0.0018 USD" in page
    assert (
        "The usage of 7 of 104 requests of the treatment arm was not reported: its tokens and USD are lower bounds"
        in page
    )
    assert "for each exact match" not in page


def test_a_trial_of_one_arm_makes_no_comparison() -> None:
    trial = replace(facts().trial, conditions=("treatment",))
    page = trial_details(
        facts(trial=trial),
        document(untested(), attrition={"treatment": attrition()}, families=()),
        cost_report({"treatment": TokenUsage(104, 104, 1, 1, 2)}, {}, None),
    )

    assert "Only the treatment prompt of prompt set operational_only" in page
    assert "### Control" not in page
    assert "could not be tested" in page
    assert [line for line in page.splitlines() if line.startswith("| both ")] == []
    for of_two in ("Worst-case bounds", "Whatever the missing scores are", "| Pairing "):
        assert of_two not in page
        assert of_two in trial_details(facts(), document(), costs())


def test_with_several_temperatures_every_sentence_and_row_says_which() -> None:
    trial = replace(facts().trial, temps=(0.0, 0.7), samples_per_item={"0.0": 1, "0.7": 5})
    significance = document(endpoint(), endpoint(temp=0.7, n_pairs=90, **DULL))
    texts = sentences(significance, trial=trial)

    assert texts[0].endswith("was asked once at temperature 0 and 5 times at temperature 0.7 in each arm.")
    assert any(text.startswith("Exact match at temperature 0 (primary): significant") for text in texts)
    assert any(text.startswith("Exact match at temperature 0.7 (primary): no significant difference") for text in texts)
    assert [row[1:3] for row in primary_table(significance).rows] == [("0", "100"), ("0.7", "90")]
    assert questions_table(significance).rows[0][2] == "100 / 90"
    assert facts(trial=trial).requests_per_arm == 104 * 6


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_primary_table_has_a_row_with_n_effect_interval_and_decision() -> None:
    table = primary_table(document(endpoint(), endpoint("f1", **DULL)))

    assert table.rows == (
        (
            "Exact match",
            "0",
            "100",
            "30.0%",
            "45.0%",
            "+15.0 (+9.0 to +21.0)",
            "0.0125",
            "0.0250",
            "significant: treatment higher",
        ),
    )
    assert table.notes == (
        "Primary measures are decided by their adjusted p; the intervals are not adjusted.",
        "Exact match: p by McNemar's test (mid-p); interval by Newcombe's method 10.",
        "Adjusted p: Holm's method over 2 tests, at level 0.05.",
    )


def test_a_metric_that_applies_to_nothing_is_not_applicable_and_one_without_pairs_not_estimable() -> None:
    nothing = untested("false_answer_rate", n_not_applicable=104)
    table = exploratory_table(document(endpoint(), nothing, untested("f1")))

    assert [row[-1] for row in table.rows] == ["not applicable", "not estimable"]
    assert [row[2] for row in table.rows] == ["0", "0"]
    assert [row[5] for row in table.rows] == [MISSING, MISSING]
    assert table.notes == ("Token F1 (all items, temperature 0): no pair, because no item has a score in both arms.",)


def test_a_difference_without_an_interval_is_shown_with_a_dash_and_the_reason() -> None:
    no_limits: dict[str, Any] = {"difference": 0.0, "ci_low": None, "ci_high": None, "ci_method": None}
    why = "all pairs have the same difference"
    table = primary_table(document(endpoint(**DULL | no_limits | {"reason": f"{why}: no interval can be computed"})))

    assert table.rows[0][5] == f"0.0 ({MISSING})"
    assert "Exact match: p by McNemar's test (mid-p); no interval." in table.notes
    assert f"Exact match (all items, temperature 0): {why}, so no interval can be computed." in table.notes


def test_a_share_without_an_interval_is_shown_with_one_dash() -> None:
    row = estimate("selective", "control", 1.0, metric="coverage", reason="one cluster: no interval can be computed")

    assert selective_table(document(selective=(row,))).rows[0][-1] == f"100.0% ({MISSING})"


def test_few_and_dominant_clusters_are_named_beside_the_effect_on_every_page() -> None:
    said = "the largest cluster (pabc) holds 43% of the pairs"
    row = endpoint(clustered=True, n_clusters=8, cautions=("only 8 clusters", said))
    found = document(row, endpoint("f1", cautions=(said,), **DULL))
    notes = primary_table(found).notes
    assert "Exact match (all items, temperature 0): only 8 clusters." in notes
    assert f"Exact match (all items, temperature 0): {said}." in notes
    assert any(said in text for text in sentences(found))
    result = TrialResult(facts(), found, costs())
    adjusted = primary_p_values([result])
    assert any(said in note for note in aggregate_table([result], adjusted).notes)


def test_too_few_clusters_for_a_decision_are_not_called_not_significant() -> None:
    reason = "not estimable with 5 clusters: a 95% interval needs at least 6"
    limits = {"ci_low": None, "ci_high": None, "ci_method": None, "clustered": True, "n_clusters": 5}
    found = document(endpoint(**DULL | limits | {"reason": reason, "clusters_needed": 6}))
    assert primary_table(found).rows[0][-1] == "not estimable with 5 clusters"
    [text] = [text for text in sentences(found) if "(primary)" in text]
    assert text.startswith(f"Exact match (primary) could not be decided: {reason}.")


def test_an_exploratory_endpoint_of_too_few_clusters_is_not_said_to_be_without_a_difference() -> None:
    few = {"ci_low": None, "ci_high": None, "ci_method": None, "clustered": True, "n_clusters": 5, "clusters_needed": 6}
    found = sentences(document(endpoint(), endpoint("f1", **DULL | few), endpoint("abstain_rate", **DULL)))
    assert "Exploratory, without a significant difference: Abstention." in found
    assert "Exploratory, with too few clusters or pairs to decide: Token F1." in found


def test_the_level_above_the_effects_is_that_of_the_stopping_rule_where_it_decides_all_of_them() -> None:
    ruled = document(endpoint(), endpoint("f1", **DULL), looks=looked_at(0.025))
    assert "Difference, points (97.5% CI)" in primary_table(ruled).headers
    assert "Difference, points (95% CI)" in exploratory_table(ruled).headers
    both = msgspec.structs.replace(ruled, settings=replace(ruled.settings, primary=("em", "f1")))
    table = primary_table(both)
    assert "Difference, points (95% CI)" in table.headers
    assert table.notes[0] == "Exact match: the interval is at 97.5%, the level of the stopping rule."
    result = TrialResult(facts(), ruled, costs())
    assert any("(97.5% CI +9.0" in text for text in trial_sentences(result))
    adjusted = primary_p_values([result])
    assert "Difference, points (97.5% CI)" in aggregate_table([result], adjusted).headers


def test_no_sentence_of_the_long_pages_claims_what_must_not_be_relied_on() -> None:
    lost = AttritionTest(
        n_planned_control=200, n_planned_treatment=200, n_missing_control=0, n_missing_treatment=98, difference=0.49,
        p=0.0001, p_method="mcnemar", differs=True, reason=None,
    )  # fmt: skip
    found = TrialResult(facts(), document(endpoint(attrition=lost)), costs())
    first = "Do not rely on this result: 98 of 200 answers from treatment are missing. "
    for texts in (trial_sentences(found), run_sentences([found], primary_p_values([found]))):
        [said] = [text for text in texts if "treatment is higher" in text or "the treatment is" in text]
        assert said.startswith(first)


def test_a_difference_that_only_sign_flips_reject_is_not_called_shown() -> None:
    table = primary_table(document(endpoint(not_shown=True, ci_method="sign_flips_hull", **DULL)))
    assert table.rows[0][-1] == "not significant: the two tests disagree"
    [note] = [note for note in table.notes if "the wider limits of the two" in note]
    assert "p is the larger of two, from sign flips and from the score test on effective counts" in note


def test_a_sampled_p_value_is_shown_with_its_monte_carlo_standard_error() -> None:
    assert primary_table(document(endpoint(monte_carlo_se=0.0011))).rows[0][-3] == "0.0125 (SE 0.001)"
    assert primary_table(document(endpoint(monte_carlo_se=0.0))).rows[0][-3] == "0.0125"


def test_a_document_of_version_0_1_0_is_read_and_its_methods_keep_their_names() -> None:
    with tarfile.open(Path(__file__).parents[1] / "data" / "runs_of_0.1.0.tar.gz") as archive:
        names = [name for name in archive.getnames() if name.endswith("results/significance.json")]
        members = [archive.extractfile(name) for name in names]
        documents = [significance.decode(member.read()) for member in members if member is not None]
    assert documents
    for old in documents:
        assert {row.cautions for row in old.endpoints} == {()}
        page = trial_details(facts(), old, costs())
        methods = {row.p_method for row in old.endpoints}
        assert ("mcnemar" in methods) == ("p by McNemar's test (mid-p)" in page)


def test_subsets_are_shown_with_a_caution() -> None:
    subset = endpoint(scope="dataset", subset="nq", family="subgroups/dataset/em/0.0")
    page = trial_details(facts(), document(endpoint(), subset), costs())

    assert subgroup_table(document(endpoint(), subset), "dataset").rows[0][:4] == ("nq", "Exact match", "0", "100")
    assert "without the subsets differing" in page
    assert "Effects within subsets (exploratory)" in headings(page)
    assert "Effects within subsets (exploratory)" not in headings(trial_details(facts(), document(), costs()))


def test_equivalence_is_mentioned_only_with_a_margin() -> None:
    test = HypothesisTest(
        family="equivalence",
        hypothesis="equivalence",
        metric="em",
        temp=0.0,
        scope="overall",
        subset="all",
        method="tost",
        p=0.3,
        p_adjusted=0.3,
        rejected=False,
    )
    row = estimate(
        "tost", "equivalence", 0.15, ci_low=0.1, ci_high=0.2, confidence=0.9, p=0.3, figures={"margin": 0.05}
    )
    settings = StatsSettings(tost_margins={"em": 0.05})
    with_margin = document(tests=(test,), estimates=(row,), settings=settings)

    assert equivalence_table(with_margin).rows[0][3:] == (
        "equivalence",
        "100",
        "5",
        "+15.0 (+10.0 to +20.0)",
        "0.300",
        "0.300",
        "not shown",
    )
    assert "Difference, points (90% CI)" in equivalence_table(with_margin).headers
    assert (
        "Equivalence in Exact match at temperature 0, margin 5 percentage points: not shown (adjusted p = 0.300)."
        in sentences(with_margin)
    )
    without = trial_details(facts(), document(), costs())
    assert "none given, so equivalence was not tested" in without
    assert "### Equivalence" not in without


def test_the_table_of_margins_names_the_test_and_the_pairs_needed() -> None:
    settings = StatsSettings(tost_margins={"em": 0.02}, wanted={"em": "higher"}, bootstrap_samples=50)
    rng = np.random.default_rng(4)
    scores = rng.integers(0, 2, (2, 60)).astype(np.float64)
    table = equivalence_table(analyse(table_of(*scores.tolist()), settings))
    assert {row[-1] for row in table.rows} == {"not shown"}
    both = "Exact match, equivalence; Exact match, non-inferiority"
    assert f"{both}: by the exact unconditional test on Tango's ordering." in table.notes
    needed = [note for note in table.notes if "a margin of 0.02 needs at least 149 pairs" in note]
    assert [note.partition(":")[0] for note in needed] == both.split("; "), "equivalence needs more: both sides"


def test_discordant_pairs_and_an_infinite_odds_ratio_are_shown() -> None:
    figures = {"both": 20, "treatment_only": 9, "control_only": 0, "neither": 71, "p_midp": 0.002, "p_exact": 0.0039}
    table = binary_table(
        document(
            estimates=(
                estimate("mcnemar", "risk_difference", 0.09, p=0.002, figures=figures),
                estimate("mcnemar", "odds_ratio", None, ci_low=1.9, confidence=0.95, reason="infinite: no upper limit"),
            )
        )
    )

    assert table.rows == (
        ("Exact match", "0", "100", "20", "9", "0", "71", "0.00200", "0.00390", f"{MISSING} (from 1.90)"),
    )
    assert "McNemar's test (mid-p): infinite: no upper limit (Exact match)." in table.notes


def test_a_statistic_unknown_to_every_table_is_shown_anyway() -> None:
    table = methods_table(
        document(estimates=(estimate("new_test", "shift", 1.25, ci_low=1.0, ci_high=1.5, confidence=0.9, p=0.2),))
    )

    assert table.rows == (("Exact match", "0", "100", "new test", "shift", "1.25 (1.00 to 1.50, 90%)", "0.200", ""),)


def test_requests_are_listed_by_arm_and_reason() -> None:
    arms = {
        "treatment": attrition(100, {"timeout": 1}, truncated=5),
        "control": attrition(101, {"reasoning_only": 2}, empty=2),
    }
    table = attrition_table(document(attrition=arms))

    assert table.headers[2:4] == ("Answered", "Truncated")
    assert table.headers[6:] == ("Empty: reasoning only", "Error: timeout", "No result row")
    assert table.rows == (
        ("control", "104", "101", "0", "3", "2.9%", "2", "0", "1"),
        ("treatment", "104", "100", "5", "4", "3.8%", "0", "1", "3"),
    )


def test_more_than_a_hundredth_of_empty_or_truncated_answers_is_a_warning_before_the_results() -> None:
    arms = {
        "treatment": attrition(104, truncated=1),
        "control": attrition(101, {"length": 2, "refusal": 1}, empty=3, truncated=2),
    }
    texts = sentences(document(attrition=arms))
    assert texts[1] == (
        "Warning: responses without an answer: 3 of 104 (2.9%) in the control arm and 0 of 104 (0.0%) in the treatment "
        "arm. They count as missing, not as abstentions, and enter no score."
    )
    assert texts[2] == (
        "Warning: answers cut off at the token limit: 2 of 101 (2.0%) in the control arm and 1 of 104 (1.0%) in the "
        "treatment arm. The text up to the limit is scored; max_new_tokens sets the limit."
    )


def test_a_hundredth_or_less_causes_no_warning() -> None:
    counts = arm_attrition(100, 99, {"length": 1}, empty=1, truncated=0)
    whole = arm_attrition(100, 100, {}, empty=0, truncated=1)
    assert not [
        text for text in sentences(document(attrition={"control": counts, "treatment": whole})) if "Warn" in text
    ]


def test_an_arm_without_requests_causes_no_warning() -> None:
    arms = {"control": arm_attrition(0, 0, {}), "treatment": attrition(1, {"empty": 103}, empty=103, truncated=1)}
    texts = [text for text in sentences(document(attrition=arms)) if text.startswith("Warning")]
    assert "0 of 0 in the control arm and 103 of 104 (99.0%) in the treatment arm" in texts[0]
    assert "0 of 0 in the control arm and 1 of 1 (100.0%) in the treatment arm" in texts[1]


def test_the_report_of_a_run_names_the_trials_with_empty_answers_first() -> None:
    arms = {"control": attrition(4, {"empty": 100}, empty=100), "treatment": attrition()}
    result = TrialResult(facts(), document(attrition=arms), costs())
    text = run_sentences([result], primary_p_values([result]))[1]
    assert text.startswith(f"Warning: {facts().trial.slug}: responses without an answer: 100 of 104")


def test_answers_with_reasoning_are_counted_if_there_are_any() -> None:
    parse = ParseFacts(0, 0, 0, {"control": 0, "treatment": 0}, {"control": 0, "treatment": 3})
    page = trial_details(facts(parse=parse), document(), costs())
    assert "reasoning (kept, but not scored): 0 in the control arm and 3 in the treatment arm." in page
    assert "reasoning" not in trial_details(facts(), document(), costs())


def test_every_code_of_an_empty_response_has_its_own_text() -> None:
    words = [reason_text(code) for code in NO_TEXT]
    assert len(set(words)) == len(words)
    assert not any("_" in text for text in words)


def test_every_table_of_results_shows_n() -> None:
    significance = real_document(1)
    tables = [
        primary_table(significance),
        exploratory_table(significance),
        subgroup_table(significance, "dataset"),
        subgroup_table(significance, "type"),
        equivalence_table(significance),
        arms_table(significance),
        selective_table(significance),
        methods_table(significance),
        binary_table(significance),
        effect_sizes_table(significance),
        precision_table(significance),
        pairs_table(significance),
        bounds_table(significance),
        attrition_table(significance),
        questions_table(significance),
        costs_table(costs()),
    ]

    for table in tables:
        assert table.rows, table.title
        shown = [column for column in ("Pairs", "Scored items", "Items", "Requests") if column in table.headers]
        assert shown, table.title
        place = table.headers.index(shown[0])
        assert all(re.fullmatch(r"[\d,]+", row[place]) for row in table.rows), table.title


# --- pages ------------------------------------------------------------------------------------------------------------


def real_document(seed: int, shift: float = 0.3) -> Significance:
    rng = np.random.default_rng(seed)
    n = 60
    item, condition = np.repeat(np.arange(n), 2), np.tile(np.arange(2), n)
    is_open = item < 40
    em = (rng.random(2 * n) < 0.3 + shift * condition).astype(float)
    abstain = (rng.random(2 * n) < 0.2).astype(float)
    n_samples = np.ones(2 * n, dtype=np.int64)
    metrics = {
        "em": em,
        "f1": np.round(np.maximum(em, rng.random(2 * n)), 3),
        "abstain_rate": abstain,
        "false_answer_rate": np.where(is_open & (item % 2 == 1), 1 - abstain, np.nan),
    }
    n_samples[5] = 0
    for column in metrics.values():
        column[5] = np.nan
    table = ScoreTable(
        item_keys=[f"d|{key}" for key in range(n)],
        dataset_names=["closed_set", "open_set"],
        type_names=["closed", "open"],
        item=item,
        dataset=is_open.astype(np.int64),
        cluster=np.where(is_open, item // 4, item + 100),
        type=is_open.astype(np.int64),
        arm=condition,
        temp=np.zeros(2 * n),
        n_samples=n_samples,
        metrics=metrics,
        roles=ROLES,
        unanswerable=np.arange(n) % 2 == 1,
    )
    settings = StatsSettings(
        bootstrap_samples=200, permutation_samples=200, tost_margins={"em": 0.1}, wanted=SETTINGS.wanted
    )
    arms = {"control": arm_attrition(n, n, {}), "treatment": arm_attrition(n, n - 1, {"timeout": 1})}
    return analyse(table, settings, {name: arms[name] for name in PAIR})


def test_the_page_has_its_sections_in_order_and_is_well_formed() -> None:
    page = trial_details(facts(), real_document(1), costs())
    tokens = PARSER.parse(page)

    assert headings(page) == [
        "In short",
        "Research question and design",
        "How to read the numbers",
        "Effects",
        "Effects within subsets (exploratory)",
        "Behind the decisions",
        "Missing answers",
        "Costs",
        "Provenance",
        "Appendix: the prompts",
    ]
    assert page.startswith("# Trial model-set-tp1-tk50-mx32-32\n\n## In short\n\n- The control and treatment")
    assert page.endswith("\n")
    assert "\n\n\n" not in page
    assert not re.search(r"\b(nan|inf|None)\b", page)
    n_tables = sum(token.type == "table_open" for token in tokens)
    assert n_tables == page.count("\n### ") - 2 + 2  # two prompts have a heading and no table, two sections the reverse


def test_the_prompts_are_quoted_whole_even_where_they_hold_fences() -> None:
    page = trial_details(facts(), document(), costs())
    blocks = [token.content for token in PARSER.parse(page) if token.type == "fence"]

    assert blocks == ["Answer with care.\n", "Say so when you do not know.\n```\nnot code\n```\n"]
    assert f"token count unknown, SHA-256 {'b' * 64}" in page
    assert f"\n5 tokens, SHA-256 {'a' * 64}" in page


def test_a_prompt_with_unprintable_characters_says_that_it_is_not_shown_as_it_is() -> None:
    control, *others = facts().trial.arms
    bold = replace(control, prompt=Prompt("be\x1b[1m bold", "a" * 64))
    trial = replace(facts().trial, arms=(bold, *others))
    page = trial_details(facts(trial=trial), document(), costs())

    assert page.count("unprintable characters are escaped") == 1
    assert r"be\u001b[1m bold" in page


def test_the_page_names_no_folder_of_a_machine() -> None:
    page = trial_details(facts(), document(), costs())

    assert "/home" not in page
    assert "/models" not in page
    assert "open.json" in page
    assert "small.gguf" in page


def test_the_same_values_give_the_same_bytes_whatever_the_order_of_mappings() -> None:
    significance = real_document(1)
    turned = facts(
        engine=dict(reversed(list(facts().engine.items()))),
        prompt_tokens=dict(reversed(list(facts().prompt_tokens.items()))),
    )
    mirrored = msgspec.structs.replace(significance, attrition=dict(reversed(significance.attrition.items())))

    assert trial_details(turned, mirrored, costs()) == trial_details(facts(), real_document(1), costs())


@pytest.mark.parametrize(
    "attack", ["a | b\n|---|\n", "<script>alert(1)</script>", "[x](javascript:1)", "`|`", "\\|", "# x", "\x1b[2J"]
)
def test_hostile_names_and_reasons_change_no_structure(attack: str) -> None:
    calm, wild = (
        trial_details(
            facts(
                run=replace(
                    facts().run,
                    question=text,
                    experiment=text,
                    datasets=(DatasetFacts(text, text, 1, text, text),),
                ),
                engine={text: text},
            ),
            document(
                endpoint(metric=text, reason=text),
                attrition={"control": attrition(103, {text: 1}), "treatment": attrition()},
                settings=StatsSettings(primary=(text,)),
            ),
            costs(),
        )
        for text in ("calm", attack)
    )

    def shape(page: str) -> list[tuple[str, int]]:
        return [(token.type, token.level) for token in PARSER.parse(page)]

    assert shape(wild) == shape(calm)
    inner = {child.type for token in PARSER.parse(wild) for child in token.children or ()}
    assert inner <= {"text", "text_special", "softbreak"}
    assert "\x1b" not in wild


# --- a run of several trials ------------------------------------------------------------------------------------------


def results() -> list[TrialResult]:
    return [
        TrialResult(facts("first"), document(endpoint(), endpoint("f1", **DULL)), costs()),
        TrialResult(facts("second"), document(untested()), costs(None)),
        TrialResult(
            facts("third"), document(endpoint(control=0.44, p=0.8, p_adjusted=0.8, significant=False)), costs()
        ),
    ]


def test_the_primary_tests_of_all_trials_are_returned_for_correction() -> None:
    assert primary_p_values(results()) == {
        ("first", DEFAULT_CONTRAST, "em", 0.0): 0.0125,
        ("second", DEFAULT_CONTRAST, "em", 0.0): None,
        ("third", DEFAULT_CONTRAST, "em", 0.0): 0.8,
    }


def test_the_run_page_decides_by_the_p_values_corrected_over_all_trials() -> None:
    keys = list(primary_p_values(results()))
    strict = aggregate_report(facts().run, results(), dict(zip(keys, [0.06, None, 0.8], strict=True)))
    found = aggregate_report(facts().run, results(), dict(zip(keys, [0.025, None, 0.8], strict=True)))

    assert "- 3 trials with 3 primary tests; 1 of them could not be computed." in found
    assert "- Significant after correction for all tests: 1 of 2 tests." in found
    assert "- first, Exact match: the treatment is higher, which is better, by +15.0 percentage points" in found
    assert "No test is significant after correction for 2 tests. This does not mean" in strict
    rows = [line for line in strict.splitlines() if line.startswith(("| first ", "| second ", "| third "))]
    assert len(rows) == 6  # each trial once among the effects and once among the trials
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[:3]]
    assert [cell[-4:] for cell in cells] == [
        ["0.0125", "0.0250", "0.0600", "not significant"],
        [MISSING, MISSING, MISSING, "not estimable"],
        ["0.800", "0.800", "0.800", "not significant"],
    ]
    assert "Holm's method over 2 primary tests" in strict
    assert "[second](second/reports/report.md)" in strict
    assert "If a trial shows no USD, a model of its arms has no price, or its usage was not reported." in strict


def test_a_primary_test_without_a_corrected_p_value_is_refused() -> None:
    with pytest.raises(KeyError):
        aggregate_report(facts().run, results(), {})


# --- dry runs and shared arms -----------------------------------------------------------------------------------------


def test_a_dry_run_says_above_all_else_that_it_says_nothing_about_a_model() -> None:
    dry = facts(run=replace(facts().run, dry_run=True))
    page = trial_details(dry, document(endpoint()), costs())
    assert page.index("This was a dry run") < page.index("## In short")
    assert "dry run" not in trial_details(facts(), document(endpoint()), costs())


def test_requests_shared_by_trials_are_counted_and_reported_as_paid_once() -> None:
    first = TrialResult(facts(), document(endpoint()), costs())
    second = TrialResult(facts(shared_requests=104), document(endpoint()), costs())
    assert any("104 requests are the same in several trials" in note for note in trials_table([first, second]).notes)
    assert not any("several trials" in note for note in trials_table([first, first]).notes)


# --- decoding parameters that were not sent --------------------------------------------------------------------------


def design_row(name: str, **changes: Any) -> str:
    table = design_table(facts(**changes), document(endpoint()))
    return next(str(row[1]) for row in table.rows if row[0] == name)


def test_the_design_says_which_decoding_parameters_were_not_sent() -> None:
    assert design_row("Sampling") == "top-p 1, top-k 50, seed 7"
    said = "Anthropic does not support seed, so it is not sent"
    assert design_row("Sampling", unsent=(said,)) == f"top-p 1, top-k 50, seed 7; {said}"


def test_the_design_states_no_sampling_that_was_left_to_the_vendor() -> None:
    trial = facts().trial
    model = replace(trial.model, options=RequestOptions(sampling="provider_default"))
    said = "OpenAI's chat completions: temperature, top_p, top_k and seed are not sent; the vendor's defaults apply"
    arms = tuple(replace(arm, model=model) for arm in trial.arms)
    given: dict[str, Any] = {"trial": replace(trial, model=model, arms=arms), "unsent": (said,)}
    assert design_row("Sampling", **given) == f"the model's defaults ({said})"
    assert all("not sent: the model's default" in part for part in design_row("Temperatures", **given).split("), "))


def test_a_summary_of_trials_warns_of_arms_that_were_asked_at_different_times() -> None:
    reused = (ReuseFacts("control", "X", 812, 1000, 12),)
    result = TrialResult(facts(reused=reused), document(), costs())
    [text] = [each for each in run_sentences([result], primary_p_values([result])) if "at different times" in each]
    assert text.startswith("Warning: model-set-tp1-tk50-mx32-32: the arms were asked at different times.")
    assert "812 in the control arm and 0 in the treatment arm" in text


def test_the_page_shows_the_words_in_which_prompts_differ() -> None:
    result = TrialResult(facts(), document(), costs())
    first, second = "".join(_prompts(result)).split("<h3>")[1:]
    assert "<pre>Answer with care.</pre>" in first
    assert "<ins>" in second
    assert "<del>" in second
