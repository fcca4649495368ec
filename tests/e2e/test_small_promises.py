"""Small promises to somebody at the command line: names, hints, counts, and what counts as a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrial.cli import plan as plan_command
from promptrial.cli import run as run_command
from promptrial.runtime.clock import FakeClock
from tests.support import fake_provider
from tests.support.project import Project

# --- what counts as a change ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", [None, "prepare", "build"])
def test_a_typo_fixed_before_anything_was_asked_is_neither_drift_nor_damage(
    project: Project, until: str | None
) -> None:
    if until is None:  # it failed in its first step
        project.write_config({"datasets": {"closed_set": {"format": "custom", "path": "missing.jsonl"}}})
        assert project.run().code == 2
    else:
        (project.root / "config/treatment.txt").write_text("Be acurate.\n")
        assert project.run("--to_step", until).code == 0
    project.write_config({})
    (project.root / "config/treatment.txt").write_text("Be accurate.\n")
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "damaged" not in outcome.err
    assert not list(project.run_root().rglob("*.corrupt.*"))
    assert "drift" not in json.loads((project.run_root() / "run_state.json").read_text())
    assert b"Be accurate." in (project.run_root() / "effective_config.yaml").read_bytes()
    asked = next(project.run_root().rglob("batch_inputs/*/t0_treatment_p001.jsonl")).read_text()
    assert "Be accurate." in asked
    assert "nothing was left to do" in project.run("--resume").err


def test_an_interrupted_correction_is_not_damage_either(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptrial.engine import starting

    assert project.run("--to_step", "build").code == 0
    (project.root / "config/treatment.txt").write_text("Be accurate.\n")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(starting, "_write_config", cut)  # the state is saved by then
        assert project.run("--resume").code == 130
    assert project.run("--resume").code == 0
    assert not list(project.run_root().rglob("*.corrupt.*"))


def test_the_same_change_after_something_was_asked_is_drift(project: Project) -> None:
    project.given_run("--to_step", "submit")
    (project.root / "config/treatment.txt").write_text("Be accurate.\n")
    assert project.run("--resume").code == 3


def test_a_damaged_configuration_copy_is_renamed_even_before_anything_was_asked(project: Project) -> None:
    project.given_run("--to_step", "build")
    (project.run_root() / "effective_config.yaml").write_text("[")
    assert project.run("--resume").code == 0
    assert (project.run_root() / "effective_config.yaml.corrupt.1").read_text() == "["


def test_a_prompt_that_no_trial_uses_may_be_deleted_between_start_and_resume(project: Project) -> None:
    project.given_run("--to_step", "poll")
    (project.root / "config/other.txt").unlink()
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert project.call("resume", "r").code == 0
    (project.root / "config/treatment.txt").unlink()
    assert project.run("--resume").code == 2


def test_a_new_run_still_names_every_missing_prompt(project: Project) -> None:
    (project.root / "config/other.txt").unlink()
    outcome = project.run()
    assert outcome.code == 2
    assert "prompt_sets.other.treatment" in outcome.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("limit_items: 010", "YAML reads 010 in base 8, as 8: write a decimal number, or quote it if it is text"),
        ("limit_items: +0_17", "YAML reads +0_17 in base 8, as 15"),
        ("seed: 12:30:45", "YAML reads 12:30:45 in base 60, as 45045"),
        ("top_p: 0:30.5", "YAML reads 0:30.5 in base 60, as 30.5"),
        ("temps: [0.0, 01]", "YAML reads 01 in base 8, as 1"),
    ],
)
def test_a_number_that_yaml_reads_in_an_unexpected_base_is_refused(project: Project, line: str, said: str) -> None:
    text = project.config.read_text()
    key = line.split(":", maxsplit=1)[0]
    text = "".join(each for each in text.splitlines(keepends=True) if not each.startswith(f"{key}:"))
    project.config.write_text(f"{text}{line}\n")
    outcome = project.call("plan")
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: config/eval_config.yaml:{len(text.splitlines()) + 1}: ")
    assert said in outcome.err


@pytest.mark.parametrize("line", ["seed: 0", "seed: 0x1F", "seed: 1_000", "seed: 0b11", "question: '010'"])
def test_other_numbers_and_quoted_texts_are_read_as_written(project: Project, line: str) -> None:
    project.config.write_text(f"{project.config.read_text()}{line}\n")
    assert project.call("plan").code == 0


# --- names ----------------------------------------------------------------------------------------------------------


class Frozen(FakeClock):
    """One second, for every run."""


def test_unnamed_runs_started_in_the_same_second_get_different_names(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_command, "SystemClock", Frozen)
    monkeypatch.setattr(plan_command, "SystemClock", Frozen)
    for _ in range(3):
        assert project.call("run", "--to_step", "prepare").code == 0
    names = sorted(path.name for path in (project.root / "experiments").iterdir())
    assert names == ["run_20260101-000000", "run_20260101-000000-2", "run_20260101-000000-3"]
    assert "run 20260101-000000-4 (new)" in project.call("plan").out


def test_two_unnamed_runs_that_choose_the_same_name_both_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run has chosen its name before the first has started: it then takes the next name."""
    from promptrial.engine import opening

    monkeypatch.setattr(run_command, "SystemClock", Frozen)
    assert project.call("run", "--to_step", "prepare").code == 0
    real = opening.new_run_ids

    def late(now: str, experiments: Path) -> Any:
        yield "20260101-000000"
        yield from real(now, experiments)

    monkeypatch.setattr(opening, "new_run_ids", late)
    assert project.call("run", "--to_step", "prepare").code == 0
    assert (project.root / "experiments/run_20260101-000000-2").is_dir()


def test_a_given_name_is_never_changed(project: Project) -> None:
    project.given_run("--to_step", "prepare")
    outcome = project.run("--json")
    assert (outcome.code, "run r already exists" in outcome.err) == (2, True)


# --- messages -------------------------------------------------------------------------------------------------------


def test_only_a_finished_run_says_that_nothing_was_left_to_do(project: Project) -> None:
    project.given_run("--to_step", "score")
    outcome = project.run("--resume", "--only_step", "score")
    assert "nothing was left to do in the selected phases; not done: stats, costs, report" in outcome.err
    project.run("--resume")
    assert project.run("--resume").err.splitlines()[-1] == "nothing was left to do"
    (project.trial_folder() / "results/predictions.csv").write_text("damaged")
    outcome = project.run("--resume", "--only_step", "report")
    assert "nothing was left to do in the selected phases; not done: parse" in outcome.err


def test_the_status_counts_answers_and_not_requests(project: Project) -> None:
    fake_provider.FAILING.clear()
    assert project.run().code == 0
    path = next(project.trial_folder().glob("results/t0_control_p001/results.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    manifest = project.trial_folder() / "results/trial_manifest.json"
    record = json.loads(manifest.read_text())
    record["parts"]["t0_control_p001"]["results"]["rows"] = len(lines) - 2
    manifest.write_text(json.dumps(record))
    status = json.loads(project.call("status", "--run_id", "r", "--json").out)
    assert status["rows"] == status["expected_rows"] - 2


def test_a_dry_run_with_only_local_models_is_a_normal_run_and_says_so(
    project: Project,
) -> None:
    """Its answers are a model's, so that no report may call them an emulator's."""
    first = project.run("--dry_run")
    assert first.code == 0, first.err
    assert "--dry_run changes nothing: every model of this run answers on this machine, at no cost" in first.err
    assert "emulator" not in first.out + next(project.run_root().glob("*/reports/details.md")).read_text()
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert not state.get("dry_run", False)
    again = project.run("--resume", "--dry_run")
    assert (again.code, again.err.splitlines()[-1]) == (0, "nothing was left to do")
