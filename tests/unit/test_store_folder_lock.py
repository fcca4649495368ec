"""A lock of a file of its own: one process at a time does what it stands for, and nothing stays behind."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from promptrial.errors import UsageError
from promptrial.runtime.clock import FakeClock
from promptrial.store.folder_lock import folder_lock, held


def other_process_can_lock(path: Path) -> bool:
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=False).returncode == 0


def test_while_one_holds_it_another_is_refused_with_what_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "labels.lock"
    with held(path, "somebody labels this sheet"):
        assert not other_process_can_lock(path)
        with pytest.raises(UsageError) as error, held(path, "somebody labels this sheet"):
            pass
        assert (error.value.message, error.value.hint) == (
            "somebody labels this sheet",
            "end the other process, or name another file",
        )
    assert not path.exists()
    with held(path, "again"):
        assert path.exists()


def test_an_error_within_lets_go_of_it(tmp_path: Path) -> None:
    path = tmp_path / "labels.lock"
    with pytest.raises(ValueError, match="within"), held(path, "taken"):
        raise ValueError("within")
    with held(path, "taken"):
        pass
    assert not path.exists()


def test_where_files_cannot_be_locked_the_work_is_done_anyway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(_fd: int, _how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", cannot)
    done = []
    with held(tmp_path / "labels.lock", "taken"):
        done.append("held")
    with folder_lock(tmp_path, FakeClock()):
        done.append("folder")
    assert done == ["held", "folder"]
