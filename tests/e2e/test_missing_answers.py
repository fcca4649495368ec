"""Missing answers, from a provider that fails to the terminal, the report and ``significance.json``."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from promptrial.model import RequestId, ids
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


def test_unequal_attrition_and_the_other_rule_are_shown_beside_the_effect(lossy: Project) -> None:
    outcome = lossy.run()
    assert outcome.code == 0, outcome.err
    row = primary(lossy)
    assert (row["rule"], row["n_pairs"], row["n_treatment_only"]) == ("exclude", 6, 8)
    assert row["attrition"]["n_missing_control"] == row["bounds"]["n_answers_missing_control"] == 8
    assert row["attrition"]["differs"] is True
    assert (row["missing_sensitivity"]["missing"], row["missing_sensitivity"]["n_pairs"]) == ("failure", 14)
    report = lossy.details()
    assert UNEQUAL in report
    assert "Warning (unequal losses): control.txt lost 8 of 14 answers, treatment.txt 0 of 14 (p = 0.0" in outcome.prose
    for page in (outcome.prose, report):
        assert "Exact match at temperature 0, missing answers counted as failures: " in page
    assert "### Primary endpoints, missing answers counted as failures" in report
    assert "In the main result, they are left out." in report


def test_a_missing_answer_counts_as_a_failure_if_configured(lossy: Project) -> None:
    lossy.write_config({"stats": {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": "failure"}})
    outcome = lossy.run()
    assert outcome.code == 0, outcome.err
    row = primary(lossy)
    assert (row["rule"], row["n_pairs"]) == ("failure", 14)
    assert row["control"]["mean"] == pytest.approx(row["control"]["mean_paired"])
    assert (row["missing_sensitivity"]["missing"], row["missing_sensitivity"]["n_pairs"]) == ("exclude", 6)
    report = lossy.details()
    assert "### Primary endpoints, missing answers left out" in report
    assert "In the main result, they are counted as failures." in report


def test_changing_the_rule_for_missing_answers_recomputes_statistics_without_asking(lossy: Project) -> None:
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


def test_with_every_answer_present_the_terminal_does_not_mention_missing_ones(project: Project) -> None:
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    assert "missing answers" not in outcome.out
    assert "lost different shares" not in outcome.out


def test_the_worst_score_of_an_abstention_depends_on_the_question(project: Project) -> None:
    """To abstain is the failure where a question has an answer, to answer where it has none."""
    unanswerable = ids.wire_encode(RequestId("open_set", "rust-2", "control", "0.0", 0, "open"))
    fake_provider.FAILING.update({"closed__set-c3-c-0-0-c", unanswerable})
    settings = {"bootstrap_samples": 1000, "permutation_samples": 999, "primary": ["abstain_rate", "false_answer_rate"]}
    project.write_config({"stats": settings})
    assert project.run().code == 0
    document = json.loads((project.trial_folder() / "results/significance.json").read_text())
    rows = {row["metric"]: row for row in document["endpoints"] if row["scope"] == "overall"}
    abstention, false_answers = rows["abstain_rate"], rows["false_answer_rate"]
    assert abstention["attrition"]["n_missing_control"] == 2
    assert abstention["missing_sensitivity"]["n_pairs"] == 14
    abstained = abstention["control"]["mean"] * abstention["control"]["n_scored"]
    assert abstention["missing_sensitivity"]["control"] == pytest.approx((abstained + 1 + 0) / 14)
    assert (false_answers["n_items"], false_answers["n_not_applicable"], false_answers["n_pairs"]) == (14, 11, 2)
    answered = false_answers["control"]["mean"] * 2
    assert false_answers["missing_sensitivity"]["control"] == pytest.approx((answered + 1) / 3)


def test_gates_of_a_comparison_treat_missing_answers_as_the_runs_did(lossy: Project) -> None:
    pairs = {}
    for rule in ("exclude", "failure"):
        stats = {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": rule}
        lossy.write_config({"stats": stats})
        assert lossy.run(run_id=rule).code == 0
        found = lossy.call("compare", rule, rule, "--condition", "control", "--gate", "em >= -1", "--json")
        (gate,) = json.loads(found.out)["gates"]
        pairs[rule] = gate["n_pairs"]
    assert pairs == {"exclude": 6, "failure": 14}


def test_a_comparison_says_which_run_lost_more_and_what_that_may_have_done(lossy: Project) -> None:
    assert lossy.run(run_id="a").code == 0
    fake_provider.FAILING.clear()
    assert lossy.run(run_id="b").code == 0
    found = lossy.call("compare", "a", "b", "--condition", "control")
    assert found.code == 0, found.err
    assert "A and B lost different shares of their answers: 8 of 14 (57.1%) in A and 0 of 14 (0.0%) in B" in found.prose
    assert "Exact match at temperature 0, missing answers counted as failures: " in found.prose


def test_replicates_that_are_missing_count_in_the_bounds_and_make_no_endpoint_binary(project: Project) -> None:
    fake_provider.FAILING.update({"closed__set-c3-c-0-0-c", "closed__set-c3-c-0-2-c", "closed__set-c5-c-0-1-c"})
    project.write_config({"samples_per_item": 3})
    assert project.run().code == 0
    row = primary(project)
    assert (row["scale"], row["clustered"], row["n_pairs"]) == ("graded", True, 14)
    bounds = row["bounds"]
    assert (bounds["n_missing_control"], bounds["n_answers_missing_control"]) == (0, 3)
    assert bounds["high"] - bounds["low"] == pytest.approx(3 / 42)
    report = project.details()
    assert re.search(r"\| Exact match +\| +0 +\| +14 +\| +3 +\| +0 +\|", report)
