"""The verdict: one sentence for each state of a primary endpoint, and one line for each warning."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from promptrial.documents.judges import ArmJudged, JudgeSummary
from promptrial.documents.many_arms import PooledEffect, Simultaneous, Trend
from promptrial.documents.missing import AttritionTest, MissingSensitivity
from promptrial.documents.significance import Family, HypothesisTest, Significance, StatsSettings
from promptrial.reporting.details import reading_sentences
from promptrial.reporting.facts import GrowthFacts, SealFacts, TrialFacts, TrialResult, UnfinishedFacts
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.summary import trial_sentences
from promptrial.reporting.tables import primary_table
from promptrial.reporting.verdict import Verdict, all_arms, comparison_verdict, scores_verdict, trial_verdict
from promptrial.reporting.warned import unfinished_warning
from promptrial.stats.effective import density
from tests.unit.test_reporting_pages import attrition, costs, document, endpoint, estimate, facts, looked_at, untested
from tests.unit.test_reporting_ranks import ranking

NAMED = {"control": "control.txt", "treatment": "terse.txt"}
DULL: dict[str, Any] = {"p": 0.4, "p_adjusted": 0.4, "significant": False}
NARROW = "the interval is approximate and may be too narrow."


def verdict(found: Significance, changed: TrialFacts | None = None) -> Verdict:
    return trial_verdict(TrialResult(changed or replace(facts(), prompt_names=NAMED), found, costs()))


def sentence(found: Significance) -> str:
    return " ".join(verdict(found).sentences)


def test_a_better_prompt_is_named_by_its_file_with_both_shares_and_the_interval() -> None:
    assert sentence(document(endpoint())) == (
        "terse.txt beats control.txt on exact match: 45.0% against 30.0%, +15.0 points (95% CI +9.0 to +21.0; "
        "100 questions, adjusted p = 0.025)."
    )


def test_a_worse_prompt_is_called_worse() -> None:
    found = document(endpoint(control=0.45, treatment=0.30))
    assert sentence(found).startswith("terse.txt is worse than control.txt on exact match: 30.0% against 45.0%, -15.0")
    assert verdict(found).findings[0].state == "worse"


def test_if_lower_is_better_the_lower_prompt_wins_and_the_sentence_says_why() -> None:
    settings = replace(document().settings, primary=("false_answer_rate",))
    found = document(endpoint("false_answer_rate", control=0.45, treatment=0.30), settings=settings)
    assert "terse.txt beats control.txt on false answers" in sentence(found)
    assert "30.0% against 45.0%, lower is better, -15.0 points" in sentence(found)


def test_without_a_declared_direction_no_prompt_wins() -> None:
    found = document(endpoint(), settings=StatsSettings())
    assert sentence(found).startswith("terse.txt is higher than control.txt on exact match")


def test_arms_without_files_are_called_by_their_names() -> None:
    found = verdict(document(endpoint()), facts())
    assert str(found.findings[0]).startswith("treatment beats control on exact match")


def test_an_inconclusive_result_states_the_detectable_difference_and_the_questions_for_half_of_it() -> None:
    found = document(
        endpoint(control=0.3, treatment=0.312, **DULL),
        estimates=(estimate("paired_difference", "mean_difference", 0.012, figures={
            "detectable_at_80_percent_power": 0.06}),),
    )  # fmt: skip
    assert sentence(found) == (
        "No difference shown on exact match: +1.2 points (95% CI -4.8 to +7.2; 100 questions, adjusted p = 0.400). "
        "This run could detect 6 points; 3 points need about 400 questions."
    )


def test_the_detectable_difference_is_described_as_that_of_one_test_if_several_are_corrected() -> None:
    figures = {"detectable_at_80_percent_power": 0.06}
    found = document(
        endpoint(control=0.3, treatment=0.312, **DULL),
        endpoint("f1"),
        estimates=(estimate("paired_difference", "mean_difference", 0.012, figures=figures),),
        settings=replace(document().settings, primary=("em", "f1")),
    )
    said = verdict(found).sentences[0]
    assert "3 points need about 400 questions. " in said
    assert said.endswith("This is for a single test; correcting for 2 primary tests takes more questions.")


def test_an_inconclusive_result_states_no_power_if_unknown() -> None:
    assert "could detect" not in sentence(document(endpoint(**DULL)))


@pytest.mark.parametrize(
    ("hypothesis", "text"),
    [
        ("equivalence", "terse.txt and control.txt are equivalent on exact match, within 2 points (+0.3, 90% CI "),
        (
            "non_inferiority",
            "terse.txt is not worse than control.txt on exact match by 2 points or more (+0.3, 90% CI ",
        ),
    ],
)
def test_a_shown_margin_decides_if_no_difference_was_shown(hypothesis: Any, text: str) -> None:
    test = HypothesisTest(
        family=hypothesis, hypothesis=hypothesis, metric="em", temp=0.0, scope="overall", subset="all", method="tost",
        p=0.01, p_adjusted=0.01, rejected=True,
    )  # fmt: skip
    found = document(
        endpoint(control=0.3, treatment=0.303, **DULL),
        tests=(test,),
        settings=StatsSettings(tost_margins={"em": 0.02}, wanted={"em": "higher"}),
        estimates=(estimate("tost", hypothesis, 0.003, ci_low=-0.011, ci_high=0.017),),
    )
    assert sentence(found) == f"{text}-1.1 to +1.7; 100 questions)."
    decided = "equivalent" if hypothesis == "equivalence" else "not worse"
    [short] = effects_in_short(found, wide=False)
    assert [table.rows[0][-1] for table in (short, primary_table(found))] == [decided, decided]
    for notes in (short.notes, reading_sentences(found)):
        assert any(
            ("decided by 90% intervals, because each takes one-sided tests at level 0.05") in each for each in notes
        )
    assert not any("90%" in each for each in reading_sentences(document(endpoint())))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.05, 0.06, "are wider."),
        (-0.057, 0.063, "are wider."),
        (-0.058, 0.06, "are made by other methods, and can be wider or narrower."),
        (-0.05, 0.064, "are made by other methods, and can be wider or narrower."),
    ],
)
def test_intervals_are_called_wider_than_those_of_a_margin_only_if_they_are(low: float, high: float, said: str) -> None:
    test = HypothesisTest(
        family="equivalence", hypothesis="equivalence", metric="em", temp=0.0, scope="overall", subset="all",
        method="tost", p=0.01, p_adjusted=0.01, rejected=True,
    )  # fmt: skip
    row = endpoint(control=0.3, treatment=0.303, **DULL | {"ci_low": -0.057, "ci_high": 0.063})
    found = document(
        row,
        tests=(test,),
        settings=StatsSettings(tost_margins={"em": 0.1}),
        estimates=(estimate("tost", "equivalence", 0.003, ci_low=low, ci_high=high),),
    )
    [table] = effects_in_short(found, wide=False)
    assert [note for note in table.notes if note.endswith(f"the intervals of this table {said}")]


def test_a_margin_shown_in_one_contrast_is_not_claimed_for_another() -> None:
    names = ("terse vs control", "short vs control")
    test = HypothesisTest(
        family="equivalence", hypothesis="equivalence", metric="em", temp=0.0, scope="overall", subset="all",
        method="tost", p=0.01, p_adjusted=0.01, rejected=True, contrast=names[1],
    )  # fmt: skip
    limits = {names[0]: (-0.5, 0.5), names[1]: (-0.011, 0.017)}
    found = document(
        *(endpoint(control=0.3, treatment=0.303, **DULL, contrast=name) for name in names),
        tests=(test,),
        settings=StatsSettings(tost_margins={"em": 0.02}, wanted={"em": "higher"}),
        estimates=tuple(
            estimate("tost", "equivalence", 0.003, ci_low=low, ci_high=high, contrast=name)
            for name, (low, high) in limits.items()
        ),
    )
    seen = verdict(found)
    assert [each.state for each in seen.findings] == ["not_shown", "equivalent"]
    assert "(+0.3, 90% CI -1.1 to +1.7; 100 questions)" in seen.sentences[1]


def test_only_an_interval_decided_by_a_stopping_rule_is_at_the_level_of_the_rule() -> None:
    settings = replace(document().settings, primary=("em", "f1"))
    seen = verdict(document(endpoint(), endpoint("f1"), settings=settings, looks=looked_at(0.025)))
    assert ["(97.5% CI +9.0" in seen.sentences[0], "(95% CI +9.0" in seen.sentences[1]] == [True, True]


def test_primaries_that_conflict_are_summed_up_as_mixed() -> None:
    found = document(endpoint(), endpoint("false_answer_rate"), settings=replace(
        document().settings, primary=("em", "false_answer_rate")))  # fmt: skip
    seen = verdict(found)
    assert [each.state for each in seen.findings] == ["better", "worse"]
    assert seen.sentences[-1] == "Mixed: better on exact match, worse on false answers."


def test_mixed_results_at_several_temperatures_name_the_temperatures() -> None:
    found = document(endpoint(), endpoint(control=0.45, treatment=0.3, temp=0.7))
    warm = replace(facts(), trial=replace(facts().trial, temps=(0.0, 0.7)))
    assert verdict(found, warm).summary == (
        "Mixed: better on exact match at temperature 0, worse on exact match at temperature 0.7."
    )


def test_mixed_results_in_several_contrasts_are_attributed_to_the_right_arms() -> None:
    settings = replace(document().settings, primary=("em", "f1"))
    shares = {"terse": (0.45, 0.2), "cot": (0.2, 0.45), "plain": (0.45, 0.45)}
    rows = [
        endpoint(metric, 0.3, share, contrast=f"{arm} vs control")
        for arm, found in shares.items()
        for metric, share in zip(("em", "f1"), found, strict=True)
    ]
    assert verdict(document(*rows, settings=settings)).summary == (
        "Mixed: terse is better on exact match, worse on token F1; cot is better on token F1, worse on exact match."
    )


def test_primaries_that_agree_need_no_summary() -> None:
    assert verdict(document(endpoint(), endpoint("f1"))).summary == ""


def test_too_few_clusters_give_no_answer_and_say_how_many_are_needed() -> None:
    row = endpoint(ci_low=None, ci_high=None, clustered=True, n_clusters=4, clusters_needed=6, significant=False)
    assert sentence(document(row)) == (
        "No answer possible on exact match: 4 clusters are too few for 95% intervals; at least 6 are needed."
    )


def test_too_few_questions_counts_all_compared_and_not_only_differing_ones() -> None:
    row = endpoint(ci_low=None, ci_high=None, n_pairs=5, n_clusters=5, clusters_needed=6, significant=False)
    assert sentence(document(row)) == (
        "No answer possible on exact match: 5 questions are too few for 95% intervals; at least 6 are needed."
    )


def test_a_difference_without_an_interval_says_that_there_is_none() -> None:
    found = sentence(document(endpoint(ci_low=None, ci_high=None)))
    assert "+15.0 points (no interval can be computed; 100 questions, adjusted p = 0.025)." in found


def test_figures_near_the_level_agree_with_the_decision_in_sentence_and_table() -> None:
    lost: dict[str, Any] = {"ci_low": -0.297, "ci_high": -0.0003, "p": 0.0495, "p_adjusted": 0.0495}
    shown = document(endpoint(control=0.533, treatment=0.383, **lost))
    assert "-15.0 points (95% CI -29.7 to -0.03; 100 questions, adjusted p = 0.0495)." in sentence(shown)
    assert primary_table(shown).rows[0][5:8] == ("-15.0 (-29.7 to -0.03)", "0.0495", "0.0495")
    close: dict[str, Any] = {"p": 0.05004, "p_adjusted": 0.05004, "significant": False}
    not_shown = document(endpoint(control=0.533, treatment=0.383, ci_low=-0.297, ci_high=0.0003, **close))
    assert "No difference shown" in sentence(not_shown)
    assert "p = 0.05004)" in sentence(not_shown)
    assert primary_table(not_shown).rows[0][6] == "0.05004"
    strict = replace(document().settings, alpha=0.01)
    low = document(endpoint(p=0.0104, p_adjusted=0.0104, significant=False), settings=strict)
    assert "p = 0.0104, tested at level 0.01)" in sentence(low)


def test_an_interval_of_another_level_than_the_test_says_so_in_sentence_and_table() -> None:
    strict = document(endpoint(**DULL), settings=replace(document().settings, alpha=0.01))
    assert "(95% CI +9.0 to +21.0; 100 questions, adjusted p = 0.400, tested at level 0.01)" in sentence(strict)
    said = "Decisions are tested at level 0.01, which is not that of the intervals: the two may disagree."
    assert said in primary_table(strict).notes
    assert any(said in table.notes for table in effects_in_short(strict, wide=False))
    agreed = document(endpoint(**DULL), settings=replace(document().settings, alpha=0.01, confidence=0.99))
    assert "(99% CI +9.0 to +21.0; 100 questions, adjusted p = 0.400)" in sentence(agreed)
    assert not any("may disagree" in note for note in primary_table(agreed).notes)


def test_an_uncorrected_p_value_is_not_called_adjusted() -> None:
    alone = Family(name="primary", correction="holm", alpha=0.05, size=1, rejected=1)
    found = document(endpoint(), families=(alone,))
    assert "100 questions, p = 0.025)" in sentence(found)
    assert not any("adjusted p" in note for note in primary_table(found).notes)


def of_all_arms(low: float, high: float) -> Simultaneous:
    """The interval of exact match that holds together with those of other arms."""
    return Simultaneous(
        metric="em", temp=0.0, difference=0.15, ci_low=low, ci_high=high, confidence=0.95, ci_method="score",
        level=0.98, p=0.02, p_single_step=0.06, p_step_down=0.052, p_holm=0.06, monte_carlo_se=0.0, reason=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "changes", "said"),
    [
        (-0.001, DULL, "(simultaneous 95% CI -0.1 to +30.0; 100 questions, adjusted p = 0.400)"),
        (0.01, {}, "(simultaneous 95% CI +1.0 to +30.0; 100 questions, adjusted p = 0.025)"),
        (-0.001, {}, "(95% CI of this comparison alone +9.0 to +21.0; 100 questions, adjusted p = 0.025)"),
    ],
)
def test_if_all_arms_are_decided_together_the_simultaneous_interval_agrees_with_the_words(
    low: float, changes: dict[str, Any], said: str
) -> None:
    found = document(endpoint(**changes), simultaneous=(of_all_arms(low, 0.3),))
    assert said in sentence(found)
    summary = " ".join(trial_sentences(TrialResult(facts(), found, costs())))
    assert said[1:].partition(";")[0] in summary
    for table in (primary_table(found), effects_in_short(found, wide=False)[0]):
        assert any("intervals that hold simultaneously stand in the table of all arms" in each for each in table.notes)


def test_without_scores_the_verdict_gives_no_answer_and_the_reason() -> None:
    assert sentence(document(untested())) == (
        "No answer possible on exact match: no pair, because no item has a score in both arms."
    )


def test_without_a_primary_endpoint_the_verdict_says_so() -> None:
    settings = replace(document().settings, primary=())
    assert sentence(document(endpoint(), settings=settings)) == "No answer possible: no primary endpoint was declared."


def test_one_arm_alone_is_compared_with_nothing() -> None:
    alone = facts()
    alone = replace(alone, trial=replace(alone.trial, conditions=("control",)))
    assert verdict(document(), alone).sentences == ("Nothing is compared: only control was asked.",)


def test_a_narrow_interval_gets_two_decimals_and_a_tiny_p_a_bound() -> None:
    row = endpoint(control=0.3, treatment=0.31, ci_low=0.008, ci_high=0.012, p_adjusted=0.00001)
    assert "+1.00 points (95% CI +0.80 to +1.20; 100 questions, adjusted p < 0.001)" in sentence(document(row))


def test_the_number_of_clusters_is_shown_beside_the_questions() -> None:
    assert "; 100 questions in 40 clusters, adjusted p = 0.025)" in sentence(
        document(endpoint(clustered=True, n_clusters=40))
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"n_open": 100, "n_closed": 0}, "100 questions from 40 passages"),
        ({"n_open": 100, "n_closed": 0, "n_grouped": 100}, "100 questions in 40 groups"),
        ({"n_open": 50, "n_closed": 50}, "100 questions in 40 clusters"),
        ({"n_open": 100, "n_closed": 0, "n_grouped": 5}, "100 questions in 40 clusters"),
    ],
)
def test_clusters_are_named_by_their_kind(changes: dict[str, Any], text: str) -> None:
    of = replace(facts(), run=replace(facts().run, **changes))
    name = "p0123456789abcdef"
    row = endpoint(clustered=True, n_clusters=40, largest_cluster=name, largest_cluster_share=0.34)
    seen = verdict(document(row), of)
    assert text in seen.sentences[0]
    assert name not in seen.warnings[0].text, "a hash tells a reader nothing"
    assert f"the largest {text.rsplit(maxsplit=1)[-1].removesuffix('s')} has 34%" in seen.warnings[0].text


def test_with_several_arms_each_sentence_names_the_compared_ones() -> None:
    rows = [endpoint(**DULL, contrast=f"{arm} vs control") for arm in ("treatment", "short")]
    said = verdict(document(*rows)).sentences
    assert [text.partition(":")[0] for text in said] == [
        "No difference shown between terse.txt and control.txt on exact match",
        "No difference shown between short and control.txt on exact match",
    ]


def test_several_temperatures_are_named() -> None:
    warm = replace(facts(), trial=replace(facts().trial, temps=(0.0, 0.7)))
    assert "on exact match at temperature 0:" in str(verdict(document(endpoint()), warm).findings[0])


def _lost(control: int, treatment: int, *, differs: bool = True) -> Significance:
    lost = AttritionTest(
        n_planned_control=200, n_planned_treatment=200, n_missing_control=control, n_missing_treatment=treatment,
        difference=0.49, p=0.0001, p_method="mcnemar", differs=differs, reason=None,
    )  # fmt: skip
    other = MissingSensitivity(missing="failure", n_pairs=200, difference=-0.31, ci_low=-0.382, ci_high=-0.24, p=0.0001)
    return document(endpoint(attrition=lost, missing_sensitivity=other, **DULL))


def test_a_verdict_begins_with_the_missing_answers_of_an_arm_if_they_are_many() -> None:
    said = sentence(_lost(0, 98))
    assert said.startswith(
        "Do not rely on this result: 98 of 200 answers from terse.txt are missing. With missing answers counted as "
        "failures: Exact match -31.0 (-38.2 to -24.0) percentage points. "
        "With missing answers left out: No difference shown on exact match: "
    )
    assert "140 of 200 answers from control.txt are missing" in sentence(_lost(140, 98))


def _attrition(control: int, treatment: int, **changes: Any) -> AttritionTest:
    found = AttritionTest(
        n_planned_control=200, n_planned_treatment=200, n_missing_control=control, n_missing_treatment=treatment,
        difference=0.2, p=0.0001, p_method="mcnemar", differs=True, reason=None,
    )  # fmt: skip
    return msgspec.structs.replace(found, **changes)


def test_every_arm_that_lost_too_many_answers_is_named() -> None:
    assert "140 of 200 answers from control.txt are missing and 98 of 200 from terse.txt." in sentence(_lost(140, 98))
    assert "control.txt are missing." in sentence(_lost(140, 20)), "a tenth is not too many"


def test_missing_answers_of_an_arm_are_reported_only_for_its_own_contrast() -> None:
    found = document(
        endpoint(contrast="terse vs control", attrition=_attrition(0, 2, differs=False)),
        endpoint(contrast="cot vs control", attrition=_attrition(0, 98)),
    )
    seen = verdict(found)
    assert [each.state for each in seen.findings] == ["better", "unreliable"]
    assert str(seen.findings[0]).startswith("terse beats control.txt on exact match: 45.0%")
    assert str(seen.findings[1]).startswith(
        "Do not rely on this result: 98 of 200 answers from cot are missing. "
        "With missing answers left out: cot beats control.txt on exact"
    )


def test_if_two_arms_lost_answers_each_contrast_and_warning_states_its_own() -> None:
    losses = {"terse": 30, "cot": 98}
    found = document(*(endpoint(contrast=f"{arm} vs control", attrition=_attrition(0, n)) for arm, n in losses.items()))
    seen = verdict(found)
    assert [
        "30 of 200 answers from terse are" in seen.sentences[0],
        "98 of 200 answers from cot are" in seen.sentences[1],
    ]
    assert [each.text.partition(" (")[0] for each in seen.warnings if each.kind == "unequal"] == [
        "control.txt lost 0 of 200 answers, terse 30 of 200",
        "control.txt lost 0 of 200 answers, cot 98 of 200",
    ]


def test_if_an_arm_lacks_answers_no_primary_endpoint_is_a_win_and_one_warning_says_so() -> None:
    rows = [endpoint(metric, attrition=_attrition(0, 98)) for metric in ("em", "f1")]
    settings = replace(document().settings, primary=("em", "f1"))
    seen = verdict(document(*rows, settings=settings))
    assert [each.state for each in seen.findings] == ["unreliable", "unreliable"]
    assert [each.kind for each in seen.warnings] == ["unequal"]


def test_answers_lost_at_one_temperature_are_reported_only_for_that_one() -> None:
    warm = replace(facts(), trial=replace(facts().trial, temps=(0.0, 0.7)))
    found = document(endpoint(), endpoint(temp=0.7, attrition=_attrition(0, 98)))
    seen = verdict(found, warm)
    assert [each.state for each in seen.findings] == ["better", "unreliable"]
    assert seen.warnings[0].text.startswith("at temperature 0.7, control lost 0 of 200 answers, treatment 98")


def test_unreliable_findings_are_not_summarised_as_mixed() -> None:
    rows = [endpoint(attrition=_attrition(0, 98)), endpoint("false_answer_rate")]
    settings = replace(document().settings, primary=("em", "false_answer_rate"))
    assert verdict(document(*rows, settings=settings)).summary == ""


def test_comparisons_of_two_runs_or_files_with_missing_answers_are_unreliable_too() -> None:
    found = document(endpoint(attrition=_attrition(0, 98)))
    said = (
        "Do not rely on this result: 98 of 200 answers from B are missing. "
        "With missing answers left out: B beats A on exact match"
    )
    for seen in (
        comparison_verdict(found, ("A", "B"), ()),
        scores_verdict(found, {"control": "A", "treatment": "B"}, ()),
    ):
        assert seen.sentences[0].startswith(said)
        assert seen.document().findings[0].state == "unreliable"


def test_a_ranking_with_an_arm_that_lost_too_many_answers_is_unreliable() -> None:
    found = document(
        endpoint(contrast="terse vs control", attrition=_attrition(0, 2, differs=False)),
        endpoint(contrast="cot vs control", attrition=_attrition(0, 98)),
        rankings=(ranking(("control", "terse", "cot"), ("terse", "control"), ("cot", "control")),),
    )
    first, second, third = verdict(found).findings
    assert str(first).startswith(
        "Do not rely on this result: 98 of 200 answers from cot are missing. With missing answers left out: terse or "
    )
    assert [first.state, second.state, third.state] == ["unreliable", "better", "unreliable"]
    assert [each.state for each in all_arms(found, NAMED)] == ["unreliable"]


def test_few_or_balanced_lost_answers_are_only_a_warning() -> None:
    assert sentence(_lost(0, 20)).startswith("No difference shown")
    assert sentence(_lost(98, 98, differs=False)).startswith("No difference shown")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            UnfinishedFacts(1_150, 1_200),
            "1,150 of 1,200 answers; the run has changed since these results were computed.",
        ),
        (UnfinishedFacts(0, 6, grown=True), "0 of 6 answers; these results are from before the sample grew."),
        (UnfinishedFacts(None, 6), "the run has changed since these results were computed."),
        (UnfinishedFacts(6, None, grown=True), "these results are from before the sample grew."),
    ],
)
def test_unfinished_results_say_how_many_answers_there_are_where_that_is_known(
    found: UnfinishedFacts, text: str
) -> None:
    assert str(unfinished_warning(found)) == f"Unfinished: {text}"


@pytest.mark.parametrize(("tests", "is_said"), [(5, False), (6, True)])
def test_more_than_five_primary_tests_are_called_many(tests: int, *, is_said: bool) -> None:
    found = document(*(endpoint(temp=at / 10) for at in range(tests)))
    said = [str(each) for each in verdict(found).warnings if each.kind == "comparisons"]
    text = f"Many tests: {tests} primary tests were corrected together; each needs a smaller p-value."
    assert said == ([text] if is_said else [])


@pytest.mark.parametrize(("flagged", "missing", "said"), [
    (3, 0, ["Exact match"]), (0, 2, ["no verdict"]), (0, 0, []), (3, 2, ["no verdict", "Exact match"]),
])  # fmt: skip
def test_a_judge_without_verdicts_and_answers_that_speak_to_it_are_told_arm_by_arm(
    flagged: int, missing: int, said: list[str]
) -> None:
    arms = {
        "treatment": ArmJudged(answers=100, scored=100 - missing, missing=missing),
        "control": ArmJudged(answers=50, scored=50, flagged=flagged),
    }
    judge = JudgeSummary(scorer="em", type="judge", model="m", provider="p", digest="d", arms=arms)
    texts = [str(each) for each in verdict(document(), replace(facts(), judged=(judge,))).warnings]
    wanted = {
        "no verdict": (
            f"Judge: Exact match has no verdict on 0 of 50 (0.0%) for control and {missing} of 100 ({missing}.0%) for "
            "treatment; these answers have no score."
        ),
        "Exact match": (
            f"Judge: {flagged} of 50 ({2 * flagged}.0%) for control and 0 of 100 (0.0%) for treatment seem to give "
            "instructions to the judge of Exact match; read them."
        ),
    }
    assert [text for text in texts if text.startswith("Judge")] == [wanted[each] for each in said]


def test_arms_that_send_the_same_requests_are_named_with_how_many() -> None:
    trial = facts().trial
    alike = tuple(replace(arm, prompt=trial.arms[0].prompt) for arm in trial.arms)
    again = replace(facts(), trial=replace(trial, arms=alike))
    said = [str(each) for each in verdict(document(), again).warnings if each.kind == "same_requests"]
    assert said == [
        "Same requests: treatment sent the same 104 requests as control; any difference between them is due to chance."
    ]


def test_warnings_have_a_fixed_order_and_numbers() -> None:
    lost = AttritionTest(
        n_planned_control=104, n_planned_treatment=104, n_missing_control=1, n_missing_treatment=30, difference=0.28,
        p=0.0001, p_method="mcnemar", differs=True, reason=None,
    )  # fmt: skip
    row = endpoint(attrition=lost, clustered=True, n_clusters=7, cautions=("only 7 clusters: p-values go in steps",))
    found = document(row, attrition={"control": attrition(103), "treatment": attrition(74, truncated=20)})
    base = facts()
    run = replace(
        base.run,
        dry_run=True,
        grown_late=(GrowthFacts({"squad": (50, 104)}),),
        corrected={"squad": 3},
        seal=SealFacts("a" * 64, ("analysis.alpha: sealed 0.05, now 0.01", "x: y")),
        copied="the name is still the sample's",
    )
    seen = trial_verdict(TrialResult(replace(base, run=run), found, costs(None)))
    once = ["clusters", "unpriced", "grown", "corrected", "seal", "sample_names"]
    assert [each.kind for each in seen.warnings] == ["dry_run", "missing", "truncated", "unequal", *once]
    assert [*map(str, seen.warnings)] == [
        "Dry run: all 177 answers came from an emulator; these figures say nothing about a model.",
        (
            "Missing answers: 1 of 104 (1.0%) for control and 30 of 104 (28.8%) for treatment; they are left out "
            "of the effects."
        ),
        (
            "Answers cut off: 0 of 103 (0.0%) for control and 20 of 74 (27.0%) for treatment, at the token limit "
            "(max_new_tokens); the text up to the limit is scored."
        ),
        (
            "Unequal losses: control lost 1 of 104 answers, treatment 30 of 104 (p < 0.001); this may explain "
            "the effect."
        ),
        "Clusters: there are only 7 clusters, so the interval is wide and the p-value is coarse.",
        "No price: 24,000 tokens of small have no known price; the cost is unknown, not 0.",
        (
            "Sample grew: squad from 50 to 104 questions, after statistics had been computed; p-values assume a "
            "sample size fixed in advance."
        ),
        "Corrected: the gold answers of 3 questions in squad, after the questions had been asked.",
        "Sealed plan: the run deviates from it in 2 ways; the first: analysis.alpha: sealed 0.05, now 0.01.",
        "Sample text: the name is still the sample's.",
    ]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            {"largest_cluster": "moon", "largest_cluster_share": 0.34},
            "the largest cluster (moon) has 34% of the questions.",
        ),
        (
            {"cautions": (("too sparse for sign flips alone (pairs differ in 3 of 40 clusters: upwards in 2, downwards "
                          "in 1): the interval is widened, by a design effect of at least 1.2"),)},
            "exact match differs in only 3 of 40 clusters; the interval was widened to allow for this.",
        ),
        (
            {"cautions": ("pairs differ in 0 of 40 clusters: the interval is approximate, and may be too narrow",)},
            "exact match differs in none of 40 clusters; the interval is approximate and may be too narrow.",
        ),
        (
            {"cautions": ("pairs differ in 3 of 40 clusters: the interval is approximate, and may be too narrow",)},
            "exact match differs in only 3 of 40 clusters; the interval is approximate and may be too narrow.",
        ),
    ],
)  # fmt: skip
def test_the_effect_of_clusters_on_an_interval_is_explained_in_plain_words(row: dict[str, Any], text: str) -> None:
    found = verdict(document(endpoint(clustered=True, n_clusters=40, **row)))
    assert [(each.kind, each.text) for each in found.warnings] == [("clusters", text)]


def test_the_effect_of_clusters_is_explained_per_measure() -> None:
    def sparse(n: int) -> dict[str, Any]:
        said = f"pairs differ in {n} of 40 clusters: the interval is approximate, and may be too narrow"
        return {"clustered": True, "n_clusters": 40, "cautions": (said,)}

    settings = replace(document().settings, primary=("em", "f1"))

    def said(*rows: Any) -> list[str]:
        return [each.text for each in verdict(document(*rows, settings=settings)).warnings]

    assert said(endpoint(**sparse(2)), endpoint("f1", **sparse(0))) == [
        "exact match differs in only 2 of 40 clusters; the interval is approximate and may be too narrow.",
        "token F1 differs in none of 40 clusters; the interval is approximate and may be too narrow.",
    ]
    both = (
        "exact match and token F1 differ in only 2 of 40 clusters; the interval is approximate and may be too narrow."
    )
    assert said(endpoint(**sparse(2)), endpoint("f1", **sparse(2))) == [both]
    hot = endpoint(**sparse(2) | {"temp": 0.7})
    assert said(endpoint(**sparse(0)), hot)[1].startswith("exact match at temperature 0.7 differs in only 2 of 40")
    share: dict[str, Any] = {"clustered": True, "n_clusters": 40}
    assert said(endpoint(**share, largest_cluster_share=0.3), endpoint("f1", **share, largest_cluster_share=0.8)) == [
        "exact match: the largest cluster has 30% of the questions.",
        "token F1: the largest cluster has 80% of the questions.",
    ]


@pytest.mark.parametrize(("tests", "warns"), [(5, False), (6, True)])
def test_more_than_five_tests_corrected_together_cause_a_warning(tests: int, *, warns: bool) -> None:
    found = verdict(document(*(endpoint(contrast=f"arm{n} vs control") for n in range(tests))))
    said = [each.text for each in found.warnings if each.kind == "comparisons"]
    wanted = "6 primary tests were corrected together; each needs a smaller p-value."
    assert said == ([wanted] if warns else [])


def test_the_effect_of_clusters_in_one_of_two_contrasts_names_the_contrast() -> None:
    texts = [f"pairs differ in {n} of 40 clusters: the interval is approximate" for n in (2, 3)]
    rows = [
        endpoint(clustered=True, n_clusters=40, cautions=(text,), contrast=f"{arm} vs control")
        for arm, text in zip(("terse", "cot"), texts, strict=True)
    ]
    terse, cot = [each.text for each in verdict(document(*rows)).warnings if each.kind == "clusters"]
    assert ("terse" in terse, "cot" in terse, "terse" in cot, "cot" in cot) == (True, False, False, True)


def test_warnings_match_the_wording_that_statistics_use() -> None:
    assert density(np.array([1.0, 0.0, 0.0]), np.array([0, 1, 2])).said("clusters") == "pairs differ in 1 of 3 clusters"


def test_a_few_empty_answers_cause_no_warning_and_one_lost_answer_does() -> None:
    few = attrition(103, {"length": 1}, empty=1)
    assert verdict(document(attrition={"control": few, "treatment": attrition(104)})).warnings == ()
    lost = verdict(document(attrition={"control": attrition(103), "treatment": attrition(104)}))
    assert [each.kind for each in lost.warnings] == ["missing"]


def test_the_first_sentence_of_a_dry_run_says_so_before_any_number() -> None:
    dry = replace(facts(), prompt_names=NAMED, run=replace(facts().run, dry_run=True))
    settings = replace(document().settings, primary=("em", "f1"))
    seen = verdict(document(endpoint(), endpoint("f1"), settings=settings), dry)
    assert [text.startswith("Dry run: ") for text in seen.sentences] == [True, False]
    assert seen.sentences[0].startswith("Dry run: terse.txt beats control.txt on exact match: 45.0%")
    assert seen.findings[0].state == "better"


def test_two_runs_are_compared_in_the_same_words() -> None:
    seen = comparison_verdict(document(endpoint()), ("A", "B"), ())
    assert seen.sentences == (
        (
            "B beats A on exact match: 45.0% against 30.0%, +15.0 points (95% CI +9.0 to +21.0; 100 questions, "
            "adjusted p = 0.025)."
        ),
    )
    dry = comparison_verdict(document(endpoint()), ("A", "B"), ("B",))
    assert dry.sentences[0].startswith("Dry run: B beats A")
    assert [*map(str, dry.warnings)] == [
        "Dry run: the answers in run B came from an emulator; these figures say nothing about a model."
    ]


def test_missing_answers_of_two_runs_are_named_by_run() -> None:
    found = document(endpoint(), attrition={"control": attrition(104), "treatment": attrition(74)})
    (warning,) = comparison_verdict(found, ("A", "B"), ()).warnings
    assert warning.text == "0 of 104 (0.0%) for A and 30 of 104 (28.8%) for B; they are left out of the effects."


def test_a_clean_run_has_no_warning() -> None:
    assert verdict(document()).warnings == ()


def test_a_trend_omitted_by_a_stopping_rule_causes_a_warning_if_the_trial_stopped_early() -> None:
    reason = "a stopping rule looked at this endpoint"
    trend = Trend(
        metric="em", temp=0.0, arms=("control", "treatment"), n_items=9, n_clusters=9, slope=None, ci_low=None,
        ci_high=None, confidence=0.95, p=None, p_adjusted=None, significant=None, reason=reason,
    )  # fmt: skip
    over_all = PooledEffect(metric="em", temp=0.0, datasets=("a", "b"), left_out=(), confidence=0.95, reason=reason)
    early = msgspec.structs.replace(looked_at(0.05), decision="stop", items=50)
    found = msgspec.structs.replace(document(), trends=(trend,), pooled=(over_all,))
    said = [str(each) for each in verdict(msgspec.structs.replace(found, looks=early)).warnings]
    for what in ("the trend", "the effect over several data sets"):
        text = f"Stopped early: {what} on exact match is not given: it assumes a sample size fixed in advance."
        assert [each.lower() for each in said].count(text.lower()) == 1
    assert not [each for each in verdict(found).warnings if "not given" in str(each)]
