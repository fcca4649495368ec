from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptrial.archive.contents import run_files
from promptrial.archive.manifest import MANIFEST, OWN_FILES, decode
from promptrial.errors import PromptrialError
from tests.support.archives import contents, make_run, write_tree


def test_files_of_a_process_are_left_out_of_an_archive(tmp_path: Path) -> None:
    kept = {"run.log": b"x", "a/.state.lock": b"", "a/.emulator/b": b"", "a/tmp": b"", "STOP_REQUESTED.txt": b""}
    left_out = {".state.lock": b"", "STOP_REQUESTED": b"", ".emulator/files/x": b"", "a/.x.1.tmp": b"", "b.tmp/c": b""}
    run = make_run(tmp_path, kept | left_out)
    assert [path for path, _ in run_files(run.root)] == sorted(kept)


def test_an_archive_begins_with_its_manifest_and_continues_in_order(tmp_path: Path) -> None:
    manifest, files = contents(make_run(tmp_path))
    assert [file.path for file in files[:2]] == [MANIFEST, "archive_manifest.sha256"]
    paths = [file.path for file in files[2:]]
    assert paths == sorted(paths) == [file.path for file in manifest.files]
    assert "verify.py" in paths
    with files[0].open() as source:
        assert decode(source.read(), "here") == manifest


def test_the_same_files_in_another_folder_give_the_same_manifest(tmp_path: Path) -> None:
    one, _ = contents(make_run(tmp_path / "one"))
    other, _ = contents(make_run(tmp_path / "other"))
    assert one == other
    assert str(tmp_path) not in repr(one)


def test_a_link_is_refused_by_name(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.root / "a" / "link").symlink_to(run.root / "run.log")
    with pytest.raises(PromptrialError, match="a/link: a link or special file"):
        contents(run)


def test_a_pipe_is_refused_by_name(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    os.mkfifo(run.root / "pipe")
    with pytest.raises(PromptrialError, match="pipe: a link or special file"):
        contents(run)


@pytest.mark.parametrize("name", [*OWN_FILES, "back\\slash", "new\nline"])
def test_a_name_that_an_archive_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path)
    write_tree(run.root, {name: b"x"})
    with pytest.raises(PromptrialError, match="name"):
        contents(run)


def test_each_file_is_announced_before_it_is_read(tmp_path: Path) -> None:
    from promptrial.archive.contents import contents_of
    from promptrial.archive.manifest import Completeness

    calls: list[None] = []
    run = make_run(tmp_path)
    contents_of(run, None, Completeness(complete=True, phases={}, left=()), lambda: calls.append(None))
    assert len(calls) == len(run_files(run.root))
