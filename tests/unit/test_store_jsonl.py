"""JSON lines on disk: reading, counting, repairing a torn tail, digests."""

import hashlib
from pathlib import Path

import pytest

from promptrial.store import jsonl


def test_lines_are_read_without_endings_and_blank_ones_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one\n\ntwo\r\n\r\n three \nlast")
    assert list(jsonl.lines(path)) == [b"one", b"two", b" three ", b"last"]


def test_skipped_blank_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\none\n\n\ntwo\n")
    assert list(jsonl.numbered_lines(path)) == [(2, b"one"), (5, b"two")]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert list(jsonl.lines(tmp_path / "a")) == []
    assert jsonl.repair_tail(tmp_path / "a") == 0


def test_repairing_a_missing_file_does_not_create_it(tmp_path: Path) -> None:
    assert jsonl.repair_tail(tmp_path / "a") == 0
    assert not (tmp_path / "a").exists()


def test_repairing_a_complete_file_does_not_change_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\n")
    monkeypatch.setattr("promptrial.store.atomic.truncate", None)
    assert jsonl.repair_tail(tmp_path / "a") == 0


def test_a_file_of_one_torn_line_becomes_empty(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"torn')
    assert jsonl.repair_tail(tmp_path / "a") == 6
    assert (tmp_path / "a").read_bytes() == b""


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5, 7, 100])
def test_a_torn_line_longer_than_a_chunk_is_removed_completely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(jsonl, "_CHUNK", chunk)
    (tmp_path / "a").write_bytes(b"one\ntwo\nthree is torn")
    assert jsonl.repair_tail(tmp_path / "a") == 13
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"


def test_the_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    data = b"x" * 3_000_000
    (tmp_path / "a").write_bytes(data)
    assert jsonl.digest(tmp_path / "a") == (hashlib.sha256(data).hexdigest(), 3_000_000)


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 3 << 20])
def test_a_digest_is_that_of_all_bytes_whatever_the_size(tmp_path: Path, size: int) -> None:
    data = (b"0123456789abcde" * (size // 15 + 1))[:size]
    (tmp_path / "file").write_bytes(data)
    assert jsonl.digest(tmp_path / "file") == (hashlib.sha256(data).hexdigest(), size)
