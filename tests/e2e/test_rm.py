"""``promptrial rm``: what it removes, and all that it does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.care.removal import remove_run, require_removable
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.store.lock import RunLock
from tests.support.project import Project
from tests.support.terminals import at_a_terminal


@pytest.fixture
def run(project: Project) -> Path:
    project.given_run("--to_step", "build")
    return project.run_root()


def test_rm_removes_only_the_run_and_reports_its_size(project: Project, run: Path) -> None:
    project.given_run("--to_step", "build", run_id="other")
    files = [path for path in run.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    outcome = project.call("rm", "r", "--yes")
    assert outcome.code == 0, outcome
    assert outcome.out == f"removed experiments/run_r: {len(files)} files, {size:,} bytes\n"
    assert [path.name for path in run.parent.iterdir()] == ["run_other"]


def test_a_variable_that_permits_spending_does_not_permit_removal(
    project: Project, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTRIAL_YES", "1")
    (project.root / ".env").write_text("PROMPTRIAL_YES=1\n")
    outcome = project.call("rm", "r")
    assert outcome.code == 2
    assert "there is no terminal to ask on" in outcome.err
    assert "next: promptrial rm --run_id r --yes" in outcome.err
    assert run.exists()


def test_removing_a_link_does_not_remove_its_target(project: Project, run: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "precious.txt").write_text("x")
    (run / "link").symlink_to(kept)
    (run / "file").symlink_to(kept / "precious.txt")
    assert project.call("rm", "r", "--yes").code == 0
    assert (kept / "precious.txt").read_text() == "x"


def test_a_run_whose_folder_is_a_link_is_left_alone(project: Project, run: Path, tmp_path: Path) -> None:
    run.rename(tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    outcome = project.call("rm", "r", "--yes")
    assert outcome.code == 2
    assert "is a link, and links are not followed here" in outcome.err
    assert (tmp_path / "elsewhere" / "run_state.json").exists()


def test_a_run_that_a_process_works_on_is_not_removed(project: Project, run: Path) -> None:
    clock = SystemClock()
    with RunLock(run / ".state.lock", since=clock.now(), clock=clock):
        outcome = project.call("rm", "r", "--yes")
    assert outcome.code == 4
    assert "works on it" in outcome.err
    assert "promptrial stop --run_id r --wait" in outcome.err
    assert (run / "run_state.json").exists()


def test_a_run_with_jobs_in_flight_is_not_removed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")
    assert project.run("--to_step", "submit").code == 0
    outcome = project.call("rm", "r", "--yes")
    assert outcome.code == 2
    assert "jobs in flight that may be billed: 4 jobs at fake" in outcome.err
    assert "promptrial run --run_id r --resume" in outcome.err
    assert project.run_root().exists()
    assert project.run("--resume", "--to_step", "poll").code == 0
    assert project.call("rm", "r", "--yes").code == 0


def test_a_run_with_a_damaged_manifest_is_not_removed_because_it_may_hide_jobs(project: Project) -> None:
    project.given_run("--to_step", "poll")
    (project.trial_folder() / "results/trial_manifest.json").write_text("{")
    outcome = project.call("rm", "r", "--yes")
    assert outcome.code == 2
    assert "its jobs in flight cannot be read" in outcome.err
    assert project.run_root().exists()


def test_a_run_without_a_state_is_removed(project: Project, run: Path) -> None:
    (run / "run_state.json").unlink()
    assert project.call("rm", "r", "--yes").code == 0
    assert not run.exists()


def test_on_a_terminal_a_no_keeps_the_run_and_a_yes_removes_it(project: Project, run: Path) -> None:
    for keys, said in (("n\n", "nothing was removed"), ("y\n", "removed experiments/run_r")):
        with at_a_terminal(project, "rm", "r") as terminal:
            terminal.wait_for("Continue? [y/N] ")
            terminal.type(keys)
            assert terminal.end() == 0
        assert said in terminal.shown
    assert not run.exists()


def test_rm_without_a_run_is_a_usage_error(project: Project) -> None:
    outcome = project.call("rm", "nope", "--yes")
    assert outcome.code == 2
    assert "no run nope in experiments" in outcome.err


def test_a_job_that_is_sent_while_the_question_is_open_keeps_the_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")
    assert project.run("--to_step", "build").code == 0
    clock, run = SystemClock(), project.run_root()
    found = require_removable(run.parent, "r", clock)
    assert project.run("--resume", "--to_step", "submit").code == 0
    with pytest.raises(UsageError, match="jobs in flight that may be billed: 4 jobs at fake"):
        remove_run(found, clock)
    assert (run / "run_state.json").exists()


def test_a_run_deleted_before_the_question_is_answered_is_reported_and_not_created_again(
    run: Path,
) -> None:
    clock = SystemClock()
    found = require_removable(run.parent, "r", clock)
    shutil.rmtree(run)
    with pytest.raises(UsageError, match="no run r in "):
        remove_run(found, clock)
    assert not run.exists()
