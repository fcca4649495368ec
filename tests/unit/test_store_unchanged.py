"""Tests of reading files again only when they have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptrial.store.unchanged import Unchanged


class Reader:
    """Reads texts, and counts how often."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.read = Unchanged(self._read)

    def _read(self, path: Path) -> str:
        self.paths.append(path.name)
        return path.read_text()


def settled(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file that counts as written long ago."""
    path.write_text(text)
    monkeypatch.setattr("promptrial.store.known_digests._SETTLED_S", -60.0)
    return path


def test_an_unchanged_file_is_read_once_by_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reader = settled(tmp_path / "a", "one", monkeypatch), Reader()
    assert [reader.read(path), reader.read(path)] == ["one", "one"]
    assert reader.paths == ["a"]


def test_a_file_that_was_replaced_or_written_to_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reader = settled(tmp_path / "a", "one", monkeypatch), Reader()
    assert reader.read(path) == "one"
    settled(tmp_path / "b", "two", monkeypatch).rename(path)
    assert reader.read(path) == "two"
    path.write_text("three")
    assert reader.read(path) == "three"


def test_a_link_counts_as_unchanged_only_if_its_target_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = settled(tmp_path / "a", "one", monkeypatch), settled(tmp_path / "b", "two", monkeypatch)
    (tmp_path / "way").symlink_to(first)
    link, reader = tmp_path / "way", Reader()
    assert reader.read(link) == "one"
    os.utime(second, (1, 1))
    second.rename(first)
    assert reader.read(link) == "two"


def test_a_file_that_changed_a_moment_ago_is_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    reader = Reader()
    assert [reader.read(tmp_path / "a"), reader.read(tmp_path / "a")] == ["one", "one"]
    assert reader.paths == ["a", "a"]


def test_only_the_last_four_files_are_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    for name in "abcdea":
        reader.read(settled(tmp_path / name, name, monkeypatch) if name not in reader.paths else tmp_path / name)
    assert reader.paths == ["a", "b", "c", "d", "e", "a"]
    reader.read(tmp_path / "c")
    assert reader.paths == ["a", "b", "c", "d", "e", "a"]


def test_a_deleted_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, reader = settled(tmp_path / "a", "one", monkeypatch), Reader()
    reader.read(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        reader.read(path)
