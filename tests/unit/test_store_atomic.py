"""The only durable writes: whole or not at all, in the right order, and nothing left behind."""

import errno
import hashlib
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial.errors import PromptrialError, StopRequested
from promptrial.store import atomic

OPERATIONS = ("_fsync", "_replace", "_fsync_folder", "_append", "_unlink")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the durable operations in the order in which they are called; flushing a folder counts as one."""
    made: list[str] = []

    def watched(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            if not (name == "_fsync" and is_folder(arguments[0])):
                made.append(name)
            return real(*arguments)

        return call

    for name in OPERATIONS:
        monkeypatch.setattr(atomic, name, watched(name, getattr(atomic, name)))
    return made


def is_folder(fd: object) -> bool:
    assert isinstance(fd, int)
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def fail(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a durable operation fail as a full disk does."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, name, full)


def write_half(path: Path) -> None:
    with atomic.AtomicFile(path) as file:
        file.write(b"half")
        raise StopRequested


def write_too_much(path: Path) -> None:
    with atomic.AtomicFile(path) as file:
        for _ in range(50):
            file.write(b"x" * 100_000)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- whole files ----------------------------------------------------------------------------------------------------


def test_a_file_is_written_flushed_renamed_and_its_folder_flushed_in_that_order(
    tmp_path: Path, calls: list[str]
) -> None:
    atomic.write_bytes(tmp_path / "a", b"new")
    assert calls == ["_fsync", "_replace", "_fsync_folder"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_the_target_is_untouched_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with atomic.AtomicFile(path) as file:
        file.write(b"new" * 1_000_000)
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" * 1_000_000
    assert names(tmp_path) == ["a"]


def test_all_bytes_are_on_disk_before_the_flush_and_the_flush_comes_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    real_fsync, real_replace = atomic._fsync, atomic._replace

    def fsync(fd: int) -> None:
        seen.append(("fsync", os.fstat(fd).st_size))
        real_fsync(fd)

    def replace(source: Path, target: Path) -> None:
        seen.append(("replace", source.stat().st_size))
        real_replace(source, target)

    monkeypatch.setattr(atomic, "_fsync", fsync)
    monkeypatch.setattr(atomic, "_replace", replace)
    atomic.write_bytes(tmp_path / "a", b"x" * 5_000_000)
    assert seen[:2] == [("fsync", 5_000_000), ("replace", 5_000_000)]


def test_an_error_in_the_block_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(StopRequested):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["_fsync", "_replace"])
def test_a_disk_that_fails_at_the_end_leaves_the_old_file_and_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    fail(monkeypatch, name)
    with pytest.raises(OSError, match="No space left"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_file_system_that_refuses_to_flush_a_folder_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(atomic, "_fsync", refuses)
    with pytest.raises(OSError, match="Invalid argument") as caught:
        atomic.write_bytes(tmp_path / "a", b"new")
    assert caught.value.filename == str(tmp_path / "a")
    assert names(tmp_path) == ["a"]


def test_a_disk_that_fills_up_while_writing_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_too_much(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_file_knows_its_size_and_digest(tmp_path: Path) -> None:
    with atomic.AtomicFile(tmp_path / "a") as file:
        assert file.writable()
        assert file.write(b"one") == 3
        assert file.write(memoryview(b"two\n")) == 4
        assert file.tell() == file.size == 7
    assert file.sha256() == hashlib.sha256(b"onetwo\n").hexdigest()
    assert (tmp_path / "a").read_bytes() == b"onetwo\n"


def test_writing_makes_the_folders_and_flushes_each_ones_parent(tmp_path: Path, calls: list[str]) -> None:
    atomic.write_bytes(tmp_path / "x" / "y" / "a", b"")
    assert calls == ["_fsync_folder", "_fsync_folder", "_fsync", "_replace", "_fsync_folder"]
    assert (tmp_path / "x/y/a").read_bytes() == b""


# --- folders --------------------------------------------------------------------------------------------------------


def test_making_an_existing_folder_does_nothing(tmp_path: Path, calls: list[str]) -> None:
    atomic.make_folder(tmp_path)
    assert calls == []


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PromptrialError, match="cannot make this folder") as caught:
        atomic.make_folder(tmp_path / "file" / below)
    assert caught.value.message.startswith(f"{tmp_path / 'file'}: ")


def test_a_dangling_link_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PromptrialError, match=r"link: cannot make this folder"):
        atomic.make_folder(tmp_path / "link" / "x")


# --- appending ------------------------------------------------------------------------------------------------------


def test_a_line_is_flushed_before_append_returns_and_a_new_files_name_too(tmp_path: Path, calls: list[str]) -> None:
    with atomic.Appender(tmp_path / "a") as appender:
        assert calls == ["_fsync_folder"]
        appender.append(b"one")
        assert calls[1:] == ["_append", "_fsync"]
        assert (tmp_path / "a").read_bytes() == b"one\n"
        appender.append(b"two")
    with atomic.Appender(tmp_path / "a") as appender:
        appender.append(b"three")
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\nthree\n"


def test_the_name_of_a_file_created_by_a_killed_process_is_flushed_too(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"one\n")  # as if killed between making the file and flushing the folder
    atomic.Appender(tmp_path / "a").close()
    assert calls == ["_fsync_folder"]


def test_a_log_is_not_flushed(tmp_path: Path, calls: list[str]) -> None:
    with atomic.Appender(tmp_path / "a", durable=False) as appender:
        appender.append(b"one")
    assert calls == ["_append"]


def test_a_line_written_in_pieces_by_the_system_is_written_completely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr("promptrial.store.atomic.os.write", lambda fd, data: real(fd, data[:3]))
    with atomic.Appender(tmp_path / "a") as appender:
        appender.append(b"a long line")
    assert (tmp_path / "a").read_bytes() == b"a long line\n"


def test_a_partly_written_line_leaves_no_fragment_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, pieces = os.write, iter([4])

    def nearly_full(fd: int, data: memoryview) -> int:
        size = next(pieces, None)
        if size is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[:size])

    with atomic.Appender(tmp_path / "a") as appender:
        appender.append(b"one")
        monkeypatch.setattr("promptrial.store.atomic.os.write", nearly_full)
        with pytest.raises(OSError, match="No space left"):
            appender.append(b"a long line")
        monkeypatch.setattr("promptrial.store.atomic.os.write", real)
        appender.append(b"three")
    assert (tmp_path / "a").read_bytes() == b"one\nthree\n"


# --- removing, renaming, sweeping -----------------------------------------------------------------------------------


def test_removing_flushes_the_folder_and_ignores_a_missing_file(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"")
    atomic.remove(tmp_path / "a")
    atomic.remove(tmp_path / "a")
    assert calls == ["_unlink", "_fsync_folder", "_unlink"]
    assert names(tmp_path) == []


def test_publishing_renames_and_flushes_the_folder(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"rows")
    atomic.publish(tmp_path / "a", tmp_path / "b")
    assert calls == ["_replace", "_fsync_folder"]
    assert names(tmp_path) == ["b"]


def test_a_move_flushes_the_target_folder_and_the_source_folder(
    tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    real = atomic._fsync_folder

    def flush(folder: Path) -> None:
        flushed.append(folder)
        real(folder)

    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from/a").write_bytes(b"1")
    monkeypatch.setattr(atomic, "_fsync_folder", flush)
    atomic.move(tmp_path / "from/a", tmp_path / "to/a")
    assert flushed == [tmp_path / "to", tmp_path / "from"]
    assert calls == ["_replace", "_fsync_folder", "_fsync_folder"]


def test_truncating_is_flushed(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"one\ntw")
    atomic.truncate(tmp_path / "a", 4)
    assert calls == ["_fsync"]
    assert (tmp_path / "a").read_bytes() == b"one\n"


def test_damaged_files_are_renamed_with_numbers_and_none_is_overwritten(tmp_path: Path, calls: list[str]) -> None:
    path = tmp_path / "state.json"
    for number in (1, 2, 3):
        path.write_bytes(b"%d" % number)
        assert atomic.set_aside(path) == tmp_path / f"state.json.corrupt.{number}"
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [b"1", b"2", b"3"]
    assert calls == ["_replace", "_fsync_folder"] * 3


def test_renaming_a_damaged_file_does_not_overwrite_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bad")
    (tmp_path / "a.corrupt.1").symlink_to(tmp_path / "nowhere")
    assert atomic.set_aside(tmp_path / "a").name == "a.corrupt.2"


def test_sweeping_removes_only_leftovers_of_interrupted_writes(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    leftovers = [tmp_path / ".state.json.123.tmp", tmp_path / "deep/er/.results.jsonl.9.tmp"]
    kept = [tmp_path / "notes.tmp", tmp_path / ".hidden", tmp_path / "deep/.tmp.txt", tmp_path / "state.json"]
    for path in (*leftovers, *kept):
        path.write_bytes(b"")
    assert atomic.sweep(tmp_path) == leftovers
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in kept)


def test_an_unfinished_write_leaves_exactly_what_sweeping_finds(tmp_path: Path) -> None:
    file = atomic.AtomicFile(tmp_path / "a")
    file.write(b"half")
    assert atomic.sweep(tmp_path) == [tmp_path / f".a.{os.getpid()}.tmp"]
    file._file.close()
