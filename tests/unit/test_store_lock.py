"""One writer per run, between real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptrial.errors import PromptrialError, RunLockedError
from promptrial.store import lock
from promptrial.store.lock import RunLock

HOLD = """
import sys
from pathlib import Path
from promptrial.store.lock import RunLock
with RunLock(Path(sys.argv[1]), since="2026-01-01T00:00:00Z"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds the lock until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run_abc" / ".state.lock"


def test_a_second_process_is_refused_at_once_and_told_who_holds_the_run(path: Path) -> None:
    with holder(path) as child:
        began = time.monotonic()
        with pytest.raises(RunLockedError) as caught, RunLock(path, since=""):
            pass
        assert time.monotonic() - began < 1
    assert f'"pid": {child.pid}' in caught.value.message
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
    assert path.read_bytes() == b""
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


def test_a_shorter_text_leaves_nothing_of_a_longer_one(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("x" * 5000)
    with RunLock(path, since=""):
        assert path.read_text().endswith("}")
        assert "x" not in path.read_text().replace(os.uname().nodename, "")


def test_a_system_that_cannot_lock_is_not_mistaken_for_another_holder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_fd: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock, "_lock", no_locks)
    with (
        pytest.raises(PromptrialError, match=r"cannot be locked.*No locks available") as caught,
        RunLock(path, since=""),
    ):
        pass
    assert not isinstance(caught.value, RunLockedError)
