from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from promptrial.archive.addresses import place_to_read, place_to_write
from promptrial.archive.manifest import MANIFEST
from promptrial.archive.places import LocalFolder, PackedFile
from promptrial.archive.reading import verify
from promptrial.errors import CorruptRecordError, MissingDependencyError, PromptrialError, UsageError
from tests.support.archives import contents, make_run, put, read_tree

KEYS = {"AWS_ACCESS_KEY_ID": "the-key-id", "AWS_SECRET_ACCESS_KEY": "the-secret-key"}


def test_the_name_decides_the_kind_of_place(tmp_path: Path) -> None:
    assert isinstance(place_to_write(str(tmp_path / "x.tar.zst"), {}), PackedFile)
    assert isinstance(place_to_write(f"file://{tmp_path}/x.tar.zst", {}), PackedFile)
    assert isinstance(place_to_write(str(tmp_path / "x.zip"), {}), LocalFolder)
    assert place_to_write("memory://kinds/x", {}).shown == "memory://kinds/x"


def test_reading_follows_the_kind_of_file_and_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "folder.tar.zst").mkdir()
    (tmp_path / "renamed").write_bytes(b"x")
    assert isinstance(place_to_read(str(tmp_path / "folder.tar.zst"), {}), LocalFolder)
    assert isinstance(place_to_read(str(tmp_path / "renamed"), {}), PackedFile)
    with pytest.raises(UsageError, match="no archive found"):
        place_to_read(str(tmp_path / "nothing"), {})


@pytest.mark.parametrize("kind", ["x", "x.tar.zst"])
def test_a_file_that_is_not_an_archive_is_reported_as_such(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "file").write_bytes(b"x")
    (tmp_path / "x.tar.zst").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptRecordError, match=kind):
        verify(place_to_read(str(tmp_path / kind), {}))


@pytest.mark.parametrize("url", ["nowhere://bucket/x", "s3://", "memory://"])
def test_an_unusable_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        place_to_write(url, {})


@pytest.mark.parametrize(
    ("package", "destination", "hint"),
    [
        ("zstandard", "x.tar.zst", r"promptrial\[archive\]"),
        ("fsspec.core", "memory://missing/x", r"promptrial\[archive\]"),
        ("s3fs", "s3://bucket/x", r"promptrial\[s3\]"),
        ("gcsfs", "gs://bucket/x", "gcsfs"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, package: str, destination: str, hint: str
) -> None:
    known = importlib.import_module("fsspec.registry")._registry
    for name in ("s3", "gs"):  # it remembers what it has imported once
        monkeypatch.delitem(known, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=f"pip install .*{hint}"):
        place_to_write(destination, {})


def test_a_folder_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("zstandard", "fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, package, None)
    place = place_to_write(str(tmp_path / "x"), {})
    put(place, make_run(tmp_path))
    assert not verify(place).differences


def test_a_folder_counts_as_occupied_only_if_it_is_not_empty(tmp_path: Path) -> None:
    place = LocalFolder(tmp_path / "x")
    assert not place.occupied([])
    place.path.mkdir()
    assert not place.occupied([])
    (place.path / "own").write_bytes(b"")
    assert place.occupied([])


@pytest.mark.parametrize("name", ["x", "x.tar.zst"])
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "exp")
    _, files = contents(run)
    (run.root / "empty.txt").unlink()
    with pytest.raises(FileNotFoundError):
        place_to_write(str(tmp_path / "out" / name), {}).write("run_r", files)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["x", "x.tar.zst"])
def test_the_next_write_removes_the_leftovers_of_a_killed_one(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "exp")
    (tmp_path / "out" / f".{name}.1.tmp").mkdir(parents=True)
    (tmp_path / "out" / f".{name}.2.tmp").write_bytes(b"half")
    (tmp_path / "out" / ".other.3.tmp").write_bytes(b"of another archive")
    put(place_to_write(str(tmp_path / "out" / name), {}), run)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".other.3.tmp", name]


def test_a_tree_of_objects_without_a_manifest_is_not_an_archive_and_can_be_continued(tmp_path: Path) -> None:
    run, place = make_run(tmp_path), place_to_write("memory://unfinished/x", {})
    manifest, (head, *rest) = contents(run)
    paths = [content.path for content in (head, *rest)]
    place.write("run_r", [rest[1], rest[0]])  # as if the manifest had not been written
    with pytest.raises(CorruptRecordError, match="not an archive"):
        verify(place)
    assert not place.occupied(paths)
    assert place.occupied([path for path in paths if path != rest[1].path]), "what is not ours is not written beside"
    place.write("run_r", [head, *rest])
    assert verify(place).manifest == manifest
    assert place.occupied(paths)


def test_a_tree_that_is_withdrawn_leaves_no_object(tmp_path: Path) -> None:
    place = place_to_write("memory://withdrawn/x", {})
    put(place, make_run(tmp_path))
    assert place.withdraw() == "removed"
    assert not place.occupied([])


def test_an_object_whose_address_only_shares_a_prefix_is_not_part_of_the_tree(tmp_path: Path) -> None:
    put(place_to_write("memory://beside/x2", {}), make_run(tmp_path))
    assert not place_to_write("memory://beside/x", {}).occupied([])


def test_messages_contain_neither_keys_nor_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise RuntimeError(f"denied {path} for the-key-id with the-secret-key")

    place: Any = place_to_write("s3://someone:hunter2@bucket/x.tar.zst?signature=abc", KEYS)
    monkeypatch.setattr(place._store.system, "exists", refuse)
    assert place.shown == "s3://bucket/x.tar.zst"
    with pytest.raises(PromptrialError) as caught:
        place.occupied([])
    said = str(caught.value)
    assert said.startswith("s3://bucket/x.tar.zst: RuntimeError: denied [redacted]@bucket/x.tar.zst?[redacted]")
    assert not any(secret in said for secret in ("hunter2", "abc", *KEYS.values()))
    assert caught.value.__cause__ is None


def test_a_link_in_an_unpacked_archive_is_a_difference_and_the_rest_is_still_compared(tmp_path: Path) -> None:
    place = LocalFolder(tmp_path / "x")
    put(place, make_run(tmp_path))
    before = read_tree(place.path)
    (place.path / "a" / "results" / "rows.jsonl").unlink()
    (place.path / "a" / "results" / "rows.jsonl").symlink_to("/etc/hostname")
    (place.path / "linked").symlink_to("a")
    (place.path / "run.log").write_bytes(before["run.log"] + b"x")
    assert [(each.path, each.what) for each in verify(place).differences] == [
        ("a/results/rows.jsonl", "differs"),
        ("linked", "extra"),
        ("run.log", "differs"),
    ]


def test_a_manifest_that_was_changed_by_hand_no_longer_matches_its_digest(tmp_path: Path) -> None:
    place = LocalFolder(tmp_path / "x")
    put(place, make_run(tmp_path))
    manifest = place.path / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'"run_id": "r"', b'"run_id": "s"'))
    assert [str(each) for each in verify(place).differences] == [
        "differs archive_manifest.json (from archive_manifest.sha256)"
    ]
