"""Trials of several treatments from the configuration to the report, and compared arm by arm."""

from __future__ import annotations

import json
import re
from typing import Any

from promptrial.documents import significance
from promptrial.documents.significance import Significance
from promptrial.model.arms import Contrast
from tests.e2e.test_arms import THREE, of_models, of_set
from tests.support.project import Project

PAIRED = Contrast("treatment")
SHORT = Contrast("short")


def statistics(project: Project, run_id: str = "r") -> Significance:
    path = project.trial_folder(run_id) / "results" / "significance.json"
    return significance.decode(path.read_bytes())


def compared(project: Project, *args: str, code: int = 0) -> dict[str, Any]:
    outcome = project.call("compare", *args, "--json")
    assert outcome.code == code, outcome.err
    document: dict[str, Any] = json.loads(outcome.out)
    return document


def test_a_trial_of_three_arms_is_analysed_and_reported_by_contrast(project: Project) -> None:
    of_set(project, THREE)
    done = project.run()
    assert done.code == 0, done.err
    found = statistics(project)
    assert found.compared == (PAIRED, SHORT)
    tests = [test for test in found.tests if test.family == "primary"]
    assert [test.compared for test in tests] == [PAIRED, SHORT]
    assert [family.size for family in found.families if family.name == "primary"] == [2]
    page = (project.trial_folder() / "reports" / "report.md").read_text()
    assert "The arms control, treatment and short of the set main" in page
    for name in ("treatment vs control", "short vs control", "### Short"):
        assert name in page
    in_order = "14 of 14 in the control arm, 14 of 14 in the treatment arm and 14 of 14 in the short arm"
    assert f"Missing answers: none ({in_order})." in page
    assert re.findall(r"^\| (\w+) +\|", page.partition("## Costs")[2], re.MULTILINE)[1:5] == [
        "control", "treatment", "short", "all",
    ]  # fmt: skip
    aggregate = (project.run_root() / "aggregate_report.md").read_text()
    assert "| Missing in control | Missing in treatment | Missing in short |" in aggregate
    assert "over the 2 primary tests" in aggregate
    assert "short vs control" in done.out
    assert "nothing was left to do" in project.run("--resume").err


def test_the_numbers_of_an_arm_do_not_change_when_another_is_added(project: Project) -> None:
    of_set(project, {"control": "control.txt", "treatment": "treatment.txt"})
    assert project.run(run_id="two").code == 0
    of_set(project, THREE)
    assert project.run(run_id="three").code == 0
    two, three = statistics(project, "two"), statistics(project, "three")
    kept = [row for row in three.endpoints if row.compared == PAIRED]
    assert [(row.metric, row.scope, row.subset, row.difference, row.p, row.ci_low) for row in kept] == [
        (row.metric, row.scope, row.subset, row.difference, row.p, row.ci_low) for row in two.endpoints
    ]
    assert b'"contrast' not in significance.encode(two)


def test_runs_are_compared_by_every_treatment_that_both_have_or_by_the_arm_that_is_named(project: Project) -> None:
    of_set(project, THREE)
    assert project.run(run_id="a").code == 0
    (project.root / "config" / "other.txt").write_text("Be quick.\n")
    of_set(project, THREE | {"treatments": {**THREE["treatments"], "late": "treatment.txt"}})  # type: ignore[dict-item]
    assert project.run(run_id="b").code == 0
    found = compared(project, "a", "b", "--gate", "em >= -0.99")
    assert [pair["condition"] for pair in found["pairs"]] == ["treatment", "short"]
    assert [gate["condition"] for gate in found["gates"]] == ["treatment", "short"]
    assert [pair["same_requests"] for pair in found["pairs"]] == [True, False]
    assert [arm.partition(": ")[2] for arm in found["arms_only_b"]] == ["late"]
    assert found["arms_only_a"] == []
    assert "arms that were run in B alone" in project.call("compare", "a", "b").out
    failed = project.call("compare", "a", "b", "--gate", "em >= 0.5")
    assert failed.code == 100
    for arm in ("treatment", "short"):
        assert f"gate em >= 0.5 in the {arm} arm: failed" in failed.err
        assert f"em >= 0.5 in the {arm} arm: " in failed.out
    both = compared(project, "a", "b", "--condition", "both")
    assert [pair["condition"] for pair in both["pairs"]] == ["control", "treatment", "short"]
    named = compared(project, "a", "b", "--arms", "short,control")
    assert [pair["condition"] for pair in named["pairs"]] == ["short", "control"]
    refused = project.call("compare", "a", "b", "--arms", "late")
    assert refused.code == 2
    assert "run without the late arm" in refused.err
    assert "its arms: control, treatment, short" in refused.err


def test_a_gate_never_passes_over_an_arm_that_run_b_lacks(project: Project) -> None:
    of_set(project, THREE)
    assert project.run(run_id="a").code == 0
    assert project.run("--arms", "control", run_id="only_control").code == 0
    assert project.run("--arms", "control,short", run_id="fewer").code == 0
    gate = ("--gate", "em >= -0.99")
    for run_b, choice, absent in (
        ("only_control", ["--condition", "both"], "treatment"),
        ("only_control", [], "treatment"),
        ("fewer", ["--condition", "both"], "treatment"),
        ("fewer", [], "treatment"),
    ):
        refused = project.call("compare", "a", run_b, *choice, *gate)
        assert refused.code == 2, (run_b, choice)
        assert f"run {run_b}: m1-main-tp1-tk50-mx64-64 was run without the {absent} arm" in refused.err
    assert "name the arms to compare with --arms" in refused.err
    assert project.call("compare", "fewer", "a", "--condition", "both", *gate).code == 2
    assert compared(project, "fewer", "a", *gate)["gates"][0]["condition"] == "short"
    assert compared(project, "a", "fewer", "--arms", "short", *gate)["gates"][0]["condition"] == "short"
    assert [pair["condition"] for pair in compared(project, "a", "fewer")["pairs"]] == ["short"]


def test_an_arm_that_another_model_answers_is_told_in_the_report_and_compared_by_that_model(project: Project) -> None:
    of_models(project, {"prompt": "control.txt", "model": "m2"})
    assert project.run(run_id="a").code == 0
    page = (project.trial_folder("a") / "reports" / "report.md").read_text()
    differences = "big against control: model m2 (vendor/model-2, served by fake) in place of m1"
    assert f"The arms differ in more than the system prompt: {differences}" in page
    assert "| Differences of arms" in page
    assert "Price of the big arm: 10.0 USD for a million prompt tokens, 20.0 USD for a million answer tokens." in page
    of_models(project, {"prompt": "control.txt", "model": "m1"})
    assert project.run(run_id="b").code == 0
    refused = project.call("compare", "a", "b")
    assert refused.code == 2
    assert "model differs" in refused.err
    assert compared(project, "a", "b", "--arms", "control")["pairs"][0]["same_requests"] is True


def test_a_run_that_got_more_arms_later_is_compared_with_all_of_them(project: Project) -> None:
    of_set(project, THREE)
    assert project.run("--arms", "control,short").code == 0
    assert statistics(project).compared == (SHORT,)
    assert project.run("--resume", "--force", "--condition", "both").code == 0
    assert statistics(project).compared == (PAIRED, SHORT)
    both = compared(project, "r", "r", "--condition", "both")
    assert [pair["condition"] for pair in both["pairs"]] == ["control", "treatment", "short"]


def test_treatments_without_the_control_are_described_and_compared_with_nothing(project: Project) -> None:
    of_set(project, THREE)
    done = project.run("--arms", "treatment,short")
    assert done.code == 0, done.err
    found = statistics(project)
    assert found.compared == (PAIRED, SHORT)
    assert {test.p for test in found.tests} <= {None}
    assert all(row.treatment.n_scored and not row.control.n_scored for row in found.endpoints if row.metric == "em")
    page = (project.trial_folder() / "reports" / "report.md").read_text()
    assert "were run without one to compare them with" in page
