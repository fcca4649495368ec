"""However bytes are cut into chunks or packed, the same lines come out; whatever is broken is refused by name."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.errors import DataError
from promptrial.store.downloads import gunzip, rows_by_hand, split_lines

ROW = st.integers(0, 10**6).map(lambda number: b'{"n":%d}' % number)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \n"])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


def archives() -> list[tuple[str, bytes]]:
    rows = b"".join(b'{"custom_id":"%d"}\n' % number for number in range(40))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dataset/x/BIJOutputSet.jsonl", rows)
        archive.writestr("error-data", rows)
    zipped = made.getvalue()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in ("x" * 150 + "/a.jsonl", "error-data"):
            info = tarfile.TarInfo(name)
            info.size = len(rows)
            tar.addfile(info, io.BytesIO(rows))
    return [("a.zip", zipped), ("a.tar", made.getvalue()), ("a.tgz", gzip.compress(made.getvalue(), mtime=0))]


ARCHIVES = archives()


@given(st.lists(st.tuples(ROW, ENDS), max_size=8), st.booleans(), st.booleans(), st.lists(st.integers(0, 200)))
def test_lines_do_not_depend_on_how_the_bytes_arrive(
    lines: list[tuple[bytes, bytes]], marked: bool, ended: bool, places: list[int]
) -> None:
    data = (b"\xef\xbb\xbf" if marked else b"") + b"".join(row + end for row, end in lines)
    data = data if ended else data.rstrip()
    assert list(split_lines(cut(data, places))) == [row for row, _ in lines]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.lists(st.integers(0, 2000)), st.binary(max_size=3))
def test_gzip_unpacks_to_what_was_packed_however_it_arrives(
    members: list[bytes], places: list[int], padding: bytes
) -> None:
    packed = b"".join(gzip.compress(member, mtime=0) for member in members) + bytes(len(padding))
    assert b"".join(gunzip(cut(packed, places))) == b"".join(members)


@given(st.binary(max_size=300), st.integers(1, 10**6))
def test_truncated_gzip_is_an_error_that_says_so(content: bytes, place: int) -> None:
    packed = gzip.compress(content, mtime=0)
    with pytest.raises(EOFError):
        list(gunzip([packed[: 1 + place % (len(packed) - 1)]]))


@given(st.binary(min_size=1, max_size=100))
def test_bytes_that_are_not_gzip_are_an_error(content: bytes) -> None:
    with pytest.raises((EOFError, zlib.error)):
        list(gunzip([content]))


@given(
    st.sampled_from(ARCHIVES), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_a_damaged_archive_gives_rows_or_a_refusal_and_no_other_error(
    archive: tuple[str, bytes], changes: list[tuple[int, int]]
) -> None:
    name, content = archive
    damaged = bytearray(content)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(damaged)
        with contextlib.suppress(DataError):
            list(rows_by_hand(Path(folder), []))
