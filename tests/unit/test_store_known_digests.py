"""Digests that are kept: a file is digested again unless the file system says that it is the same one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial.archive.contents import run_files
from promptrial.store import jsonl, known_digests
from promptrial.store.jsonl import FileDigest, digest
from promptrial.store.known_digests import FILE
from promptrial.store.part_records import FileRecord
from promptrial.store.rundir import RunDir

SHA = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of b"hello"
RECORD = FileRecord(SHA, 5)


@pytest.fixture
def digested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are digested; every digest is worth being kept."""
    names: list[str] = []

    def noted(path: Path | str, *, follow_links: bool = True) -> FileDigest:
        names.append(Path(path).name)
        return digest(path, follow_links=follow_links)

    monkeypatch.setattr(jsonl, "digest", noted)
    monkeypatch.setattr(known_digests, "_WORTH_BYTES", 0)
    return names


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path, "r")
    run.root.mkdir()
    (run.root / "a").write_bytes(b"hello")
    return run


def again(run: RunDir, *, trusting: bool = True) -> RunDir:
    """Return the run as another process sees it."""
    other = RunDir(run.root.parent, run.run_id)
    if trusting:
        other.trust_kept_digests()
    return other


def kept(run: RunDir, monkeypatch: pytest.MonkeyPatch, settled_s: float = -3600.0) -> None:
    """Digest the file and keep that; it counts as unchanged for long enough, as it has no time to get old."""
    monkeypatch.setattr(known_digests, "_SETTLED_S", settled_s)
    assert not run.file_problem("a", RECORD)
    run.keep_digests()


def replaced(path: Path) -> None:
    """Replace a file by another of the same size and times."""
    times = path.stat()
    path.with_name("new").write_bytes(b"jello")
    os.utime(path.with_name("new"), ns=(times.st_atime_ns, times.st_mtime_ns))
    path.with_name("new").replace(path)


def rewritten(path: Path) -> None:
    """Write into a file, and set its time back."""
    times = path.stat()
    path.write_bytes(b"jello")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_an_unchanged_file_is_digested_once_for_all_processes(
    run: RunDir, digested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(run, monkeypatch)
    assert not again(run).file_problem("a", RECORD)
    assert digested == ["a"]
    assert not again(run, trusting=False).file_problem("a", RECORD)
    assert digested == ["a", "a"]


@pytest.mark.parametrize("change", [replaced, rewritten])
@pytest.mark.usefixtures("digested")
def test_a_changed_file_with_the_same_size_and_time_is_detected(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    kept(run, monkeypatch)
    change(run.root / "a")
    assert again(run).file_problem("a", RECORD) == "a damaged"


@pytest.mark.usefixtures("digested")
def test_the_digest_of_a_just_changed_file_is_not_cached(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(run, monkeypatch, settled_s=3600.0)
    assert not (run.root / FILE).exists()


def test_cached_digests_survive_a_process_that_computes_none(
    run: RunDir, digested: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(run, monkeypatch)
    before = (run.root / FILE).stat().st_mtime_ns
    again(run).keep_digests()
    assert (run.root / FILE).stat().st_mtime_ns == before
    assert not again(run).file_problem("a", RECORD)
    assert digested == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema_version":2,"files":{}}',
        b'{"schema_version":1,"files":{"../a":[[5,1,1,1],"x"]}}',
        b'{"schema_version":1,"files":{"a":[[5,1,1,1],"x"]}}',
    ],
)
def test_a_damaged_digest_cache_is_ignored(run: RunDir, digested: list[str], content: bytes) -> None:
    (run.root / FILE).write_bytes(content)
    assert not again(run).file_problem("a", RECORD)
    assert digested == ["a"]


def test_small_files_are_digested_without_the_cache(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(run, monkeypatch)
    assert not (run.root / FILE).exists()


@pytest.mark.usefixtures("digested")
def test_cached_digests_are_not_archived(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(run, monkeypatch)
    assert [name for name, _ in run_files(run.root)] == ["a"]


def test_a_link_is_not_followed_to_a_file_elsewhere(run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"hello")
    (run.root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="link"):
        known_digests.KnownDigests(run.root).sha256(run.root / "link")
