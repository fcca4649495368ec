"""One writer per run, between real processes: by ``flock``, and by the file itself where there is no ``flock``."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

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


def test_a_second_process_is_refused_after_a_second_and_told_who_holds_the_run(path: Path) -> None:
    clock = FakeClock()
    with holder(path) as child:
        with (
            pytest.raises(RunLockedError) as caught,
            RunLock(path, since="", clock=clock, stop_command="promptrial stop --run_id abc"),
        ):
            pass
        assert clock.monotonic() == pytest.approx(1)
    assert f"pid {child.pid} on {socket.gethostname()}" in caught.value.message
    assert "2026-01-01" in caught.value.message
    assert caught.value.exit_code == 4
    assert "promptrial stop --run_id abc" in (caught.value.hint or "")


def test_a_refused_process_does_not_change_what_the_lock_file_says(path: Path) -> None:
    with holder(path):
        before = path.read_bytes()
        with pytest.raises(RunLockedError), RunLock(path, since="later", clock=FakeClock()):
            pass
        assert path.read_bytes() == before


def test_a_holder_that_was_killed_never_blocks(path: Path) -> None:
    with holder(path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        if not lock._HAS_FLOCK:  # then nothing but its heartbeat tells that it is gone
            os.utime(path, (time.time() - 61,) * 2)
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


def test_a_lock_file_is_not_executable(path: Path) -> None:
    with RunLock(path, since="now"):
        assert path.stat().st_mode & 0o111 == 0


def test_the_lock_is_released_when_it_cannot_be_written(path: Path) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), RunLock(path, since="then", on_acquired=full):
        pass
    with RunLock(path, since="now"):
        pass


def test_one_process_cannot_take_it_twice(path: Path) -> None:
    with RunLock(path, since=""), pytest.raises(RunLockedError), RunLock(path, since="", clock=FakeClock()):
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

    monkeypatch.setattr(lock, "_try_exclusive", no_locks)
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


class Now(FakeClock):
    """The time of the machine's files, with waits that take none."""

    def timestamp(self) -> float:
        return SystemClock().timestamp()


def write_holder(path: Path, pid: int, host: str = "", silent_s: float = 0) -> None:
    path.write_text(json.dumps({"pid": pid, "host": host or socket.gethostname(), "since": "then"}))
    os.utime(path, (time.time() - silent_s,) * 2)


DEAD = 2**22 + 1


def test_a_lock_without_a_name_is_waited_for_and_taken_over_once_it_is_silent(file_lock: Path) -> None:
    file_lock.touch()
    with pytest.raises(RunLockedError, match="it is starting"), RunLock(file_lock, since="now", clock=Now()):
        pass
    os.utime(file_lock, (time.time() - 61,) * 2)
    with RunLock(file_lock, since="now", clock=Now()):
        assert json.loads(file_lock.read_text())["pid"] == os.getpid()
    assert list(file_lock.parent.iterdir()) == []


def test_a_silent_holder_is_taken_over_immediately_and_leaves_no_file(file_lock: Path) -> None:
    write_holder(file_lock, DEAD, silent_s=61)
    clock = Now()
    with RunLock(file_lock, since="now", clock=clock):
        assert [path.name for path in file_lock.parent.iterdir()] == [".state.lock"]
    assert clock.monotonic() < 0.1


@pytest.mark.parametrize("pid", [os.getpid(), DEAD], ids=["own", "dead"])
def test_a_process_id_alone_does_not_decide_who_holds_a_lock(file_lock: Path, pid: int) -> None:
    write_holder(file_lock, pid)
    with pytest.raises(RunLockedError), RunLock(file_lock, since="now", clock=Now()):
        pass
    write_holder(file_lock, pid, silent_s=61)
    with RunLock(file_lock, since="now", clock=Now()):
        pass


@pytest.mark.parametrize(("silent_s", "taken"), [(5, False), (3600, True)])
def test_a_holder_on_another_machine_is_alive_while_its_heartbeat_is_recent(
    file_lock: Path, silent_s: float, taken: bool
) -> None:
    write_holder(file_lock, DEAD, "elsewhere", silent_s)
    if taken:
        with RunLock(file_lock, since="now", clock=SystemClock()):
            pass
        return
    with (
        pytest.raises(RunLockedError, match=f"pid {DEAD} on elsewhere"),
        RunLock(file_lock, since="now", clock=Now()),
    ):
        pass


def test_a_lock_that_another_process_took_over_meanwhile_is_left_alone(
    file_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_holder(file_lock, DEAD, silent_s=61)
    looks = iter([lock.holder(file_lock)])  # what the first look sees; then the other process is there
    file_lock.unlink()
    with holder(file_lock) as child:
        real = lock.holder
        monkeypatch.setattr(lock, "holder", lambda path, clock=None: next(looks, None) or real(path, clock))
        with pytest.raises(RunLockedError), RunLock(file_lock, since="now", clock=Now()):
            pass
        assert json.loads(file_lock.read_text())["pid"] == child.pid
    assert not list(file_lock.parent.glob("*.takeover"))


def test_a_killed_takeover_blocks_the_next_for_at_most_a_minute(file_lock: Path) -> None:
    write_holder(file_lock, DEAD, silent_s=61)
    guard = file_lock.with_name(".state.lock.takeover")
    guard.touch()
    with pytest.raises(RunLockedError), RunLock(file_lock, since="now", clock=Now()):
        pass
    os.utime(guard, (1, 1))
    with RunLock(file_lock, since="now"):
        pass
    assert list(file_lock.parent.iterdir()) == []


def test_eight_processes_that_want_a_dead_lock_at_once_hold_it_one_at_a_time(file_lock: Path) -> None:
    """Each that gets it appends a line on the way in and on the way out: no two may be inside together."""
    write_holder(file_lock, DEAD, silent_s=61)
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


# --- who is alive --------------------------------------------------------------------------------------------------


@pytest.fixture
def flock_path(tmp_path: Path) -> Path:
    path = tmp_path / "run_abc" / ".state.lock"
    path.parent.mkdir()
    return path


@pytest.mark.parametrize("host", ["", "elsewhere"])
@pytest.mark.parametrize("pid", [os.getpid(), DEAD], ids=["own", "dead"])
def test_the_process_named_in_an_unheld_lock_is_dead_whatever_its_id(flock_path: Path, pid: int, host: str) -> None:
    write_holder(flock_path, pid, host)
    by = lock.holder(flock_path)
    assert by is not None
    assert (by.pid, by.alive, by.works, by.may_live) == (pid, False, False, False)


@pytest.mark.parametrize("said", ["", "{}", "[" * 5000, '{"pid": 99999999999, "host": "h", "since": "s"}'])
def test_a_held_lock_is_alive_whatever_it_says(flock_path: Path, said: str) -> None:
    with holder(flock_path):
        flock_path.write_text(said)
        os.utime(flock_path, (1, 1))
        by = lock.holder(flock_path)
        assert by is not None
        assert (by.alive, by.works, by.silent) == (True, True, True)
    assert by.pid in {None, 99999999999}


def test_an_empty_lock_that_nobody_holds_has_no_holder(flock_path: Path) -> None:
    flock_path.touch()
    assert lock.holder(flock_path) is None
    flock_path.unlink()
    assert lock.holder(flock_path) is None


def test_without_flock_the_heartbeat_decides(flock_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(_fd: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock, "_try_shared", no_locks)
    write_holder(flock_path, DEAD)
    by = lock.holder(flock_path)
    assert by is not None
    assert (by.alive, by.works, by.may_live) == (None, True, True)
    write_holder(flock_path, os.getpid(), silent_s=61)
    by = lock.holder(flock_path)
    assert by is not None
    assert (by.alive, by.works, by.may_live) == (None, False, True)


def test_looking_at_a_lock_leaves_no_lock(flock_path: Path) -> None:
    write_holder(flock_path, DEAD)
    clock = FakeClock()
    assert lock.holder(flock_path) is not None
    with RunLock(flock_path, since="now", clock=clock):
        assert clock.monotonic() == 0


@pytest.mark.parametrize("seconds", [0.5, 9.0])
def test_a_writer_that_starts_while_others_look_takes_the_lock_anyway(flock_path: Path, seconds: float) -> None:
    """A look holds a shared lock for a moment, or longer on a busy machine: here one outlasts the first attempts."""
    write_holder(flock_path, DEAD)
    looker = flock_path.open("rb")
    lock._try_shared(looker.fileno())

    class Waits(FakeClock):
        def wait(self, event: Event, seconds: float) -> bool:
            if self.monotonic() > for_s:
                looker.close()
            return super().wait(event, seconds)

    clock, for_s = Waits(), seconds
    with RunLock(flock_path, since="now", clock=clock):
        assert seconds < clock.monotonic() < seconds + 0.2


def test_a_reader_that_never_finishes_finally_blocks_a_writer(flock_path: Path) -> None:
    write_holder(flock_path, DEAD)
    clock = FakeClock()
    with flock_path.open("rb") as looker:
        lock._try_shared(looker.fileno())
        with pytest.raises(RunLockedError), RunLock(flock_path, since="now", clock=clock):
            pass
    assert clock.monotonic() == pytest.approx(10)


def test_a_hundred_writers_are_never_refused_because_of_readers(flock_path: Path) -> None:
    look = """
import sys
from pathlib import Path
from promptrial.store.lock import holder
path = Path(sys.argv[1])
print("looking", flush=True)
while path.parent.exists():
    holder(path)
"""
    flock_path.touch()
    lookers = [
        subprocess.Popen([sys.executable, "-c", look, str(flock_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        assert [looker.stdout.readline() for looker in lookers if looker.stdout] == ["looking\n"] * 4
        for _ in range(100):
            with RunLock(flock_path, since="now"):
                pass
    finally:
        for looker in lookers:
            looker.kill()
            looker.communicate()


def test_a_lock_file_removed_while_a_writer_waited_is_not_a_lock(flock_path: Path) -> None:
    """Its folder may have been removed and made again: the writer must hold the file that others will look at."""
    first = RunLock(flock_path, since="first")
    first.__enter__()

    class Removes(FakeClock):
        def wait(self, event: Event, seconds: float) -> bool:
            flock_path.unlink(missing_ok=True)
            return super().wait(event, seconds)

    with RunLock(flock_path, since="second", clock=Removes()):
        by = lock.holder(flock_path)
        assert by is not None
        assert (by.since, by.alive) == ("second", True)
    first.__exit__(None, None, None)


@pytest.mark.skipif(
    subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="this machine does not allow unshare --pid",
)
@pytest.mark.parametrize("outside", [True, False])
def test_the_state_of_a_process_in_another_pid_namespace_is_known(flock_path: Path, outside: bool) -> None:
    """In a container the numbers of processes are its own: one that lives may look dead there, and the reverse."""
    look = [sys.executable, "-c", LOOK, str(flock_path)]
    apart = ["unshare", "--pid", "--fork", "--kill-child"]
    hold = [sys.executable, "-c", HOLD, str(flock_path), "flock"]
    with subprocess.Popen(
        [*apart, *hold] if outside else hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "held\n"
        command = look if outside else [*apart, *look]
        seen = [subprocess.run(command, capture_output=True, text=True, check=True).stdout]
        child.kill()
        assert child.stdout.read() == ""  # until the last process that has it open is gone
    seen.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert seen == ["True\n", "False\n"]


LOOK = """
import sys
from pathlib import Path
from promptrial.store.lock import holder
print(holder(Path(sys.argv[1])).works)
"""


# --- other files in place of the lock ------------------------------------------------------------------------------


def test_a_linked_lock_is_refused_and_what_it_points_to_is_left_alone(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    path.parent.mkdir()
    path.symlink_to(other)
    with pytest.raises(PromptrialError, match="a link, not a regular file"), RunLock(path, since="", clock=Now()):
        pass
    with pytest.raises(PromptrialError, match="a link, not a regular file"):
        lock.holder(path)
    assert other.read_text() == "mine"


def test_a_fifo_in_place_of_a_lock_is_refused_and_not_waited_for(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(PromptrialError, match="a FIFO, not a regular file"), RunLock(path, since="", clock=Now()):
        pass


def test_a_folder_named_like_the_lock_is_refused_and_not_changed(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(PromptrialError, match="a lock must be a regular file"), RunLock(path, since="", clock=Now()):
        pass
    assert path.is_dir()


# --- the heartbeat -------------------------------------------------------------------------------------------------


def test_a_heartbeat_shows_that_the_holder_is_alive(path: Path) -> None:
    with RunLock(path, since="now") as held:
        os.utime(path, (1, 1))
        by = lock.holder(path)
        assert by is not None
        assert (by.works, by.silent) == (lock._HAS_FLOCK, True)
        held.beat()
        by = lock.holder(path)
        assert by is not None
        assert (by.works, by.silent) == (True, False)


def test_setting_the_clock_back_does_not_make_a_holder_silent(path: Path) -> None:
    with RunLock(path, since="now"):
        by = lock.holder(path, FakeClock())  # its time is long before the file's
        assert by is not None
        assert by.silent_s == 0
