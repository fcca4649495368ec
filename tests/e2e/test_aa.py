"""The control against itself: replicates of a finished run are split, tested and put to gates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptrial.care.opened import read_run
from promptrial.config.environment import environment
from promptrial.documents import aa
from promptrial.engine.session import Invocation
from promptrial.phases.replicates import replicates_asked
from promptrial.phases.scorers import declared
from promptrial.phases.settings import stats_settings
from promptrial.phases.stats import planned_items, read_scores
from promptrial.runtime.clock import SystemClock
from promptrial.store.rundir import RunDir
from tests.support.finished import finish_run
from tests.support.project import Project
from tests.support.schemas import validate


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 60 questions, three answers each at one of two temperatures."""
    root = tmp_path_factory.mktemp("finished")
    finish_run(root, 60, temps=[0.0, 0.7], samples_per_item={"0.7": 3})
    return root


@pytest.fixture
def replicated(project: Project, finished: Path) -> Project:
    """A copy of that run."""
    shutil.copytree(finished, project.root, dirs_exist_ok=True)
    return project


def checked(project: Project, *flags: str) -> dict[str, Any]:
    outcome = project.call("aa", "r", "--splits", "20", "--json", *flags)
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    validate(found, aa.json_schema())
    return found


def test_replicates_are_split_and_the_same_command_gives_the_same_bytes(replicated: Project) -> None:
    found = checked(replicated)
    assert found == checked(replicated)
    (trial,) = found["trials"]
    (endpoint,) = trial["result"]["endpoints"]
    assert trial["result"]["source"] == "replicates"
    assert (endpoint["temp"], endpoint["answers_per_side"], endpoint["answers_planned"]) == (0.7, 1, 3)
    assert endpoint["alarms"]["of"] == sum(endpoint["tenths"]) == 20
    assert endpoint["method"] == "score"


def test_a_gate_is_counted_on_every_split_also_on_a_measure_that_is_not_primary(replicated: Project) -> None:
    found = checked(replicated, "--gate", "f1 >= -0.9; em >= 0")
    assert [(gate["gate"], gate["alarm"], gate["alarms"]["of"]) for gate in found["trials"][0]["gates"]] == [
        ("f1 >= -0.9", "fails", 20),
        ("em >= 0", "passes", 20),
    ]
    assert found["trials"][0]["gates"][0]["alarms"]["n"] == 0


def test_replicates_that_are_scored_again_keep_their_recorded_means(replicated: Project) -> None:
    run = RunDir(replicated.root / "experiments", "r")
    env = environment({}, replicated.root)
    found = read_run(run, env, Invocation(env, SystemClock(), lambda _text: None))
    (trial,) = found.spec.trials
    settings = stats_settings(found.spec.config, declared(run.trial(trial.slug).results))
    table = read_scores(
        run.trial(trial.slug).results / "per_item_scores.parquet",
        planned_items(run),
        trial.samples_per_item,
        trial.arms_run,
    )
    rows = table.rows_of("control") & (table.temp == 0.7)
    asked = replicates_asked(found.spec, trial, settings, ["em", "f1"])
    assert asked is not None
    for metric in ("em", "f1"):
        means = asked.asked[metric, 0.7].score.mean(axis=1)
        assert means[table.item[rows]] == pytest.approx(table.metrics[metric][rows], abs=1e-12)
    assert np.unique(asked.asked["f1", 0.7].score, axis=1).shape == (60, 3)


def test_the_terminal_reports_noise_false_alarms_gates_and_limits(replicated: Project) -> None:
    outcome = replicated.call("aa", "r", "--splits", "30", "--gate", "em >= -0.01")
    assert outcome.code == 0, outcome.err
    for text in (
        "A/A check: 30 random splits of the control's 3 answers to each item, 1 against 1",
        "(noise floor); about",
        "Exact match: false alarms in",
        "Gate em >= -0.01 fails, although nothing changed, in",
        "All splits are of the same answers.",
    ):
        assert text in outcome.prose


def test_the_run_does_not_change(replicated: Project) -> None:
    before = {path: path.read_bytes() for path in replicated.run_root().rglob("*") if path.is_file()}
    checked(replicated)
    assert {path: path.read_bytes() for path in replicated.run_root().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--gate", "bleu >= 0"], "bleu"),
        (["--gate", "em >="], "is not a gate"),
        (["--splits", "0"], "--splits"),
        (["--alpha", "0.7"], "below 0.5"),
        (["--trial_filter", "nowhere"], "matches no trial"),
    ],
)
def test_wrong_flags_are_refused(replicated: Project, flags: list[str], said: str) -> None:
    outcome = replicated.call("aa", "r", *flags)
    assert outcome.code == 2
    assert said in outcome.err


def test_a_run_with_one_answer_per_item_has_nothing_to_split(project: Project) -> None:
    project.given_run()
    outcome = project.call("aa", "r")
    assert outcome.code == 2
    assert "control has one answer to each item" in outcome.err
    assert "samples_per_item" in outcome.err


def test_an_unscored_run_is_refused_with_the_command_to_continue_it(project: Project) -> None:
    project.given_run("--to_step", "build")
    outcome = project.call("aa", "r")
    assert outcome.code == 2
    assert "are not scored yet" in outcome.err


@pytest.fixture(scope="module")
def asked_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished A/A run of 60 questions, at temperature 0.7."""
    root = tmp_path_factory.mktemp("asked_twice")
    (root / "outcome.json").write_text(finish_run(root, 60, "--aa", "--json", conditions=["treatment"]).out)
    return root


@pytest.fixture
def aa_run(project: Project, asked_twice: Path) -> Project:
    """A copy of that run."""
    shutil.copytree(asked_twice, project.root, dirs_exist_ok=True)
    return project


def test_an_aa_run_asks_every_request_of_the_control_twice_and_no_treatment(aa_run: Project) -> None:
    requests = [
        json.loads(line)
        for path in aa_run.run_root().glob("batch_inputs/*/*.jsonl")
        for line in path.read_text().splitlines()
    ]
    asked = [json.dumps(row["body"]["messages"]) for row in requests]
    assert len(asked) == 120
    assert len({*asked}) == 60
    assert len({row["custom_id"] for row in requests}) == 120
    assert {json.loads(text)[0]["content"] for text in asked} == {"You are a careful assistant."}
    assert not list(aa_run.run_root().glob("batch_inputs/*/*treatment*"))


def test_an_aa_run_is_labelled_as_such_in_verdict_report_list_and_json(aa_run: Project) -> None:
    verdict = json.loads((aa_run.root / "outcome.json").read_text())["trials"][0]["verdict"]
    assert verdict["findings"][0]["state"] in {"no_alarm", "false_alarm"}
    assert verdict["sentences"][0].startswith("A/A run: ")
    assert "send the same requests" in verdict["sentences"][0]
    assert verdict["warnings"][0]["kind"] == "same_requests"
    assert "A/A run: " in aa_run.report()
    assert "A/A check: control against control_again" in aa_run.details()
    assert "A/A run" in (aa_run.run_root() / "report.html").read_text()
    assert "A/A run" in aa_run.call("list").out
    assert json.loads(aa_run.call("list", "--json").out)["runs"][0]["aa"] is True
    significance = json.loads((aa_run.trial_folder() / "results/significance.json").read_text())
    assert [(each["source"], each["other"], each["splits"]) for each in significance["aa"]] == [
        ("second_ask", "control_again", 1000)
    ]


def test_an_aa_run_resumes_as_an_aa_run_and_no_other_run_becomes_one(aa_run: Project) -> None:
    assert aa_run.run("--resume").code == 0
    assert aa_run.run("--aa", "--resume").code == 0
    aa_run.write_config({"conditions": None, "aa": False})
    assert aa_run.run("--limit_items", "2", run_id="other").code == 0
    refused = aa_run.run("--aa", "--resume", run_id="other")
    assert refused.code == 3, refused.err


def test_the_two_passes_of_an_aa_run_can_be_exchanged(aa_run: Project) -> None:
    result = checked(aa_run)["trials"][0]["result"]
    (endpoint,) = result["endpoints"]
    assert (result["source"], result["other"]) == ("second_ask", "control_again")
    assert endpoint["answers_per_side"] == endpoint["answers_planned"] == 1
    significance = json.loads((aa_run.trial_folder() / "results/significance.json").read_text())
    (shown,) = [row for row in significance["endpoints"] if (row["metric"], row["scope"]) == ("em", "overall")]
    assert endpoint["difference"] == pytest.approx(shown["difference"])
    assert endpoint["p"] == pytest.approx(shown["p"])


def test_reused_answers_of_the_control_are_never_copied_into_the_second_pass(
    aa_run: Project,
) -> None:
    """A run of control and treatment lends its control alone: the second ask is asked."""
    aa_run.write_config(
        {"datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}}, "conditions": None, "aa": None}
    )
    assert aa_run.run(run_id="ab").code == 0
    outcome = aa_run.run("--aa", "--reuse", "ab", run_id="aa2")
    assert outcome.code == 0, outcome.err
    assert "60 of 120 requests were answered by run ab" in outcome.err


def test_compare_says_which_run_is_an_aa_run(aa_run: Project) -> None:
    outcome = aa_run.call("compare", "r", "r", "--json")
    assert json.loads(outcome.out)["aa_runs"] == ["A", "B"]
    assert "A is an A/A run: its arms send the same requests" in aa_run.call("compare", "r", "r").out


@pytest.mark.parametrize("flags", [["--arms", "control"], ["--condition", "control"]])
def test_arms_cannot_be_chosen_for_an_aa_run(project: Project, flags: list[str]) -> None:
    outcome = project.run("--aa", *flags)
    assert outcome.code == 2
    assert "cannot be combined" in outcome.err


def test_a_plan_of_an_aa_run_counts_both_passes(project: Project) -> None:
    plan = json.loads(project.call("plan", "--aa", "--json").out)
    assert "control_again" in json.dumps(plan)
