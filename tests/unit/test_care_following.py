"""Looking at a run's files from outside: its figures, and what its log said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.care.following import Follower, require_there
from promptrial.care.log_tail import LogTail, Said, last_said
from promptrial.cli.panel import watch_panel
from promptrial.errors import UsageError
from promptrial.runtime.clock import FakeClock
from promptrial.store.rundir import RunDir
from tests.support.project import Project


def line(text: str, level: str = "info") -> str:
    return json.dumps({"at": "2026-01-31T09:30:00Z", "event": "x", "level": level, "text": text}) + "\n"


def test_a_run_that_does_not_exist_yet_is_read_again_later(project: Project) -> None:
    follower = Follower(RunDir(Path("experiments"), "r"), FakeClock())
    assert follower.look() is None
    project.run("--to_step", "poll")
    found = follower.look()
    assert found is not None
    assert (found.phase, found.answers, found.expected, found.status.parts) == ("parse", 28, 28, {"downloaded": 4})


def test_a_dry_run_is_recognised_by_its_state(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")
    project.run("--to_step", "build", "--dry_run")
    found = Follower(RunDir(Path("experiments"), "r"), FakeClock()).look()
    assert found is not None
    assert found.dry_run


def test_parts_without_a_record_are_pending(project: Project) -> None:
    project.run("--to_step", "build")
    found = Follower(RunDir(Path("experiments"), "r"), FakeClock()).look()
    assert found is not None
    assert (found.phase, found.status.parts) == ("submit", {"pending": 4})


def test_an_unreadable_state_keeps_the_last_reading(project: Project) -> None:
    project.run("--to_step", "build")
    follower = Follower(RunDir(Path("experiments"), "r"), FakeClock())
    before = follower.look()
    (project.run_root() / "run_state.json").write_text("{")
    assert before is not None
    assert follower.look() is before
    assert "run_state.json" in follower.problem


def test_a_problem_disappears_when_the_files_can_be_read_again(project: Project) -> None:
    follower = Follower(RunDir(Path("experiments"), "r"), FakeClock())
    follower.look()
    assert "holds no run" in follower.problem
    project.run("--to_step", "build")
    assert follower.look() is not None
    assert follower.problem == ""


def test_after_a_slow_reading_the_next_one_waits_twenty_times_as_long() -> None:
    class SlowClock(FakeClock):
        def monotonic(self) -> float:
            self.advance(0.5)
            return super().monotonic()

    follower = Follower(RunDir(Path("experiments"), "r"), SlowClock())
    follower.look()
    assert follower.pause_s == 10.0


def test_speed_is_measured_over_the_last_minute(project: Project) -> None:
    project.run("--to_step", "build")
    clock = FakeClock()
    follower = Follower(RunDir(Path("experiments"), "r"), clock)
    for _ in range(80):
        follower.look()
        clock.advance(1)
    assert len(follower._looks) == 61


def test_the_log_starts_with_its_last_sentences_and_continues_with_new_ones(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    tail = LogTail(log, first=2)
    assert tail.new() == []
    log.write_text(line("a") + line("b") + line("hidden", "debug") + line("c") + "torn")
    assert tail.new() == ["b", "c"]
    with log.open("a") as file:
        file.write("\n" + line("d") + line("e")[:-5])
    assert tail.new() == ["d"]
    with log.open("a") as file:
        file.write(line("e")[-5:])
    assert tail.new() == ["e"]


def test_a_log_whose_torn_end_was_removed_is_still_followed(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text(line("a") + '{"torn')
    tail = LogTail(log)
    assert tail.new() == ["a"]
    log.write_text(line("a"))
    tail.new()
    with log.open("a") as file:
        file.write(line("b"))
    assert tail.new()[-1:] == ["b"]


def test_a_log_with_arbitrary_bytes_is_read_without_an_error(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(b"\xff\xfe\n[1]\n{}\n" + b"[" * 5000 + b'\n{"level": "info", "text": 3}\n{"level": ["info"]}\n')
    assert LogTail(log).new() == []


def test_the_last_sentences_of_a_log_have_their_times(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    assert last_said(log, 2) == []
    log.write_text(line("a") + line("b") + line("hidden", "debug") + line("c") + "torn")
    assert last_said(log, 2) == [Said("2026-01-31T09:30:00Z", "b"), Said("2026-01-31T09:30:00Z", "c")]


def test_only_the_end_of_a_large_addition_to_the_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    tail = LogTail(log)
    log.write_text("")
    tail.new()
    log.write_text(line("x" * 1000) * 200 + line("last"))
    found = tail.new()
    assert len(found) < 70
    assert found[-1] == "last"


def test_a_removed_run_can_no_longer_be_watched(project: Project) -> None:
    run = RunDir(Path("experiments"), "r")
    project.run("--to_step", "build")
    require_there(run)
    shutil.rmtree(project.run_root())
    with pytest.raises(UsageError, match="run r was removed"):
        require_there(run)
    with pytest.raises(UsageError, match="run r was removed"):
        watch_panel(run, FakeClock())
