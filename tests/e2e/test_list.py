"""``promptrial list`` and ``status --json``: what real runs look like, whole and damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processor_time import at_most
from tests.support.project import Project
from tests.support.schemas import validate

ROOT = Path(__file__).parents[2]


def published(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text())
    return document


def listed(project: Project) -> list[dict[str, Any]]:
    outcome = project.call("list", "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    validate(document, published("list"))
    runs: list[dict[str, Any]] = document["runs"]
    return runs


def test_a_list_shows_the_progress_and_cost_of_each_run(project: Project) -> None:
    project.given_run(run_id="done")
    assert project.run("--to_step", "parse", run_id="half").code == 0
    half, done = listed(project)
    assert (half["run_id"], half["status"], half["phases"]) == ("half", "incomplete", "5/9 score 0 of 1 trials")
    assert (half["answers"], half["expected_answers"], half["usd"]) == (28, 28, None)
    assert (done["run_id"], done["status"], done["phases"]) == ("done", "finished", "9/9")
    costs = json.loads((project.trial_folder("done") / "results" / "costs.json").read_text())
    assert done["usd"] == pytest.approx(costs["usd"]) != 0
    text = project.call("list").out
    assert [line.split()[0] for line in text.splitlines()[4:]] == ["half", "done"]
    assert "28 of 28" in text


def test_the_cost_of_several_trials_is_their_sum_or_unknown_if_one_is_unknown(
    project: Project,
) -> None:
    project.given_run("--prompt_sets", "main,other")
    paths = sorted(project.run_root().glob("*/results/costs.json"))
    assert len(paths) == 2
    costs = [json.loads(path.read_text()) for path in paths]
    shared = costs[1]["conditions"]["control"]["usd"]
    assert shared == costs[0]["conditions"]["control"]["usd"] > 0
    assert listed(project)[0]["usd"] == pytest.approx(sum(each["usd"] for each in costs) - shared)
    paths[1].write_text(paths[1].read_text().replace('"usd": 0', '"usd": null, "was": 0'))
    assert listed(project)[0]["usd"] is None
    paths[1].write_text("{")
    assert listed(project)[0]["usd"] is None


def test_a_run_without_prices_has_an_unknown_cost_and_not_zero(project: Project) -> None:
    project.write_config({"pricing": None})
    project.given_run()
    assert listed(project)[0]["usd"] is None
    assert "finished" in project.call("list").out


@pytest.mark.parametrize("damage", ["delete", "empty", "garble", "another"])
def test_a_damaged_file_of_a_run_does_not_stop_list_or_status(project: Project, damage: str) -> None:
    project.given_run("--to_step", "build")
    assert project.run("--to_step", "costs", "--resume").code == 0
    whole = project.root / "whole"
    shutil.copytree(project.run_root(), whole)
    for path in sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file()):
        target = project.run_root() / path
        if damage == "delete":
            target.unlink()
        else:
            target.write_bytes({"empty": b"", "garble": b"\x00{]", "another": b'{"facts": {}}'}[damage])
        (run,) = listed(project)
        assert run["status"] in {"incomplete", "damaged", "no_state"}, path
        assert project.call("list").code == 0
        status = project.call("status", "--run_id", "r", "--json")
        assert status.code in ({1, 2} if path.name == "run_state.json" else {0}), path
        shutil.copyfile(whole / path, target)


def test_a_built_manifest_without_its_facts_counts_as_missing(project: Project) -> None:
    project.given_run("--to_step", "build")
    path = project.run_root() / "batch_inputs" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"facts": {}}))
    assert listed(project)[0]["answers"] is None


def test_the_status_of_a_run_matches_its_schema_at_every_step(project: Project) -> None:
    for step in ("prepare", "poll", "report"):
        assert project.run("--to_step", step, "--resume" if step != "prepare" else "--json").code == 0
        status = json.loads(project.call("status", "--run_id", "r", "--json").out)
        validate(status, published("status"))
    assert status["phases"]["poll"]["progress"] == {"done": 4, "total": 4, "unit": "parts"}
    assert list(status) == [
        "run_id", "status", "config_hash", "stop_requested", "holder", "rows", "expected_rows", "waiting_for",
        "last_checkpoint", "phases",
    ]  # fmt: skip


def test_two_hundred_runs_are_listed(project: Project) -> None:
    project.given_run()
    for number in range(200):
        shutil.copytree(project.run_root(), project.run_root(f"copy{number:03d}"))
    with at_most(2):
        assert len(listed(project)) == 201


def test_status_and_doctor_without_a_name_use_the_latest_run_and_say_so(project: Project) -> None:
    for verb in ("status", "doctor"):
        none = project.call(verb)
        assert (none.code, none.out) == (2, "")
        assert none.err.startswith("error: no runs in experiments\n  next: start one with `promptrial run`")
    assert project.run("--to_step", "prepare", run_id="older").code == 0
    alone = project.call("status")
    assert (alone.err, alone.out.partition(":")[0]) == ("run older\n", "run older")
    assert project.run("--to_step", "prepare", run_id="newer").code == 0
    (project.run_root("damaged")).mkdir()
    for verb in ("status", "doctor"):
        outcome = project.call(verb)
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith("run newer: ")
        assert outcome.err == "run newer, the most recently changed of 3 (see all: promptrial list)\n"
        assert project.call(verb, "older").out.startswith("run older: ")
    assert json.loads(project.call("status", "--json").out)["run_id"] == "newer"


def test_every_read_only_command_uses_the_latest_run_by_default_and_says_so(project: Project) -> None:
    for name in ("older", "newer"):
        project.run("--to_step", "prepare", run_id=name)
    for verb in ("status", "doctor", "show", "costs", "report"):
        said = project.call(verb).err.splitlines()
        assert said[0] == "run newer, the most recently changed of 2 (see all: promptrial list)", verb


def test_the_script_is_the_same_program(project: Project) -> None:
    project.given_run()
    command = [
        sys.executable,
        "-m",
        "scripts.list_runs",
        "--json",
        "--experiments-dir",
        str(project.root / "experiments"),
    ]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(outcome.stdout)["runs"][0]["run_id"] == "r"


def test_a_removed_trial_is_not_counted(project: Project) -> None:
    project.given_run()
    usd = listed(project)[0]["usd"]
    manifest = project.trial_folder() / "results" / "trial_manifest.json"
    left = project.run_root() / "left-behind" / "results"
    left.mkdir(parents=True)
    shutil.copyfile(manifest, left / "trial_manifest.json")
    assert listed(project)[0]["usd"] == usd is not None
    status = json.loads(project.call("status", "--run_id", "r", "--json").out)
    assert status["phases"]["report"]["progress"] == {"done": 1, "total": 1, "unit": "trials"}


def test_a_missing_folder_is_refused(project: Project) -> None:
    assert project.call("list").out.startswith("0 runs in experiments"), "before the first run"
    outcome = project.call("list", "--experiments_dir", "nope")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--experiments_dir nope: there is no such folder" in outcome.err
