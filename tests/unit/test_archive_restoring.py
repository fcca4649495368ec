from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

from promptrial.archive import restoring
from promptrial.archive.addresses import place_to_write
from promptrial.archive.manifest import DIGEST, MANIFEST, ArchivedFile, ArchiveManifest, digest_line, encode
from promptrial.archive.packing import Member
from promptrial.archive.places import LocalFolder, PackedFile, Place
from promptrial.archive.restoring import restore
from promptrial.errors import CorruptRecordError, DiskSpaceError, RunLockedError, UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.store.lock import RunLock
from tests.support.archives import FILES, contents, make_run, put, read_tree

CLOCK = SystemClock()


@pytest.fixture
def kept(tmp_path: Path) -> PackedFile:
    """An archive of a run that is no longer there."""
    run = make_run(tmp_path / "old")
    place = PackedFile(tmp_path / "kept.tar.zst")
    put(place, run)
    shutil.rmtree(run.root)
    return place


def without_lock(root: Path) -> dict[str, bytes]:
    return {path: data for path, data in read_tree(root).items() if path != ".state.lock"}


def test_a_run_is_restored_without_the_files_of_the_archive_itself(tmp_path: Path, kept: PackedFile) -> None:
    restored = restore(kept, tmp_path / "new", None, CLOCK)
    assert restored.run.root == tmp_path / "new/run_r"
    assert without_lock(restored.run.root) == FILES
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run_r"]
    with RunLock(restored.run.lock_path, since="now"):
        pass  # no process holds it now


def test_an_existing_run_is_never_overwritten(tmp_path: Path, kept: PackedFile) -> None:
    (tmp_path / "new/run_r").mkdir(parents=True)
    with pytest.raises(UsageError, match="already exists"):
        restore(kept, tmp_path / "new", None, CLOCK)
    assert list((tmp_path / "new/run_r").iterdir()) == []
    assert restore(kept, tmp_path / "new", "again", CLOCK).run.run_id == "again"


@pytest.mark.parametrize("run_id", ["../x", "", ".hidden", "a/b"])
def test_an_invalid_run_id_is_refused_even_from_the_archive(tmp_path: Path, run_id: str) -> None:
    run = make_run(tmp_path / "old")
    manifest, (_, _, *rest) = contents(run)
    named = ArchiveManifest(
        schema_version=1,
        run_id=run_id,
        promptrial_version="",
        config_hash=None,
        completeness=manifest.completeness,
        files=manifest.files,
    )
    place = LocalFolder(tmp_path / "kept")
    place.write("run_r", rest)
    (place.path / MANIFEST).write_bytes(encode(named))
    (place.path / DIGEST).write_bytes(digest_line(encode(named)))
    with pytest.raises(UsageError, match="run_id"):
        restore(place, tmp_path / "new", None, CLOCK)
    assert not (tmp_path / "new").exists()


def test_a_damaged_archive_is_not_restored_and_the_damage_is_named(tmp_path: Path) -> None:
    place = LocalFolder(tmp_path / "kept")
    put(place, make_run(tmp_path / "old"))
    (place.path / "run.log").write_bytes(b"another")
    with pytest.raises(CorruptRecordError, match=r"differs run\.log"):
        restore(place, tmp_path / "new", None, CLOCK)
    assert not (tmp_path / "new").exists()


@dataclass
class Changing:
    """A place whose files are others when they are read a second time."""

    path: Path
    second: dict[str, bytes]
    readings: list[int]
    shown: str = "changing"

    def members(self) -> Iterator[Member]:
        self.readings.append(1)
        for member in LocalFolder(self.path).members():
            if len(self.readings) > 1 and member.path in self.second:
                yield Member(member.path, iter([self.second[member.path]]))
            else:
                yield member
        if len(self.readings) > 1:
            yield from (Member(path, iter([data])) for path, data in self.second.items() if path not in FILES)

    def occupied(self, *_: object) -> bool:
        raise AssertionError("a place that is only read from")

    def write(self, *_: object) -> None:
        raise AssertionError("a place that is only read from")

    def withdraw(self) -> str:
        raise AssertionError("a place that is only read from")


@pytest.mark.parametrize(
    "second", [{"run.log": b"one\nTWO\n"}, {"run.log": b"x" * 10_000}, {"run.log": b""}, {"extra": b""}]
)
def test_an_archive_that_changes_after_it_was_verified_is_not_restored(
    tmp_path: Path, second: dict[str, bytes]
) -> None:
    put(LocalFolder(tmp_path / "kept"), make_run(tmp_path / "old"))
    with pytest.raises(CorruptRecordError, match="has changed since"):
        restore(Changing(tmp_path / "kept", second, []), tmp_path / "new", None, CLOCK)
    assert list((tmp_path / "new").iterdir()) == []


def test_too_little_disk_space_is_reported_before_anything_is_unpacked(
    tmp_path: Path, kept: PackedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(DiskSpaceError, match="the disk has 10 free"):
        restore(kept, tmp_path / "new", None, CLOCK)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_second_process_that_restores_the_same_run_is_refused(tmp_path: Path, kept: PackedFile) -> None:
    with (
        RunLock(tmp_path / "new/.run_r.tmp/.state.lock", since="now"),
        pytest.raises(RunLockedError, match="another process is restoring this run"),
    ):
        restore(kept, tmp_path / "new", None, CLOCK)
    assert without_lock(restore(kept, tmp_path / "new", None, CLOCK).run.root) == FILES


def test_leftovers_of_a_killed_restore_are_not_part_of_the_run(tmp_path: Path, kept: PackedFile) -> None:
    (tmp_path / "new/.run_r.tmp/half").mkdir(parents=True)
    (tmp_path / "new/.run_r.tmp/half/file").write_bytes(b"x")
    (tmp_path / "new/.run_r.tmp/link").symlink_to(tmp_path)
    assert without_lock(restore(kept, tmp_path / "new", None, CLOCK).run.root) == FILES
    assert kept.path.exists()


def test_a_link_in_a_packed_archive_writes_nothing_outside(tmp_path: Path) -> None:
    out = io.BytesIO()
    manifest, (head, digest, *_) = contents(make_run(tmp_path / "old"))
    with tarfile.open(fileobj=out, mode="w") as tar:
        for content in (head, digest):
            info = tarfile.TarInfo(f"run_r/{content.path}")
            info.size = content.size
            tar.addfile(info, content.open())
        link = tarfile.TarInfo("run_r/a")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        tar.addfile(link)
        info = tarfile.TarInfo("run_r/a/results/rows.jsonl")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"evil"))
    (tmp_path / "outside").mkdir()
    place = PackedFile(tmp_path / "hostile.tar.zst")
    place.path.write_bytes(zstandard.compress(out.getvalue()))
    with pytest.raises(CorruptRecordError, match="link"):
        restore(place, tmp_path / "new", None, CLOCK)
    assert list((tmp_path / "outside").iterdir()) == []
    assert manifest.files


def test_an_interruption_between_two_files_leaves_nothing(
    tmp_path: Path, kept: PackedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    write = restoring._write

    def interrupted(place: Place, path: Path, member: Member, file: ArchivedFile) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        write(place, path, member, file)
        written.append(path)

    monkeypatch.setattr(restoring, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(kept, tmp_path / "new", None, CLOCK)
    assert len(written) == 2
    assert list((tmp_path / "new").iterdir()) == []


def test_a_tree_of_objects_is_restored_too(tmp_path: Path) -> None:
    place = place_to_write("memory://restored/x", {})
    put(place, make_run(tmp_path / "old"))
    assert without_lock(restore(place, tmp_path / "new", None, CLOCK).run.root) == FILES


def test_a_manifest_cannot_claim_more_than_a_file_has(tmp_path: Path) -> None:
    file = ArchivedFile("x", 3, "0" * 64)
    member = Member("x", iter([b"ab", b"cd"]))
    with pytest.raises(CorruptRecordError, match="x has changed"):
        restoring._write(LocalFolder(tmp_path), tmp_path / "x", member, file)
    assert list(tmp_path.iterdir()) == []
