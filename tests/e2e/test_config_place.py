"""A run resumes by the configuration file that it was started with, wherever the command is given."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project


def state_of(project: Project, run_id: str = "r") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.run_root(run_id) / "run_state.json").read_text())
    return found


@pytest.fixture
def other(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another project's folder, with a file of the same name that is no configuration; the current folder."""
    folder = project.root / "other"
    (folder / "config").mkdir(parents=True)
    (folder / "config/eval_config.yaml").write_text("the file of another project, which nobody may read: [\n")
    monkeypatch.chdir(folder)
    return folder


def begin(project: Project, monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(project.root)
        outcome = project.run(*flags)
        assert outcome.code == 0, outcome.err


def place(project: Project) -> tuple[str, str]:
    return ("--experiments_dir", str(project.root / "experiments"))


def test_only_the_state_holds_the_absolute_path_and_the_digest(project: Project) -> None:
    absolute = project.root / "config/eval_config.yaml"
    assert project.run("--config", str(absolute)).code == 0
    state = state_of(project)
    assert state["config_path"] == str(absolute)
    assert state["config_sha256"] == hashlib.sha256(absolute.read_bytes()).hexdigest()
    assert "config_file" not in state
    assert project.run("--resume").code == 0
    named = [path.name for path in project.run_root().rglob("*") if path.is_file() if _names(path, project.root)]
    assert named == ["run_state.json"]


def test_an_archive_does_not_hold_the_path_of_the_configuration(project: Project) -> None:
    assert project.run().code == 0
    assert project.call("archive", "r", "--to", "kept").code == 0
    kept = project.root / "kept"
    assert not [path for path in kept.rglob("*") if path.is_file() and _names(path, project.root)]
    assert (
        not {"config_file", "config_path", "config_sha256"} & json.loads((kept / "run_state.json").read_text()).keys()
    )
    assert "config_path" in state_of(project), "the run itself is not changed"
    assert project.call("archive", "r", "--to", "kept").code == 0


def _names(path: Path, folder: Path) -> bool:
    return str(folder).encode() in path.read_bytes()


@pytest.mark.parametrize("command", [("resume", "r"), ("run", "--run_id", "r", "--resume")])
def test_a_resume_from_another_project_reads_the_file_that_was_recorded(
    project: Project, other: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    begin(project, monkeypatch, "--to_step", "build")
    outcome = project.call(*command, *place(project))
    assert outcome.code == 0, outcome.err
    assert "config/eval_config.yaml is ignored: this run was started with ../config/eval_config.yaml" in (outcome.err)
    assert "config/eval_config.yaml is ignored: this run was started with" in outcome.err
    assert state_of(project)["config_path"] == str(project.root / "config/eval_config.yaml")
    assert other.exists()


def test_a_change_of_the_recorded_file_is_found_from_another_project(
    project: Project, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(project, monkeypatch)
    project.write_config({"temps": [0.5]})
    outcome = project.call("resume", "r", *place(project))
    assert outcome.code == 3
    assert "was started with a different configuration from ../config/eval_config.yaml" in outcome.err
    assert other.exists()


def test_a_missing_recorded_file_is_not_replaced_by_another_of_the_same_name(
    project: Project, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(project, monkeypatch, "--to_step", "poll")
    (project.root / "config/eval_config.yaml").unlink()
    outcome = project.call("resume", "r", *place(project))
    assert outcome.code == 0, outcome.err
    assert "../config/eval_config.yaml, does not exist; it resumes from its own copy" in outcome.err
    assert other.exists()


def test_a_project_moved_with_its_runs_continues_with_its_own_configuration(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given_run("--to_step", "poll")
    moved = Project(project.root / "moved")
    moved.root.mkdir()
    for name in ("config", "experiments"):
        shutil.move(project.root / name, moved.root / name)
    monkeypatch.chdir(moved.root)
    outcome = moved.run("--resume")
    assert (outcome.code, "warning" in outcome.err) == (0, False), outcome.err
    assert state_of(moved)["config_path"] == str(moved.root / "config/eval_config.yaml")


def test_a_restored_run_continues_with_its_own_copy_whatever_configuration_is_here(
    project: Project, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(project, monkeypatch)
    assert project.call("archive", "r", *place(project), "--to", "kept").code == 0
    assert project.call("unarchive", "kept").code == 0
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert "is not recorded; it resumes from its own copy" in outcome.err
    assert other.exists()


def test_a_configuration_that_was_named_and_accepted_becomes_the_recorded_one(project: Project) -> None:
    project.given_run()
    changed = project.root / "config/changed.yaml"
    changed.write_text(project.config.read_text() + "\nlimit_items: 2\n")
    assert project.run("--resume", "--force", "--config", "config/changed.yaml").code == 0
    assert state_of(project)["config_path"] == str(changed)
    outcome = project.run("--resume")
    assert (outcome.code, "nothing was left to do" in outcome.err) == (0, True), outcome.err


def test_a_run_without_a_recorded_path_resumes_and_records_one_once_it_does_work(project: Project) -> None:
    project.given_run("--to_step", "score")
    path = project.run_root() / "run_state.json"
    state = state_of(project)
    del state["config_path"], state["config_sha256"]
    path.write_text(json.dumps(state))
    assert project.run("--resume").code == 0
    assert state_of(project)["config_path"] == str(project.config)
