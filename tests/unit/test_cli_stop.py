"""``promptrial stop`` leaves a request that the process which works on the run will see, and ends when it is gone."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from promptrial.care import stop_request
from promptrial.care.stop_request import ask_to_stop
from promptrial.cli import stop
from promptrial.runtime.clock import FakeClock, SystemClock
from promptrial.runtime.stop import DETACH, SOFTLY
from promptrial.store import atomic, lock
from promptrial.store.lock import RunLock
from promptrial.store.rundir import RunDir
from tests.support.project import Outcome, Project

DEAD = 2**22 + 1


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "experiments", "r")
    run.root.mkdir(parents=True)
    return run


def call(run: RunDir, *flags: str) -> Outcome:
    return Project(run.root.parent.parent).call(
        "stop", "--run_id", "r", "--experiments_dir", str(run.root.parent), *flags
    )


class Now(FakeClock):
    def timestamp(self) -> float:
        return SystemClock().timestamp()


@pytest.mark.parametrize(("flags", "text"), [((), SOFTLY), (("--now",), DETACH)])
def test_a_held_run_gets_the_stop_request_whatever_its_process_id(
    run: RunDir, flags: tuple[str, ...], text: bytes
) -> None:
    with RunLock(run.lock_path, since="now"):
        name = json.loads(run.lock_path.read_text()) | {"pid": DEAD}  # as a container sees a process outside
        run.lock_path.write_text(json.dumps(name))
        outcome = call(run, *flags)
    assert outcome.code == 0
    assert "was asked to stop" in outcome.out
    assert run.sentinel_path.read_bytes() == text


@pytest.mark.parametrize("pid", [os.getpid(), DEAD], ids=["own", "dead"])
def test_a_run_that_no_process_holds_gets_no_stop_request(run: RunDir, pid: int) -> None:
    run.lock_path.write_text(json.dumps({"pid": pid, "host": os.uname().nodename, "since": "then"}))
    outcome = call(run)
    assert (outcome.code, "is not running" in outcome.out) == (0, True)
    assert not run.sentinel_path.exists()


def test_without_file_locks_a_silent_holder_is_asked_too_and_the_doubt_is_reported(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_HAS_FLOCK", False)
    run.lock_path.write_text(json.dumps({"pid": DEAD, "host": "elsewhere", "since": "then"}))
    os.utime(run.lock_path, (SystemClock().timestamp() - 3600,) * 2)
    outcome = call(run, "--wait")
    assert "was asked to stop" in outcome.out
    assert f"process {DEAD} on elsewhere has shown no sign of life for 3,60" in outcome.out
    assert run.sentinel_path.exists()


def test_a_process_that_starts_during_a_stop_request_does_not_treat_it_as_stale(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It removes what was left for an earlier process, then writes its name: asked before that, it is asked again."""
    held = RunLock(run.lock_path, since="now", on_acquired=lambda: atomic.remove(run.sentinel_path))
    early = lock.Holder(None, "", "", alive=True, silent_s=0.0)
    looks = iter([early])
    write, real = atomic.write_bytes, lock.holder

    def write_and_start(path: Path, data: bytes) -> None:
        write(path, data)
        monkeypatch.setattr(atomic, "write_bytes", write)
        held.__enter__()

    monkeypatch.setattr(atomic, "write_bytes", write_and_start)
    monkeypatch.setattr(stop_request, "holder", lambda path, clock: next(looks, None) or real(path, clock))
    asked = ask_to_stop(run, SOFTLY, Now())
    assert asked is not None
    assert asked.pid == os.getpid()
    assert run.sentinel_path.exists()
    held.__exit__(None, None, None)


def test_a_process_without_a_name_is_asked_for_the_whole_wait(run: RunDir) -> None:
    with RunLock(run.lock_path, since="now"):
        run.lock_path.write_bytes(b"")
        clock = Now()
        asked = ask_to_stop(run, SOFTLY, clock)
        assert asked is not None
        assert asked.pid is None
        assert clock.monotonic() == pytest.approx(2)
    assert run.sentinel_path.exists()


def test_waiting_ends_when_no_process_holds_the_lock(run: RunDir) -> None:
    held = RunLock(run.lock_path, since="now")
    held.__enter__()

    class Ends(Now):
        def wait(self, event: threading.Event, seconds: float) -> bool:
            if self.monotonic() >= 3:
                held.__exit__(None, None, None)
            return super().wait(event, seconds)

    clock = Ends()
    asked = ask_to_stop(run, SOFTLY, clock)
    assert asked is not None
    stop._wait(run, asked, clock)
    assert 3 <= clock.monotonic() < 4


def test_waiting_ends_when_another_process_has_taken_the_run(run: RunDir) -> None:
    clock = Now()
    with RunLock(run.lock_path, since="first"):
        asked = ask_to_stop(run, SOFTLY, clock)
    assert asked is not None
    with RunLock(run.lock_path, since="second"):
        stop._wait(run, asked, clock)
    assert clock.monotonic() == 0
