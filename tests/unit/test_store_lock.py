"""One writer per run, between real processes: by ``flock``, and by the file itself where there is no ``flock``."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptrial.errors import PromptrialError, RunLockedError
from promptrial.runtime.clock import FakeClock, SystemClock
from promptrial.store import lock
from promptrial.store.lock import RunLock

HOLD = """
import sys
from pathlib import Path
from promptrial.runtime.clock import FakeClock, SystemClock
from promptrial.store import lock
from promptrial.store.lock import RunLock
lock._HAS_FLOCK = sys.argv[2] == "flock"
with RunLock(Path(sys.argv[1]), since="2026-01-01T00:00:00Z"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds the lock until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), "flock" if lock._HAS_FLOCK else "file"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()


@pytest.fixture(params=["flock", "file"])
def path(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "_HAS_FLOCK", request.param == "flock")
    return tmp_path / "run_abc" / ".state.lock"


def test_a_second_process_is_refused_at_once_and_told_who_holds_the_run(path: Path) -> None:
    with holder(path) as child:
        began = time.monotonic()
        with (
            pytest.raises(RunLockedError) as caught,
            RunLock(path, since="", stop_command="promptrial stop --run_id abc"),
        ):
            pass
        assert time.monotonic() - began < 1
    assert f"pid {child.pid} on {socket.gethostname()}" in caught.value.message
    assert "2026-01-01" in caught.value.message
    assert caught.value.exit_code == 4
    assert "promptrial stop --run_id abc" in (caught.value.hint or "")


def test_a_refused_process_does_not_change_what_the_lock_file_says(path: Path) -> None:
    with holder(path):
        before = path.read_bytes()
        with pytest.raises(RunLockedError), RunLock(path, since="later"):
            pass
        assert path.read_bytes() == before


def test_a_holder_that_was_killed_never_blocks(path: Path) -> None:
    with holder(path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        with RunLock(path, since=""):
            assert f'"pid": {os.getpid()}' in path.read_text()


def test_a_lock_that_was_released_can_be_taken_by_another_process(path: Path) -> None:
    with RunLock(path, since=""):
        pass
    assert not path.exists() or path.read_bytes() == b""
    with holder(path) as child:
        assert f'"pid": {child.pid}' in path.read_text()


def test_the_lock_is_released_when_the_block_fails(path: Path) -> None:
    with pytest.raises(KeyError), RunLock(path, since=""):
        raise KeyError
    with RunLock(path, since=""):
        pass


def test_one_process_cannot_take_it_twice(path: Path) -> None:
    with RunLock(path, since=""), pytest.raises(RunLockedError), RunLock(path, since=""):
        pass


def test_a_child_process_does_not_keep_the_lock_of_its_parent(path: Path) -> None:
    with RunLock(path, since=""):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        with RunLock(path, since=""):
            pass
    finally:
        child.kill()
        child.communicate()


def test_a_shorter_text_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    path = tmp_path / "run_abc" / ".state.lock"
    path.parent.mkdir()
    path.write_text("x" * 5000)
    with RunLock(path, since=""):
        assert path.read_text().endswith("}")
        assert "x" not in path.read_text().replace(os.uname().nodename, "")


def test_a_system_that_cannot_lock_is_not_mistaken_for_another_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run_abc" / ".state.lock"

    def no_locks(_fd: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock, "_lock", no_locks)
    with (
        pytest.raises(PromptrialError, match=r"cannot be locked.*No locks available") as caught,
        RunLock(path, since=""),
    ):
        pass
    assert not isinstance(caught.value, RunLockedError)


# --- where the file itself is the lock -----------------------------------------------------------------------------


@pytest.fixture
def file_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "_HAS_FLOCK", False)
    path = tmp_path / "run_abc" / ".state.lock"
    path.parent.mkdir()
    return path


def write_holder(path: Path, pid: int, host: str = "", silent_s: float = 0) -> None:
    path.write_text(json.dumps({"pid": pid, "host": host or socket.gethostname(), "since": "then"}))
    os.utime(path, (time.time() - silent_s,) * 2)


DEAD = 2**22 + 1


def test_a_lock_without_a_name_is_waited_for_and_then_taken_over(file_lock: Path) -> None:
    file_lock.touch()
    clock = FakeClock()
    with RunLock(file_lock, since="now", clock=clock):
        assert json.loads(file_lock.read_text())["pid"] == os.getpid()
    assert 0.5 < clock.monotonic() < 1
    assert list(file_lock.parent.iterdir()) == []


def test_a_dead_holder_is_taken_over_at_once_and_leaves_no_file(file_lock: Path) -> None:
    write_holder(file_lock, DEAD)
    clock = FakeClock()
    with RunLock(file_lock, since="now", clock=clock):
        assert [path.name for path in file_lock.parent.iterdir()] == [".state.lock"]
    assert clock.monotonic() < 0.1


@pytest.mark.parametrize(("silent_s", "taken"), [(5, False), (3600, True)])
def test_a_holder_on_another_machine_is_there_as_long_as_it_shows_itself(
    file_lock: Path, silent_s: float, taken: bool
) -> None:
    write_holder(file_lock, DEAD, "elsewhere", silent_s)
    if taken:
        with RunLock(file_lock, since="now", clock=SystemClock()):
            pass
        return
    with pytest.raises(RunLockedError, match=f"pid {DEAD} on elsewhere"), RunLock(file_lock, since="now"):
        pass


def test_a_lock_that_another_took_over_in_between_is_left_alone(
    file_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_holder(file_lock, DEAD)
    looks = iter([lock.holder(file_lock)])  # what the first look sees; then the other process is there
    file_lock.unlink()
    with holder(file_lock) as child:
        real = lock.holder
        monkeypatch.setattr(lock, "holder", lambda path, clock=None: next(looks, None) or real(path, clock))
        with pytest.raises(RunLockedError), RunLock(file_lock, since="now"):
            pass
        assert json.loads(file_lock.read_text())["pid"] == child.pid
    assert not list(file_lock.parent.glob("*.takeover"))


def test_a_takeover_that_was_killed_blocks_the_next_for_a_minute_at_the_most(file_lock: Path) -> None:
    write_holder(file_lock, DEAD)
    guard = file_lock.with_name(".state.lock.takeover")
    guard.touch()
    with pytest.raises(RunLockedError), RunLock(file_lock, since="now", clock=FakeClock()):
        pass
    os.utime(guard, (1, 1))
    with RunLock(file_lock, since="now"):
        pass
    assert list(file_lock.parent.iterdir()) == []


def test_eight_processes_that_want_a_dead_lock_at_once_hold_it_one_at_a_time(file_lock: Path) -> None:
    """Each that gets it appends a line on the way in and on the way out: no two may be inside together."""
    write_holder(file_lock, DEAD)
    noted = file_lock.parent / "noted"
    work = """
import sys, time
from pathlib import Path
from promptrial.errors import RunLockedError
from promptrial.store import lock
lock._HAS_FLOCK = False
path, noted = Path(sys.argv[1]), Path(sys.argv[2])
sys.stdin.readline()
for _ in range(30):
    try:
        with lock.RunLock(path, since="now"):
            with noted.open("a") as file: file.write("in\\n")
            time.sleep(0.002)
            with noted.open("a") as file: file.write("out\\n")
    except RunLockedError:
        time.sleep(0.003)
"""
    children = [
        subprocess.Popen([sys.executable, "-c", work, str(file_lock), str(noted)], stdin=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0] * 8
    lines = noted.read_text().split()
    assert lines == ["in", "out"] * (len(lines) // 2)
    assert len(lines) >= 2


# --- the heartbeat -------------------------------------------------------------------------------------------------


def test_a_beat_shows_that_the_holder_is_alive(path: Path) -> None:
    with RunLock(path, since="now") as held:
        os.utime(path, (1, 1))
        by = lock.holder(path)
        assert by is not None
        assert (by.works, by.silent) == (True, True)
        held.beat()
        by = lock.holder(path)
        assert by is not None
        assert (by.works, by.silent) == (True, False)


def test_a_clock_that_was_set_back_makes_nobody_silent(path: Path) -> None:
    with RunLock(path, since="now"):
        by = lock.holder(path, FakeClock())  # its time is long before the file's
        assert by is not None
        assert by.silent_s == 0
