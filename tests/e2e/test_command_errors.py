"""Whatever goes wrong ends in a sentence and an exit code, never in a traceback, and never with a secret."""

from __future__ import annotations

import errno
import json
import os

import pytest

from tests.support.project import Project

VALUE = "sk-very-secret-1"


def test_a_file_where_the_folder_of_runs_should_be_is_named(project: Project) -> None:
    (project.root / "experiments").write_text("")
    outcome = project.run()
    assert outcome.code == 2
    line, advice = outcome.err.splitlines()
    assert line.startswith("error: experiments")
    assert "not a folder" in line
    assert "--experiments_dir" in advice


def test_a_full_disk_is_reported_with_the_folder_of_the_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("promptrial.engine.invocation.resume", full)
    outcome = project.run()
    assert outcome.code == 1
    assert outcome.err.startswith("error: experiments: No space left on device\n  next: free some space")


def test_an_unexpected_error_is_one_line_without_secrets(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OverflowError(f"too big for {VALUE}")

    monkeypatch.setenv("SOME_API_KEY", VALUE)
    monkeypatch.setattr("promptrial.engine.invocation.open_run", fail)
    outcome = project.run()
    assert outcome.code == 1
    assert outcome.err == (
        "unexpected error: OverflowError: too big for [redacted] (set PROMPTRIAL_TRACEBACK=1 for a traceback)\n"
    )
    monkeypatch.setenv("PROMPTRIAL_TRACEBACK", "1")
    outcome = project.run()
    assert outcome.code == 1
    assert "in follow" in outcome.err
    assert VALUE not in outcome.err


def test_a_dotenv_that_is_not_utf8_is_named(project: Project) -> None:
    (project.root / ".env").write_bytes(b"NAME=caf\xe9\n")
    outcome = project.run()
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {project.root / '.env'}: cannot read this file")


def test_flags_and_the_folder_of_runs_may_come_from_dotenv_and_the_configuration(project: Project) -> None:
    (project.root / ".env").write_text("PROMPTRIAL_RUN_ID=d\nPROMPTRIAL_LIMIT_ITEMS=2\n")
    project.write_config({"paths": {"experiments_dir": "kept/here"}})
    outcome = project.call("run", "--to_step", "build")
    assert outcome.code == 0, outcome.err
    root = project.root / "kept" / "here" / "run_d"
    assert len((root / "prepared/open_book.jsonl").read_text().splitlines()) == 2
    assert "kept" not in (root / "effective_config.yaml").read_text()
    outcome = project.call("status", "--json")
    assert json.loads(outcome.out)["run_id"] == "d"
    project.write_config({})
    moved = project.call("run", "--resume", "--to_step", "build", "--experiments_dir", "kept/here")
    assert moved.code == 0, moved.err


def test_stop_sequences_from_the_environment_are_not_written_into_manifest_and_report(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN_STOP", "halt-here-42")
    project.write_config({"stop": ["\n\n", "${HIDDEN_STOP}"]})
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    root = project.run_root()
    holders = {path.parent.name for path in root.rglob("*") if path.is_file() and b"halt-here-42" in path.read_bytes()}
    assert holders <= {path.name for path in (root / "batch_inputs").iterdir()}, "only the requests need it"
    report = next(root.rglob("details.md")).read_text().replace("\\", "")
    assert "${HIDDEN_STOP}" in report


def test_a_moved_project_with_weights_of_its_own_keeps_its_requests(project: Project) -> None:
    project.write_config({"models": {"m1": {"id": "vendor/model-1", "path": "w.gguf"}}})
    project.given_run()
    again = project.run("--resume", "--plan_only", "--json", "--config", str(project.config.resolve()))
    assert {phase["action"] for phase in json.loads(again.out)["phases"]} == {"skip"}, again.err
