from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import pytest

from promptrial.archive.addresses import place_to_write
from promptrial.archive.contents import Content
from promptrial.archive.places import LocalFolder, PackedFile, Place
from promptrial.archive.reading import verify
from promptrial.archive.writing import archive_run
from promptrial.engine.session import Invocation
from promptrial.errors import CorruptRecordError, PromptrialError, RunLockedError, StopRequested, UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.store.lock import RunLock
from promptrial.store.rundir import RunDir
from tests.support.archives import make_run, read_tree

INVOCATION = Invocation(os.environ, SystemClock(), lambda _: None, resume_command="the same command")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "exp")


def archive(run: RunDir, place: Place) -> bool:
    """Archive a run that is not complete, and return whether it was written now."""
    return archive_run(run, place, INVOCATION, incomplete=True).written


def test_a_run_that_is_not_complete_is_refused_and_nothing_is_written(tmp_path: Path, run: RunDir) -> None:
    with pytest.raises(PromptrialError, match=r"not complete:\n  run_state.json does not exist") as caught:
        archive_run(run, PackedFile(tmp_path / "out/x.tar.zst"), INVOCATION)
    assert "--incomplete" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_manifest_says_what_was_left_to_do(tmp_path: Path, run: RunDir) -> None:
    run.state_path.write_bytes(b"{")
    place = PackedFile(tmp_path / "x.tar.zst")
    archive(run, place)
    completeness = verify(place).manifest.completeness
    assert (completeness.complete, completeness.left) == (False, ("run_state.json is damaged",))


def test_a_run_that_is_worked_on_is_refused(tmp_path: Path, run: RunDir) -> None:
    with RunLock(run.lock_path, since="now"), pytest.raises(RunLockedError):
        archive(run, PackedFile(tmp_path / "x.tar.zst"))
    assert not (tmp_path / "x.tar.zst").exists()


def test_the_run_keeps_every_byte(tmp_path: Path, run: RunDir) -> None:
    before = read_tree(run.root)
    archive(run, LocalFolder(tmp_path / "x"))
    assert {path: data for path, data in read_tree(run.root).items() if path != ".state.lock"} == before


@pytest.mark.parametrize(
    "where",
    ["exp/run_r", "exp/run_r/x", "exp/run_r/deep/x.tar.zst", "exp/archives/../run_r/x", "link/x", "file:exp/run_r/x",
     "exp/run_other/x", "exp/run_other/x.tar.zst", "exp/run_new", "exp/link/run_new"],
)  # fmt: skip
def test_a_place_inside_a_run_or_that_looks_like_one_is_refused(
    tmp_path: Path, run: RunDir, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("exp/run_other").mkdir()
    Path("exp/archives").mkdir()
    Path("exp/link").symlink_to(tmp_path / "exp")
    Path("link").symlink_to(run.root)
    before = read_tree(tmp_path)
    place = place_to_write(where.replace("file:", f"file://{tmp_path}/"), {})
    with pytest.raises(UsageError, match=r"is no part of a run|would be taken for a run") as caught:
        archive(run, place)
    assert "promptrial archive r --experiments_dir" in str(caught.value)
    assert read_tree(tmp_path) == before


@pytest.mark.parametrize("where", ["exp/archives/run_r", "exp/run_r.tar.zst", "exp/kept", "run_r"])
def test_a_place_beside_the_runs_is_not_refused(tmp_path: Path, run: RunDir, where: str) -> None:
    assert archive(run, place_to_write(str(tmp_path / where), {}))


@pytest.mark.parametrize("where", ["x", "x.tar.zst", "memory://kept/x", "memory://kept/x.tar.zst"])
def test_archiving_the_same_run_again_does_nothing_and_another_run_is_refused(
    tmp_path: Path, run: RunDir, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = place_to_write(where, {})
    if "://" in where and place.occupied([]):
        place.withdraw()
    assert archive(run, place)
    assert not archive(run, place_to_write(where, {}))
    with run.log_path.open("ab") as log:
        log.write(b"a line that a later look added\n")
    assert not archive(run, place), "a log that has grown is no change"
    (run.root / "empty.txt").write_bytes(b"no longer")
    with pytest.raises(UsageError, match=r"empty\.txt has changed since"):
        archive(run, place)
    assert not verify(place).differences


def test_a_log_with_a_different_beginning_is_a_change(tmp_path: Path, run: RunDir) -> None:
    place = PackedFile(tmp_path / "x.tar.zst")
    archive(run, place)
    run.log_path.write_bytes(b"zero\ntwo\nthree\n")
    with pytest.raises(UsageError, match=r"run\.log has changed since"):
        archive(run, place)


def test_an_existing_file_that_is_not_this_runs_archive_is_left_alone(tmp_path: Path, run: RunDir) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/own").write_bytes(b"mine")
    (tmp_path / "x.tar.zst").write_bytes(b"mine")
    other = make_run(tmp_path / "exp", run_id="other")
    archive(other, LocalFolder(tmp_path / "other"))
    for place in (LocalFolder(tmp_path / "x"), PackedFile(tmp_path / "x.tar.zst"), LocalFolder(tmp_path / "other")):
        with pytest.raises(UsageError, match="something already exists there"):
            archive(run, place)
    assert (tmp_path / "x/own").read_bytes() == (tmp_path / "x.tar.zst").read_bytes() == b"mine"
    assert verify(LocalFolder(tmp_path / "other")).manifest.run_id == "other"


class Spoiled:
    """A place that does something when it is written."""

    def __init__(self, place: Place, before: Callable[[], None], after: Callable[[], None]) -> None:
        self.place, self.before, self.after = place, before, after
        self.shown, self.members, self.withdraw = place.shown, place.members, place.withdraw

    def occupied(self, ours: Collection[str]) -> bool:
        return self.place.occupied(ours)

    def write(self, top: str, contents: Iterable[Content]) -> None:
        self.before()
        self.place.write(top, contents)
        self.after()


def flip(path: Path, at: int = -40) -> Callable[[], None]:
    def work() -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    return work


@pytest.mark.parametrize("name", ["x", "x.tar.zst"])
def test_an_archive_that_does_not_read_back_is_renamed(tmp_path: Path, run: RunDir, name: str) -> None:
    spoil = flip(tmp_path / "x/run.log", 0) if name == "x" else flip(tmp_path / name)
    place = Spoiled(place_to_write(str(tmp_path / name), {}), lambda: None, spoil)
    with pytest.raises(CorruptRecordError, match=r"does not match what was written .* renamed to"):
        archive(run, place)
    assert not (tmp_path / name).exists()
    assert (tmp_path / f"{name}.corrupt.1").exists()


def test_objects_that_do_not_read_back_are_removed(run: RunDir) -> None:
    import fsspec

    def spoil() -> None:
        fsspec.filesystem("memory").pipe_file("/spoiled/x/run.log", b"one\ntwo!")

    place = place_to_write("memory://spoiled/x", {})
    with pytest.raises(CorruptRecordError, match=r"differs run\.log.* it was removed"):
        archive(run, Spoiled(place, lambda: None, spoil))
    assert not fsspec.filesystem("memory").find("/spoiled/x")


def test_a_file_that_changes_between_its_digest_and_its_copy_is_detected(tmp_path: Path, run: RunDir) -> None:
    place = LocalFolder(tmp_path / "x")
    with pytest.raises(CorruptRecordError, match=r"differs run\.log"):
        archive(run, Spoiled(place, flip(run.log_path, 0), lambda: None))


def test_a_new_stop_sentinel_stops_the_work_and_an_old_one_does_not(tmp_path: Path, run: RunDir) -> None:
    place = LocalFolder(tmp_path / "out/x")
    run.sentinel_path.write_bytes(b"stop\n")
    with pytest.raises(StopRequested) as caught:
        archive(run, Spoiled(place, lambda: run.sentinel_path.write_text("stop\n") and None, lambda: None))
    assert list((tmp_path / "out").iterdir()) == []
    assert caught.value.resume_command == "the same command"
    assert archive(run, place), "the sentinel was left from before by then"
    assert not run.sentinel_path.exists()
