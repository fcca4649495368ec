"""Trials of several treatments from the configuration to the report, and compared arm by arm."""

from __future__ import annotations

import json
import re
from typing import Any

from promptrial.config.loading import load_config
from promptrial.documents import significance
from promptrial.documents.significance import Significance
from promptrial.model.arms import Contrast
from promptrial.store.rundir import digest_of
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
    page = project.details()
    assert "The arms control, treatment and short of prompt set main" in page
    for name in ("treatment vs control", "short vs control", "### Short"):
        assert name in page
    assert "Missing answers: none (all 14 requests of each arm were answered)." in page
    assert re.findall(r"^\| (\w+) +\|", page.partition("## Costs")[2], re.MULTILINE)[1:5] == [
        "control", "treatment", "short", "all",
    ]  # fmt: skip
    aggregate = (project.run_root() / "aggregate_report.md").read_text()
    assert "| Missing in control | Missing in treatment | Missing in short |" in aggregate
    assert "over 2 primary tests" in aggregate
    assert "Effects, other.txt minus control.txt" in done.out
    for arm in ("treatment", "other"):
        assert f"No difference shown between {arm}.txt and control.txt on exact match: " in done.prose
    assert "nothing was left to do" in project.run("--resume").err


def test_statistics_of_several_treatments_with_an_older_correction_are_computed_again(project: Project) -> None:
    of_set(project, THREE)
    assert project.run().code == 0
    path, results = project.trial_folder() / "results" / "trial_manifest.json", statistics(project)
    manifest = json.loads(path.read_text())
    inputs = manifest["stage_status"]["stats"]["inputs"]
    settings = load_config(project.config, {}).experiment.stats.model_dump(mode="json")
    assert inputs["plan"] == digest_of({**settings, "several arms": "max-T"})
    inputs["plan"] = digest_of(settings)
    path.write_text(json.dumps(manifest))  # as an earlier version left it, which corrected by Holm's method
    again = project.run("--resume")
    assert re.findall(r"^(\w+): running", again.err, re.MULTILINE) == ["stats", "report"], again.err
    assert statistics(project) == results
    reports = project.trial_folder() / "reports"
    assert "![All arms, with intervals and ranks](arms.svg)" in (reports / "report.md").read_text()
    assert "<svg " in (reports / "arms.svg").read_text()
    assert "All pairs of arms" in (reports / "details.md").read_text()
    assert "Arms by Exact match" in (project.run_root() / "report.html").read_text()


def test_trials_that_share_a_control_are_compared_together_in_the_report_of_the_run(project: Project) -> None:
    sets = {
        "main": {"control": "control.txt", "treatment": "treatment.txt"},
        "other": {"control": "control.txt", "treatment": "other.txt"},
    }
    project.write_config({"prompt_sets": sets, "sweep": {"prompt_sets": ["main", "other"]}})
    done = project.run()
    assert done.code == 0, done.err
    page = (project.run_root() / "aggregate_report.md").read_text()
    together = page.partition("## Trials that share a control")[2]
    assert "Arms by Exact match" in together
    assert "treatment.txt (main)" in together
    assert "other.txt (other)" in together
    assert "step-down max-T over 2 primary tests with a shared control" in page


def test_trials_of_several_models_may_share_a_control_that_has_a_model_of_its_own(project: Project) -> None:
    pinned = {"control": {"path": "control.txt", "model": "base"}, "treatment": "treatment.txt"}
    project.write_config(
        {
            "limit_items": 4,
            "temps": [0.0],
            "models": {"base": {"id": "b"}, "one": {"id": "1"}, "two": {"id": "2"}},
            "prompt_sets": {"main": pinned},
            "sweep": {"models": ["one", "two"]},
            "pricing": None,
        }
    )
    done = project.run()
    assert done.code == 0, done.err
    page = (project.run_root() / "aggregate_report.md").read_text()
    together = page.partition("## Trials that share a control")[2]
    trials = sorted(path.parent.name for path in project.run_root().glob("*/results"))
    assert len(trials) == 2
    for trial in trials:
        assert f"treatment.txt ({trial})" in together
    assert "step-down max-T over 2 primary tests with a shared control" in page


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
    assert "arms only in B" in project.call("compare", "a", "b").out
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
    assert "has no late arm" in refused.err
    assert "its arms: control, treatment, short" in refused.err


def test_a_gate_is_refused_if_run_b_lacks_an_arm(project: Project) -> None:
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
        assert f"run {run_b}: m1-main-tp1-tk50-mx64-64 has no {absent} arm" in refused.err
    assert "name the arms to compare with --arms" in refused.err
    assert project.call("compare", "fewer", "a", "--condition", "both", *gate).code == 2
    assert compared(project, "fewer", "a", *gate)["gates"][0]["condition"] == "short"
    assert compared(project, "a", "fewer", "--arms", "short", *gate)["gates"][0]["condition"] == "short"
    assert [pair["condition"] for pair in compared(project, "a", "fewer")["pairs"]] == ["short"]


def test_the_report_names_an_arm_with_another_model_and_compares_it_by_that_model(project: Project) -> None:
    of_models(project, {"prompt": "control.txt", "model": "m2"})
    assert project.run(run_id="a").code == 0
    page = project.details("a")
    differences = "big against control: model m2 (vendor/model-2, served by fake) in place of m1"
    assert f"The arms differ in more than the system prompt: {differences}" in page
    assert "| Differences between arms" in page
    assert "Price per million tokens of the big arm: 10 USD for prompts, 20 USD for answers." in page
    of_models(project, {"prompt": "control.txt", "model": "m1"})
    assert project.run(run_id="b").code == 0
    refused = project.call("compare", "a", "b")
    assert refused.code == 2
    assert "model differs" in refused.err
    assert compared(project, "a", "b", "--arms", "control")["pairs"][0]["same_requests"] is True


def test_a_run_with_arms_added_later_is_compared_with_all_of_them(project: Project) -> None:
    of_set(project, THREE)
    assert project.run("--arms", "control,short").code == 0
    assert statistics(project).compared == (SHORT,)
    assert project.run("--resume", "--force", "--condition", "both").code == 0
    assert statistics(project).compared == (PAIRED, SHORT)
    both = compared(project, "r", "r", "--condition", "both")
    assert [pair["condition"] for pair in both["pairs"]] == ["control", "treatment", "short"]


def test_treatments_without_the_control_are_described_but_not_compared(project: Project) -> None:
    of_set(project, THREE)
    done = project.run("--arms", "treatment,short")
    assert done.code == 0, done.err
    found = statistics(project)
    assert found.compared == (PAIRED, SHORT)
    assert {test.p for test in found.tests} <= {None}
    assert all(row.treatment.n_scored and not row.control.n_scored for row in found.endpoints if row.metric == "em")
    page = project.details()
    assert "without an arm to compare them with" in page
