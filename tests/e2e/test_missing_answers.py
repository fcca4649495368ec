"""Missing answers, from a provider that fails to the terminal, the report and ``significance.json``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import fake_provider
from tests.support.project import Project

UNEQUAL = "the arms lost different shares of their answers: 8 of 14 (57.1%) in the control and 0 of 14 (0.0%) in the"


@pytest.fixture
def lossy(project: Project) -> Project:
    """Return a project of which the control loses its eight closed-book answers."""
    fake_provider.FAILING.update(f"closed__set-c{number}-c-0-0-c" for number in range(8))
    return project


def primary(project: Project) -> dict[str, Any]:
    document = json.loads((project.trial_folder() / "results/significance.json").read_text())
    (row,) = [row for row in document["endpoints"] if row["metric"] == "em" and row["scope"] == "overall"]
    return {**row, "rule": document["settings"]["missing"]}


def test_unequal_attrition_and_the_other_rule_stand_beside_the_effect(lossy: Project) -> None:
    outcome = lossy.run()
    assert outcome.code == 0, outcome.err
    row = primary(lossy)
    assert (row["rule"], row["n_pairs"], row["n_treatment_only"]) == ("exclude", 6, 8)
    assert row["attrition"]["n_missing_control"] == row["bounds"]["n_answers_missing_control"] == 8
    assert row["attrition"]["differs"] is True
    assert (row["missing_sensitivity"]["missing"], row["missing_sensitivity"]["n_pairs"]) == ("failure", 14)
    report = (lossy.trial_folder() / "reports/report.md").read_text()
    for page in (outcome.out, report):
        assert UNEQUAL in page
        assert "Exact match at temperature 0, missing answers counted as failures: " in page
    assert "### Primary endpoints, missing answers counted as failures" in report
    assert "In the effects that decide they are left out." in report


def test_a_missing_answer_counts_as_a_failure_where_the_configuration_says_so(lossy: Project) -> None:
    lossy.write_config({"stats": {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": "failure"}})
    outcome = lossy.run()
    assert outcome.code == 0, outcome.err
    row = primary(lossy)
    assert (row["rule"], row["n_pairs"]) == ("failure", 14)
    assert row["control"]["mean"] == pytest.approx(row["control"]["mean_paired"])
    assert (row["missing_sensitivity"]["missing"], row["missing_sensitivity"]["n_pairs"]) == ("exclude", 6)
    report = (lossy.trial_folder() / "reports/report.md").read_text()
    assert "### Primary endpoints, missing answers left out" in report
    assert "In the effects that decide they are counted as failures." in report


def test_the_setting_makes_statistics_anew_and_asks_nothing(lossy: Project) -> None:
    assert lossy.run().code == 0
    before = primary(lossy)
    asked = fake_provider.CALLS.total()
    lossy.write_config({"stats": {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": "exclude"}})
    assert "nothing was left to do" in lossy.run("--resume").err
    lossy.write_config({"stats": {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": "failure"}})
    outcome = lossy.run("--resume", "--force")
    assert outcome.code == 0, outcome.err
    assert fake_provider.CALLS.total() == asked
    after = primary(lossy)
    assert after["difference"] == before["missing_sensitivity"]["difference"]


def test_with_every_answer_there_the_terminal_says_nothing_of_missing_ones(project: Project) -> None:
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    assert "missing answers" not in outcome.out
    assert "lost different shares" not in outcome.out
