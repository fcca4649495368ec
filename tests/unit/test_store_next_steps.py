"""What a run is said to need: to wait for the process that works on it, or else to be resumed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from promptrial.errors import CorruptRecordError
from promptrial.store.left_files import check_files
from promptrial.store.lock import RunLock
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.part_records import FileRecord
from promptrial.store.rundir import RunDir


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path, "r")
    found.root.mkdir()
    return found


def test_a_run_that_a_process_works_on_is_waited_for_and_any_other_is_resumed(run: RunDir) -> None:
    resume = f"resume the run: {run.resume_command}"
    assert wait_or_resume(run) == resume
    with RunLock(run.lock_path, since="now"):
        assert wait_or_resume(run) == (
            f"a process works on this run; wait until it is finished: {run.command('status')} --watch"
        )
    assert wait_or_resume(run) == resume


def test_a_lock_that_cannot_be_read_does_not_block_a_resume(run: RunDir) -> None:
    run.lock_path.parent.mkdir(parents=True, exist_ok=True)
    run.lock_path.symlink_to(run.root / "elsewhere")
    assert wait_or_resume(run).startswith("resume the run: ")


def test_the_first_file_that_is_not_the_one_on_record_is_named_with_what_to_do(run: RunDir) -> None:
    for name in ("a", "b", "c"):
        (run.root / name).write_text(name)
    files = {name: FileRecord(hashlib.sha256(name.encode()).hexdigest(), 1) for name in ("a", "b", "c")}
    check_files(run, files)
    (run.root / "b").write_text("x")
    (run.root / "c").unlink()
    with pytest.raises(CorruptRecordError) as error:
        check_files(run, files)
    assert error.value.message.startswith(f"{run.root / 'b'}: ")
    assert error.value.hint == wait_or_resume(run)
