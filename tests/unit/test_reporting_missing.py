"""What pages say beside the effects: unequal attrition, the other rule for missing answers, differences of subsets."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import msgspec
import numpy as np

from promptrial.documents import significance
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.reporting.cells import MISSING
from promptrial.reporting.elsewhere import without_temperature
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.tables import (
    bounds_table,
    interaction_table,
    missing_rule_table,
    overall_endpoints,
    primary_table,
)
from promptrial.reporting.tables.missing import attrition_notes
from promptrial.stats.analysis import analyse
from promptrial.stats.pairing import ScoreTable
from tests.support.score_tables import table_of

SETTINGS = StatsSettings(bootstrap_samples=300, permutation_samples=300, wanted={"em": "higher"})


def table(lost: int = 12) -> ScoreTable:
    """Return two data sets, the treatment better in the first alone; ``lost`` control answers are missing."""
    rng = np.random.default_rng(2)
    control = (rng.random(80) < 0.4).astype(float)
    treatment = (rng.random(80) < np.repeat([0.95, 0.3], 40)).astype(float)
    control[40 : 40 + lost] = math.nan
    return table_of([*control], [*treatment], dataset=[*np.repeat([0, 1], 40)])


def notes(document: Significance) -> str:
    return "\n".join(note for table in effects_in_short(document, wide=False) for note in table.notes)


def test_tables_of_imported_scores_show_no_temperature() -> None:
    document = analyse(table(), SETTINGS)
    found = [primary_table(document), *effects_in_short(document, wide=False)]
    assert "temperature" in str(found)
    assert "temperature" not in str([without_temperature(each) for each in found])
    assert any(
        note.startswith("Exact match, missing answers counted as failures: ")
        for each in found
        for note in without_temperature(each).notes
    )


def test_unequal_attrition_is_shown_beside_the_effect_in_terminal_and_report() -> None:
    document = analyse(table(), SETTINGS)
    lost = "the arms lost different shares of their answers: 12 of 80 (15.0%) in the control and 0 of 80 (0.0%) in the"
    shown = primary_table(document).notes
    assert any(f"Exact match (all items, temperature 0): {lost} treatment (p " in note for note in shown)
    assert not any("lost different shares" in note for note in primary_table(analyse(table(2), SETTINGS)).notes)


def test_endpoints_that_lost_the_same_answers_are_named_together() -> None:
    scores = table().metrics["em"]
    document = analyse(replace(table(), metrics={"em": scores, "abstain_rate": scores}), SETTINGS)
    (said,) = attrition_notes(overall_endpoints(document))
    assert said.startswith("Exact match and Abstention (all items, temperature 0): the arms lost")


def test_the_other_rule_is_a_row_and_also_a_sentence_if_answers_are_missing() -> None:
    document = analyse(table(), SETTINGS)
    (row,) = missing_rule_table(document).rows
    found = document.endpoints[0].missing_sensitivity
    assert found is not None
    assert found.difference is not None
    assert row[:3] == ("Exact match", "0", "80")
    assert f"{100 * found.difference:+.1f}" in row[5]
    assert "Exact match at temperature 0, missing answers counted as failures: +" in notes(document)
    assert missing_rule_table(document).title == "Primary endpoints, missing answers counted as failures"
    turned = analyse(table(), replace(SETTINGS, missing="failure"))
    assert missing_rule_table(turned).title == "Primary endpoints, missing answers left out"
    assert "missing answers left out: " in notes(turned)
    whole = analyse(table(0), SETTINGS)
    assert len(missing_rule_table(whole).rows) == 1
    assert "missing answers" not in notes(whole)


def test_the_other_rule_gives_the_reason_for_a_missing_figure() -> None:
    document = analyse(table(), replace(SETTINGS, wanted={}))
    assert "Exact match at temperature 0, missing answers counted as failures: not available: which score" in notes(
        document
    )
    assert missing_rule_table(document).rows[0][-2:] == (MISSING, MISSING)
    assert any(note.startswith("Exact match: which score counts") for note in missing_rule_table(document).notes)


def test_the_terminal_shows_differing_subset_effects_and_the_report_all_pairs() -> None:
    document = analyse(table(), SETTINGS)
    (row,) = interaction_table(document, "dataset").rows
    assert row[:5] == ("set0", "set1", "Exact match", "0", "40 / 28")
    assert row[-1] == "the effects differ"
    assert interaction_table(document, "type").rows == ()
    assert "Exact match, set0 minus set1, temperature 0: the effects differ by +" in notes(document)
    calm = analyse(table_of([0, 1] * 20, [1, 0] * 20, dataset=[0] * 20 + [1] * 20), SETTINGS)
    assert interaction_table(calm, "dataset").rows[0][-1] == "no significant difference"
    assert "effects differ" not in notes(calm)


def test_missing_replicates_are_counted_in_the_table_of_bounds() -> None:
    scores = table_of([0.5, 1, 0.5], [1, 1, 1])
    planned = replace(
        scores,
        n_samples=np.array([2, 1, 2, 3, 3, 3]),
        planned_samples={(arm, 0.0): 3 for arm in (0, 1)},
    )
    assert bounds_table(analyse(planned, SETTINGS)).rows[0][2:5] == ("3", "4", "0")


def test_a_document_without_these_fields_is_read_and_shown() -> None:
    """As those of version 0.1.0 are."""
    document = analyse(table(), SETTINGS)
    tree = json.loads(significance.encode(document))
    del tree["interactions"], tree["settings"]["missing"], tree["settings"]["ranges"]
    for endpoint in tree["endpoints"]:
        del endpoint["attrition"], endpoint["missing_sensitivity"]
        del endpoint["bounds"]["n_answers_missing_control"], endpoint["bounds"]["n_answers_missing_treatment"]
    old = significance.decode(json.dumps(tree).encode())
    assert (old.interactions, old.settings.missing, old.settings.range_of("em")) == ((), "exclude", (0.0, 1.0))
    assert missing_rule_table(old).rows == interaction_table(old, "dataset").rows == ()
    assert "missing answers" not in notes(old)
    assert bounds_table(old).rows[0][3:5] == ("12", "0"), "items, as they were counted then"
    assert msgspec.structs.replace(
        old.endpoints[0].bounds, n_answers_missing_control=12, n_answers_missing_treatment=0
    ) == (document.endpoints[0].bounds)
