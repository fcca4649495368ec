"""A trial of several treatments in tables, sentences and pages: results by contrast, figures by arm."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import pytest

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.documents.cost_report import CostReport
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.model import Arm, ModelSpec, Prompt, TaskTemplates, Trial
from promptrial.model.arms import Contrast
from promptrial.reporting import tables
from promptrial.reporting.cells import count, effect, p_value, rate
from promptrial.reporting.details import trial_details
from promptrial.reporting.facts import ParseFacts, TrialFacts, TrialResult, arm_differences
from promptrial.reporting.markdown import aggregate_report
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.summary import run_sentences, trial_sentences
from promptrial.reporting.tables import Table, primary_p_values
from promptrial.stats.analysis import analyse
from promptrial.stats.attrition import arm_attrition
from tests.support.score_tables import of_contrast, trial_table, with_arms
from tests.support.values import make_trial
from tests.unit import test_reporting_pages as pages

ARMS: Final = ("control", "short", "big")
SHORT: Final = Contrast("short")
BIG: Final = Contrast("big")
CONTRASTS: Final = ["short vs control", "big vs control"]
SETTINGS: Final = StatsSettings(
    bootstrap_samples=100, permutation_samples=100, tost_margins={"em": 0.1}, wanted={"em": "higher"}
)
MODEL: Final = ModelSpec("small", "vendor/small-1", "fake")
TEMPLATES: Final = TaskTemplates("{context} {question}", "{question}")
ANSWERED: Final = {"control": 120, "short": 118, "big": 97}


@cache
def analysed(*names: str) -> Significance:
    table = with_arms(trial_table(120, effect=0.8, arms=ARMS), *names)
    return analyse(table, SETTINGS, {name: arm_attrition(120, ANSWERED[name], {}) for name in names})


def trial(big: Arm | None = None, slug: str = "m1-main", conditions: tuple[str, ...] = ARMS) -> Trial:
    arms = [Arm(name, Prompt(f"Be {name}.", name[0] * 64), MODEL, TEMPLATES) for name in ARMS]
    return make_trial(arms=(*arms[:2], big or arms[2]), model=MODEL, slug=slug, conditions=conditions)


def facts(of: Trial | None = None) -> TrialFacts:
    parse = ParseFacts(0, 0, 0, missing={name: 120 - ANSWERED[name] for name in ARMS})
    return replace(pages.facts(), trial=of or trial(), prompt_tokens=dict.fromkeys(ARMS, 3), parse=parse)


def costs() -> CostReport:
    tokens = {name: 1000 * (1 + place) for place, name in enumerate(ARMS)}
    usage = {name: TokenUsage(120, ANSWERED[name], tokens[name], 0, tokens[name], None, 0) for name in ARMS}
    return cost_report(usage, dict.fromkeys(ARMS, 30.0), pages.PRICE)


def column(table: Table, header: str) -> list[str]:
    return [row[table.headers.index(header)] for row in table.rows]


BY_CONTRAST: Final = (
    tables.primary_table,
    tables.exploratory_table,
    tables.missing_rule_table,
    tables.equivalence_table,
    tables.pairs_table,
    tables.bounds_table,
    tables.binary_table,
    tables.methods_table,
    tables.effect_sizes_table,
    tables.precision_table,
    tables.selective_table,
)


@pytest.mark.parametrize("make", BY_CONTRAST, ids=lambda make: make.__name__)
def test_a_table_has_the_rows_of_each_contrast_under_its_name(make: object) -> None:
    assert callable(make)
    both = make(analysed(*ARMS))
    assert list(dict.fromkeys(column(both, "Contrast"))) == CONTRASTS
    for contrast, name in zip((SHORT, BIG), CONTRASTS, strict=True):
        alone = make(of_contrast(analysed(*ARMS), contrast))
        assert [row for row in both.rows if row[0] == name] == list(alone.rows)
        assert alone.rows


def test_tables_of_subsets_are_by_contrast_too() -> None:
    for scope in ("dataset", "type"):
        for make in (tables.subgroup_table, tables.interaction_table):
            assert {*column(make(analysed(*ARMS), scope), "Contrast")} == {*CONTRASTS}


def test_a_trial_of_control_and_treatment_has_no_column_of_contrasts() -> None:
    table = trial_table(60, arms=("control", "treatment"))
    document = analyse(table, SETTINGS)
    for make in BY_CONTRAST:
        assert "Contrast" not in make(document).headers
    assert "vs control" not in trial_details(pages.facts(), document, pages.costs())


def test_the_figures_of_a_row_are_those_of_its_contrast() -> None:
    document = analysed(*ARMS)
    rows = tables.primary_endpoints(document)
    table = tables.primary_table(document)
    assert len(rows) == 2
    for row, name, cells in zip(rows, CONTRASTS, table.rows, strict=True):
        assert (str(row.compared), cells[0]) == (name, name)
        assert {count(row.n_pairs), p_value(row.p_adjusted), effect(row.difference, row.ci_low, row.ci_high)} <= {
            *cells
        }
        assert [cells[table.headers.index(side)] for side in ("Control", "Treatment")] == [
            rate(arm.mean_paired) for arm in row.arms
        ]
        assert cells[-1].startswith(f"significant: {row.compared.treatment} higher" if row.significant else "not")
    assert any(row.significant for row in rows)


def test_adjusted_p_values_state_the_number_of_tests_over_all_contrasts() -> None:
    assert any("over 2 tests" in note for note in tables.primary_table(analysed(*ARMS)).notes)


def test_each_arm_is_described_once() -> None:
    table = tables.arms_table(analysed(*ARMS))
    rows = [row for row in table.rows if row[0] == "Exact match"]
    assert [row[2] for row in rows] == [*ARMS]
    scores = trial_table(120, effect=0.8, arms=ARMS)
    means = [float(np.nanmean(scores.metrics["em"][scores.rows_of(name)])) for name in ARMS]
    assert [row[4].partition(" ")[0] for row in rows] == [rate(mean) for mean in means]


def test_requests_and_costs_have_a_row_for_each_arm() -> None:
    assert column(tables.attrition_table(analysed(*ARMS)), "Arm") == [*ARMS]
    assert column(tables.attrition_table(analysed(*ARMS)), "Answered") == ["120", "118", "97"]
    assert column(tables.costs_table(costs()), "Arm") == [*ARMS, "all"]
    assert column(tables.costs_table(costs()), "Prompt tokens") == ["1,000", "2,000", "3,000", "6,000"]


def test_sentences_name_the_arm_that_is_higher() -> None:
    texts = trial_sentences(TrialResult(facts(), analysed(*ARMS), costs()))
    assert texts[0].startswith(
        "The arms control, short and big of prompt set main were run on the model small, and each"
    )
    [found] = [text for text in texts if text.startswith("Exact match, big vs control (primary): significant")]
    assert "significant; the big arm is higher, which is better." in found
    assert " in the control: " in found
    assert any("for the short arm" in text and "for the big arm" in text for text in texts if "Missing answers" in text)
    assert any(text.startswith("Equivalence in Exact match, short vs control at temperature 0") for text in texts)
    assert not any("treatment" in text for text in texts)


def test_notes_name_their_contrast() -> None:
    document = analysed(*ARMS)
    lost = [row for row in tables.primary_endpoints(document) if row.attrition is not None]
    assert lost
    page = trial_details(facts(), document, costs())
    cautioned = [row for row in tables.overall_endpoints(document) if row.cautions]
    for row in cautioned:
        assert f" ({row.compared}, all items" in page


def test_the_report_and_the_terminal_show_every_contrast() -> None:
    page = trial_details(facts(), analysed(*ARMS), costs())
    for name in ("short", "big"):
        assert f"{name} vs control" in page
        assert f"### {name.capitalize()}\n" in page
        assert f"Be {name}." in page
    assert [*ARMS, "all"] == column(tables.costs_table(costs()), "Arm")
    titles = [table.title for table in effects_in_short(analysed(*ARMS), wide=False)]
    assert titles == ["Arms by Exact match", "Effects, short minus control", "Effects, big minus control"]


def test_the_tests_of_all_contrasts_and_trials_are_corrected_together() -> None:
    two = TrialResult(pages.facts("two"), pages.document(), pages.costs())
    three = TrialResult(facts(trial(slug="three")), analysed(*ARMS), costs())
    adjusted = primary_p_values([two, three])
    assert [key[:2] for key in adjusted] == [("two", Contrast("treatment")), ("three", SHORT), ("three", BIG)]
    table = tables.aggregate_table([two, three], adjusted)
    assert column(table, "Contrast") == ["treatment vs control", *CONTRASTS]
    assert "over 3 primary tests" in table.notes[0]
    trials = tables.trials_table([two, three])
    assert column(trials, "Missing in control") == ["0", "0"]
    assert column(trials, "Missing in treatment") == ["0", "\u2013"]
    assert column(trials, "Missing in short") == ["\u2013", "2"]
    assert column(trials, "Missing in big") == ["\u2013", "23"]
    assert any(
        "three, Exact match, big vs control: the big arm is higher" in text
        for text in run_sentences([two, three], adjusted)
    )
    assert "big vs control" in aggregate_report(pages.facts().run, [two, three], adjusted)


def test_arms_that_differ_in_more_than_the_prompt_are_reported() -> None:
    large = ModelSpec("large", "vendor/large-9", "openai")
    templates = TaskTemplates("Read {context}, then: {question}", "Say {question}")
    found = trial(Arm("big", Prompt("Be control.", "c" * 64), large, templates))
    said = (
        "short against control: another system prompt; big against control: model large (vendor/large-9, served by "
        "openai) in place of small (vendor/small-1, served by fake), another task template"
    )
    assert arm_differences(found) == said
    result = TrialResult(facts(found), analysed(*ARMS), costs())
    page = trial_details(result.facts, result.significance, result.costs)
    [row] = [line for line in page.splitlines() if line.startswith("| Differences between arms")]
    assert said in row
    assert f"The arms differ in more than the system prompt: {said}." in trial_sentences(result)
    assert f"Differences between the arms of m1-main: {said}." in tables.trials_table([result]).notes
    for template in (TEMPLATES, templates):
        assert f"```text\n{template.open_book}\n```" in page
        assert f"```text\n{template.closed_book}\n```" in page


def test_arms_that_differ_only_in_the_prompt_are_not_mentioned() -> None:
    assert arm_differences(trial()) == ""
    assert arm_differences(trial(conditions=("short",))) == ""
    page = trial_details(facts(), analysed(*ARMS), costs())
    assert "Differences between arms" not in page
    assert "template" not in page


def test_arms_without_a_control_are_described_and_not_compared() -> None:
    alone = facts(trial(conditions=("short", "big")))
    assert not alone.compares
    [first, *_] = trial_sentences(TrialResult(alone, analysed(*ARMS), costs()))
    assert (
        "The arms short and big of prompt set main were run on the model small, without an arm to compare them with."
        in first
    )


def test_an_arm_without_answers_is_reported_and_the_other_contrast_is_unaffected() -> None:
    table = trial_table(60, effect=0.8, arms=ARMS)
    silent = table.rows_of("big")
    metrics = {name: np.where(silent, np.nan, scores) for name, scores in table.metrics.items()}
    table = replace(table, metrics=metrics, n_samples=np.where(silent, 0, table.n_samples))
    answered = {"control": 60, "short": 60, "big": 0}
    attrition = {name: arm_attrition(60, answered[name], {"timeout": 60 - answered[name]}) for name in ARMS}
    document = analyse(table, SETTINGS, attrition)
    page = trial_details(facts(), document, costs())
    assert "Exact match, big vs control (primary) could not be tested: no pair" in page
    assert "Exact match, short vs control (primary): " in page
    assert "60 of 60 (100.0%) in the big arm" in page
    [row] = [row for row in tables.primary_table(document).rows if row[0] == "big vs control"]
    assert row[-1] == "not estimable"
    assert [row for row in tables.primary_table(document).rows if row[0] == "short vs control"]
