"""Rows out of files and archives that a person put into a folder: read whole, or refused by name."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from promptrial.errors import DataError
from promptrial.store import downloads
from promptrial.store.downloads import (
    CutShortError,
    Limits,
    LineTooLongError,
    files_by_hand,
    gunzip,
    rows_by_hand,
    split_lines,
)

ROWS = b'{"custom_id":"a"}\n{"custom_id":"b"}\n'
READ = [b'{"custom_id":"a"}', b'{"custom_id":"b"}']
OUTPUT = "dataset/pt-1-out/BIJOutputSet.jsonl"


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: Iterable[tarfile.TarInfo | tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def refusal(folder: Path, limits: Limits | None = None) -> str:
    with pytest.raises(DataError) as caught:
        list(rows_by_hand(folder, [], limits))
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    "put",
    [
        lambda folder: (folder / "BIJOutputSet.jsonl").write_bytes(ROWS),
        lambda folder: (folder / "error-data").write_bytes(ROWS),
        lambda folder: (folder / "rows.jsonl.gz").write_bytes(gzip.compress(ROWS)),
        lambda folder: (folder / "rows.gz").write_bytes(gzip.compress(ROWS[:18]) + gzip.compress(ROWS[18:])),
        lambda folder: zipped(folder / "a.zip", {OUTPUT: ROWS, "dataset/pt-1-out/error-data": b""}),
        lambda folder: zipped(folder / "A.ZIP", {"error-data": ROWS}, zipfile.ZIP_STORED),
        lambda folder: tarred(folder / "a.tar", [special("dataset", tarfile.DIRTYPE), (OUTPUT, ROWS)]),
        lambda folder: tarred(folder / "a.tar.gz", [(OUTPUT, ROWS), ("notes.txt", b"x" * 100_000)]),
        lambda folder: tarred(folder / "a.tgz", [("x" * 200 + "/error-data", ROWS)]),
        lambda folder: tarred(folder / "a.tar", [("one.jsonl", ROWS[:18]), ("two.jsonl", ROWS[18:])]),
    ],
)
def test_rows_are_read_from_every_supported_form(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert list(rows_by_hand(tmp_path, [])) == READ
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked to disk"


def test_files_are_found_where_the_vendors_tool_puts_them_and_read_in_order(tmp_path: Path) -> None:
    below = tmp_path / "dataset" / "pt-1-out"
    below.mkdir(parents=True)
    (below / "error-data").write_bytes(ROWS[18:])
    (below / "BIJOutputSet.jsonl").write_bytes(ROWS[:18])
    assert [path.name for path in files_by_hand(tmp_path, ["pt-1-out"])] == ["BIJOutputSet.jsonl", "error-data"]
    assert list(rows_by_hand(tmp_path, ["pt-1-out"])) == READ


def test_only_the_named_data_sets_are_read(tmp_path: Path) -> None:
    for name in ("pt-2-out", "pt-1-out", "[pt]*"):
        below = tmp_path / "dataset" / name
        below.mkdir(parents=True)
        (below / "a.jsonl").write_bytes(b'{"custom_id":"%s"}' % name.encode())
    (tmp_path / "dataset" / "a.jsonl").write_bytes(ROWS)
    assert downloads.datasets_by_hand(tmp_path) == ("[pt]*", "pt-1-out", "pt-2-out")
    assert downloads.datasets_by_hand(tmp_path / "nowhere") == ()
    assert list(rows_by_hand(tmp_path, [])) == []
    assert list(rows_by_hand(tmp_path, ["pt-2-out", "pt-3-out"])) == [b'{"custom_id":"pt-2-out"}']
    assert list(rows_by_hand(tmp_path, ["[pt]*"])) == [b'{"custom_id":"[pt]*"}']


@pytest.mark.parametrize(
    "name",
    ["results.jsonl", "results.partial.jsonl", "requests.jsonl", "requests_2.jsonl", "a.jsonl.corrupt.1",
     "a.corrupt.2.jsonl", "p_job.json", "p_OUTPUT_DATASET_ID.txt", ".hidden.jsonl", "._BIJOutputSet.jsonl", "notes.txt",
     "error-data.txt", "rows.json"],
)  # fmt: skip
def test_files_of_promptrial_and_of_the_system_are_ignored(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no rows")
    zipped(tmp_path / "a.zip", {f"x/{name}": b"no rows", "rows.jsonl": ROWS})
    assert files_by_hand(tmp_path, []) == (tmp_path / "a.zip",)
    assert list(rows_by_hand(tmp_path, [])) == READ


def test_a_missing_or_empty_folder_gives_no_rows(tmp_path: Path) -> None:
    assert list(rows_by_hand(tmp_path, [])) == []
    assert list(rows_by_hand(tmp_path / "nowhere", ["pt-1-out"])) == []


def test_a_folder_named_like_a_file_of_rows_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    assert list(rows_by_hand(tmp_path, [])) == []


@pytest.mark.parametrize(
    "name",
    [
        "../a.jsonl",
        "x/../../a.jsonl",
        "/etc/a.jsonl",
        "\\a.jsonl",
        "x\\..\\a.jsonl",
        "C:\\a.jsonl",
        "C:a.jsonl",
        "../notes",
    ],
)
@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_name_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str, form: str) -> None:
    if form == "a.zip":
        zipped(tmp_path / form, {name: ROWS})
    else:
        tarred(tmp_path / form, [(name, ROWS)])
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / form}: ")
    assert repr(name) in message
    assert "points outside the archive" in message


@pytest.mark.parametrize(
    "member",
    [
        special("a.jsonl", tarfile.SYMTYPE, "/etc/passwd"),
        special("a.jsonl", tarfile.LNKTYPE, "b.jsonl"),
        special("a.jsonl", tarfile.CHRTYPE),
        special("a.jsonl", tarfile.BLKTYPE),
        special("a.jsonl", tarfile.FIFOTYPE),
        special("a.jsonl", b"9"),
        special("dir", tarfile.SYMTYPE, ".."),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    tarred(tmp_path / "a.tar", [("b.jsonl", ROWS), member])
    assert f"{member.name!r}: a link, device or other special file" in refusal(tmp_path)


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.jsonl")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "'a.jsonl': a link" in refusal(tmp_path)


def test_a_link_or_a_pipe_in_the_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(ROWS)
    link, pipe = tmp_path / "a.jsonl", tmp_path / "error-data"
    link.symlink_to(tmp_path / "elsewhere")
    assert refusal(tmp_path) == f"{link}: not a plain file"
    link.unlink()
    os.mkfifo(pipe)
    assert refusal(tmp_path) == f"{pipe}: not a plain file"


@pytest.mark.parametrize("inner", ["b.zip", "b.tar", "x/b.tar.gz", "b.tgz", "b.jsonl.gz", "b.xz", "B.ZIP"])
def test_an_archive_in_an_archive_is_refused(tmp_path: Path, inner: str) -> None:
    zipped(tmp_path / "a.zip", {"a.jsonl": ROWS, inner: b"anything"})
    assert f"{inner!r}: an archive in an archive" in refusal(tmp_path)


def test_a_compressed_file_that_is_not_a_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip.gz").write_bytes(gzip.compress(b"anything"))
    assert "'a.zip': an archive in an archive" in refusal(tmp_path)


@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tgz"])
def test_an_archive_without_rows_is_refused_rather_than_empty(tmp_path: Path, form: str) -> None:
    if form == "a.zip":
        zipped(tmp_path / form, {"notes.txt": b"x"})
    else:
        tarred(tmp_path / form, [("notes.txt", b"x")])
    with pytest.raises(DataError, match=r"no \.jsonl or error-data file"):
        list(rows_by_hand(tmp_path, []))


@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tgz"])
def test_more_files_or_bytes_than_the_limits_are_refused(tmp_path: Path, form: str) -> None:
    members = {f"{number}.jsonl": ROWS for number in range(4)}
    if form == "a.zip":
        zipped(tmp_path / form, members)
    else:
        tarred(tmp_path / form, members.items())
    assert len(list(rows_by_hand(tmp_path, [], Limits(members=4)))) == 8
    assert "'3.jsonl': more than 3 files" in refusal(tmp_path, Limits(members=3))
    assert "'2.jsonl': unpacks to more than 80 bytes" in refusal(tmp_path, Limits(total=80))


def test_folders_count_as_files_so_that_their_number_is_bounded_too(tmp_path: Path) -> None:
    tarred(tmp_path / "a.tar", [special(f"d{number}", tarfile.DIRTYPE) for number in range(5)])
    assert "more than 4 files" in refusal(tmp_path, Limits(members=4))


@pytest.mark.parametrize("form", ["a.zip", "a.tar.gz", "a.gz"])
@pytest.mark.parametrize("name", ["a.jsonl", "padding.bin"])
def test_a_bomb_is_refused_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, name: str
) -> None:
    monkeypatch.setattr(downloads, "_RATIO_FLOOR", 1 << 20)
    bomb = (b'{"custom_id":"' + b"a" * 1000 + b'"}\n') * 40_000
    if form == "a.zip":
        zipped(tmp_path / form, {name: bomb})
    elif form == "a.tar.gz":
        tarred(tmp_path / form, [(name, bomb)])
    else:
        (tmp_path / form).write_bytes(gzip.compress(bomb))
    size = len(bomb)
    del bomb
    tracemalloc.start()
    try:
        message = refusal(tmp_path, Limits(ratio=50))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "unpacks to more than 50 times the size of the archive" in message
    assert peak < size / 4


def test_well_compressible_rows_are_not_a_bomb(tmp_path: Path) -> None:
    rows = b"".join(b'{"custom_id":"%d","response":{"choices":[]}}\n' % number for number in range(30_000))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(rows))
    assert sum(1 for _ in rows_by_hand(tmp_path, [])) == 30_000


def test_a_header_that_claims_gigabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(40):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        message = refusal(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "too large" in message
    assert peak < 64 << 20


def test_a_negative_size_is_refused_and_causes_no_loop(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.jsonl")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 11 + b"\x00"  # -256, base 256
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(1024))
    assert "'a.jsonl': a link, device or other special file" in refusal(tmp_path)


def test_an_encrypted_or_strangely_packed_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jsonl": ROWS})
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "'a.jsonl': encrypted" in refusal(tmp_path)
    zipped(path, {"a.jsonl": ROWS}, zipfile.ZIP_BZIP2)
    assert "'a.jsonl': compressed by a method other than deflate" in refusal(tmp_path)


def test_a_zip_whose_directory_lies_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jsonl": ROWS})
    whole = path.read_bytes()
    entry, end = whole.rfind(b"PK\x01\x02"), whole.rfind(b"PK\x05\x06")
    lies = [
        (entry + 42, b"\xff\xff\xff\x7f"),
        (entry + 28, b"\0\0"),
        (entry + 24, b"\x01\0\0\0"),
        (end + 12, b"\xff\xff\xff\x7f"),
        (end + 16, b"\xff\xff\0\0"),
        (end + 12, b"\0\0\0\0"),
    ]
    for place, value in lies:
        path.write_bytes(whole[:place] + value + whole[place + len(value) :])
        with pytest.raises(DataError, match=r"a\.zip"):
            list(rows_by_hand(tmp_path, []))


@pytest.mark.parametrize("form", ["a.zip", "a.tar", "a.tar.gz", "a.jsonl.gz"])
def test_a_truncated_archive_is_never_taken_for_a_complete_one(tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    if form == "a.zip":
        zipped(path, {"a.jsonl": ROWS, "b.jsonl": ROWS})
    elif form == "a.jsonl.gz":
        path.write_bytes(gzip.compress(ROWS))
    else:
        tarred(path, [("a.jsonl", ROWS), ("b.jsonl", ROWS)])
    whole = path.read_bytes()
    # Behind the end mark of a tar there is padding alone.
    end = len(whole) if form != "a.tar" else 4 * 512 + 511
    for length in range(1, end, max(1, end // 60)):
        path.write_bytes(whole[:length])
        assert str(path) in refusal(tmp_path), length


def test_a_file_that_ends_in_the_middle_of_a_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS[:-5])
    assert refusal(tmp_path) == f"{tmp_path / 'a.jsonl'}: cannot be read to the end: it ends in the middle of a row"
    (tmp_path / "a.jsonl").unlink()
    zipped(tmp_path / "a.zip", {"b.jsonl": ROWS[:-5]})
    assert "'b.jsonl': it ends in the middle of a row" in refusal(tmp_path)


def test_a_line_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    assert "longer than 16 bytes" in refusal(tmp_path, Limits(line=16))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.gz"])
@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x05\x06" + bytes(18), bytes(700)])
def test_a_file_that_does_not_match_its_extension_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        list(rows_by_hand(tmp_path, []))


def test_lines_lose_only_their_endings_and_a_byte_order_mark() -> None:
    chunks = [b"\xef\xbb", b"\xbfone\r", b"\n\n \n two \r\n", b"\xef\xbb\xbfthree\nfo", b"ur\n"]
    assert list(split_lines(chunks)) == [b"one", b" two ", b"\xef\xbb\xbfthree", b"four"]


def test_a_last_line_without_newline_counts_if_it_is_json() -> None:
    assert list(split_lines([b'{"a":', b"1}"])) == [b'{"a":1}']
    assert list(split_lines([b'\xef\xbb\xbf{"a":1}'])) == [b'{"a":1}']
    with pytest.raises(CutShortError):
        list(split_lines([b'{"a":1}\n{"a"']))
    with pytest.raises(CutShortError):
        list(split_lines([b"[" * 100_000]))


@pytest.mark.parametrize("chunks", [[b"12345678\n"], [b"1234", b"5678"], [b"1234", b"5678\n"], [b"1\n12345678\n"]])
def test_a_line_longer_than_the_limit_is_not_collected_in_memory(chunks: list[bytes]) -> None:
    with pytest.raises(LineTooLongError):
        list(split_lines(chunks, limit=7))
    assert list(split_lines([b"1234567\r\n"], limit=8)) == [b"1234567"]


def test_highly_compressed_gzip_is_decompressed_in_small_pieces() -> None:
    packed = gzip.compress(bytes(50 << 20))
    sizes = [len(piece) for piece in gunzip([packed])]
    assert sum(sizes) == 50 << 20
    assert max(sizes) <= 1 << 20


def test_an_archive_can_decompress_to_the_documented_limit() -> None:
    text = " ".join((Path(__file__).parents[2] / "docs/fireworks.md").read_text(encoding="utf-8").split())
    limits = Limits()
    assert f"more than {limits.members:,} files, {limits.total / 2**30:g} GiB or {limits.ratio} times its size" in text
