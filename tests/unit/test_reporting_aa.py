"""What an A/A check found, as a reader sees it: every sentence, table and note."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from promptrial.documents.aa import AAEndpoint, AAGate, AAResult, AATrial, Alarms
from promptrial.documents.scorers import Declaration
from promptrial.reporting.aa import LIMITS, aa_gate_lines, aa_lines, aa_tables, floor_text, result_lines
from promptrial.reporting.tables.words import wording

ALARMS: Final = Alarms(n=50, of=1_000, rate=0.05, ci_low=0.0373, ci_high=0.0654)
UNTRIED: Final = Alarms(n=0, of=0, rate=None, ci_low=None, ci_high=None)
MADE: Final = (
    "A/A check: 1,000 random splits of the control's 4 answers to each item, 2 against 2; clusters stay whole."
)
FLOOR: Final = (
    "95% of the splits differ by at most 12.5 percentage points (noise floor); about 8.8 with all 4 answers on each "
    "side."
)
FALSE: Final = "false alarms in 5.0% (95% CI 3.7% to 6.5%) of the splits, at level 5%, as expected at this level."


def endpoint(metric: str = "em", **changes: Any) -> AAEndpoint:
    row = AAEndpoint(
        metric=metric, temp=0.7, method="mcnemar", n_pairs=1_200, n_clusters=300, answers_per_side=2, answers_planned=4,
        alarms=ALARMS, tenths=(50, 150, *[100] * 8), commonest=0.004, p_too_small=0.4, p_uniform=0.3, noise_floor=0.125,
        noise_floor_planned=0.0884, largest=0.3, all_equal=False,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def result(*endpoints: AAEndpoint, **changes: Any) -> AAResult:
    whole = AAResult(
        source="replicates", arm="control", other=None, splits=1_000, seed=1, alpha=0.05, confidence=0.95,
        endpoints=endpoints or (endpoint(),), verdict=ALARMS,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def gate(name: str, temp: float, **changes: Any) -> AAGate:
    return msgspec.structs.replace(AAGate(gate=name, temp=temp, alarm="fails", alarms=ALARMS), **changes)


def test_a_check_says_what_was_split_how_large_noise_is_and_how_often_the_test_errs() -> None:
    assert [*result_lines(result())] == [MADE, f"Exact match: {FLOOR}", f"Exact match: {FALSE}"]


def test_temperatures_are_named_where_there_are_several_and_endpoints_together_where_there_are_several() -> None:
    lines = [*result_lines(result(endpoint(), endpoint(temp=0.0)))]
    assert lines[1:] == [
        f"Exact match at temperature 0.7: {FLOOR}",
        f"Exact match at temperature 0.7: {FALSE}",
        f"Exact match at temperature 0: {FLOOR}",
        f"Exact match at temperature 0: {FALSE}",
        (
            "Any of the 2 primary endpoints, corrected together, gave a false alarm in 5.0% (95% CI 3.7% to 6.5%) of "
            "the splits."
        ),
    ]
    together = [*result_lines(result(endpoint(), endpoint("f1"), verdict=UNTRIED))]
    assert [line.partition(":")[0] for line in together[1:]] == [*["Exact match"] * 2, *["Token F1"] * 2]


def test_two_asks_say_how_far_they_differ_and_that_whole_clusters_were_exchanged() -> None:
    asked = result(
        endpoint(answers_per_side=1, answers_planned=1, difference=-0.015, p=0.25),
        source="second_ask", other="control_again", splits=1,
    )  # fmt: skip
    made, differ, floor, _ = result_lines(asked)
    assert made == (
        "A/A check: control and control_again send the same requests. Their answers were exchanged at random, whole "
        "clusters at once, in 1 split."
    )
    assert differ == "Exact match: the two sets of answers differ by -1.50 percentage points (p = 0.250)."
    assert floor == "Exact match: 95% of the splits differ by at most 12.5 percentage points (noise floor)."


def test_arms_that_were_asked_in_several_ways_are_listed() -> None:
    [made, *_] = result_lines(result(endpoint(), endpoint("f1", answers_planned=6, answers_per_side=3)))
    assert "the control's 4 answers to each item, 2 against 2 or 6 answers to each item, 3 against 3;" in made


def test_equal_answers_and_endpoints_that_cannot_be_tested_have_a_sentence_of_their_own() -> None:
    equal, untested = endpoint(all_equal=True), endpoint("f1", reason="no pair")
    assert [*result_lines(result(equal, untested))][1:3] == [
        (
            "Exact match: every answer to an item has the same score. The noise floor is 0: between arms that are "
            "asked like this, no difference is due to chance in the answers."
        ),
        "Token F1: no split can be tested: no pair.",
    ]


@pytest.mark.parametrize(
    ("floor", "text"),
    [(0.3, "30.0"), (0.05, "5.0"), (0.049, "4.90"), (0.0, "0.00"), (None, "\u2013")],
)
def test_a_noise_floor_below_five_points_has_two_decimals(floor: float | None, text: str) -> None:
    assert f"at most {text} percentage points" in floor_text(endpoint(noise_floor=floor), 0.95)


def test_scores_with_a_unit_are_shown_in_it() -> None:
    ease = Declaration(label="Ease", meaning="?", scale="continuous", direction="higher", range=(1.0, 6.0))
    found = endpoint("ease", noise_floor=0.5, noise_floor_planned=0.25, difference=0.5, p=0.5)
    with wording({"ease": ease}):
        lines, [figures, _] = [*result_lines(result(found))], aa_tables(result(found))
    assert lines[1] == "Ease: the two sets of answers differ by +0.50 points (p = 0.500)."
    assert "differ by at most 0.5 points (noise floor); about 0.2 with all 4 answers" in lines[2]
    assert figures.rows[0][-2:] == ("0.5 points", "0.2 points")


def test_gates_say_how_often_they_are_wrong_and_name_temperatures_where_there_are_several() -> None:
    rate = "although nothing changed, in 5.0% (90% CI 3.7% to 6.5%) of the splits."
    assert [*aa_gate_lines((gate("g", 0.0), gate("h", 0.0, alarm="passes")), 0.9)] == [
        f"Gate g fails, {rate}",
        f"Gate h passes, {rate}",
    ]
    untried = gate("h", 0.7, alarms=UNTRIED, reason="no split can be tested")
    assert [*aa_gate_lines((gate("g", 0.0), untried), 0.9)] == [
        f"Gate g at temperature 0 fails, {rate}",
        "Gate h at temperature 0.7: no split can be tested.",
    ]


def test_a_trial_has_its_check_its_gates_and_what_they_cannot_show_or_why_it_has_none() -> None:
    trial = AATrial(trial="small", result=result(), reason=None, gates=(gate("g", 0.0),), warnings=())
    lines = [*aa_lines(trial)]
    assert [lines[0], lines[-1]] == [MADE, LIMITS]
    assert lines[-2].startswith("Gate g fails, although nothing changed")
    nothing = AATrial(trial="small", result=None, reason="one answer to each item", gates=(), warnings=())
    assert [*aa_lines(nothing)] == ["Nothing to check: one answer to each item."]


def test_the_tables_have_the_figures_of_each_endpoint_and_its_p_values_by_tenth() -> None:
    figures, tenths = aa_tables(result(endpoint(), endpoint("f1", reason="no pair")))
    assert (figures.title, figures.headers) == (
        "Control against itself",
        ("Measure", "Temp.", "Pairs", "False alarms", "95% CI", "Noise floor", "All answers"),
    )
    assert figures.rows == (("Exact match", "0.7", "1,200", "5.0%", "3.7% to 6.5%", "12.5", "8.8"),)
    assert figures.notes == (
        "Noise floor: 95% of the splits differ by at most this.",
        "All answers: an estimate for as many answers on each side as an arm has.",
        "Differences are in percentage points, unless a unit is given.",
    )
    assert tenths.title == "p-values by tenth"
    assert tenths.headers == ("Measure", "Temp.", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1")
    assert tenths.rows == (("Exact match", "0.7", "50", "150", *["100"] * 8),)
    assert (figures.align, tenths.align) == ("lrrrrrr", "lrrrrrrrrrrr")


def test_the_column_for_all_answers_is_there_only_where_sides_have_fewer() -> None:
    figures, _ = aa_tables(result(endpoint(answers_planned=2)))
    assert figures.headers[-1] == "Noise floor"
    assert figures.rows[0][-1] == "12.5"
    assert len(figures.notes) == 2
    assert not [*aa_tables(result(endpoint(reason="no pair")))]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "distributed like uniform p-values (Kolmogorov-Smirnov, p 0.300)."),
        ({"p_uniform": 0.05}, "distributed like uniform p-values (Kolmogorov-Smirnov, p 0.0500)."),
        ({"p_uniform": 0.01}, "distributed unlike uniform p-values (Kolmogorov-Smirnov, p 0.0100)."),
        (
            {"p_uniform": None},
            (
                "few different p-values (0.4% of the splits have the most common one); not smaller than uniform "
                "p-values (one-sided Kolmogorov-Smirnov, p 0.400)."
            ),
        ),
        (
            {"p_uniform": None, "p_too_small": 0.05, "commonest": None},
            ("few different p-values; not smaller than uniform p-values (one-sided Kolmogorov-Smirnov, p 0.0500)."),
        ),
        (
            {"p_uniform": None, "p_too_small": 0.01, "commonest": None},
            "few different p-values; smaller than uniform p-values (one-sided Kolmogorov-Smirnov, p 0.0100).",
        ),
        (
            {"p_uniform": None, "p_too_small": None},
            (
                "few different p-values (0.4% of the splits have the most common one), so their distribution is not "
                "tested."
            ),
        ),
    ],
)
def test_the_spread_of_p_values_is_judged_as_far_as_it_can_be_tested(changes: dict[str, Any], said: str) -> None:
    *_, tenths = aa_tables(result(endpoint(**changes)))
    assert tenths.notes == (f"Exact match: {said}",)
