from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from promptrial.archive.contents import Content
from promptrial.archive.packing import Member, pack, unpack
from promptrial.archive.places import PackedFile
from promptrial.archive.reading import verify
from promptrial.errors import CorruptRecordError
from tests.support.archives import expanding_archive, make_run, put, read_tree, write_tree

LONG = "x" * 120 + "/" + "ü" * 90
CONTENTS = [Content("b", 5, b"bytes"), Content("a/empty", 0, b""), Content(LONG, 3, b"abc")]


def packed(contents: list[Content] = CONTENTS, top: str = "run_r") -> bytes:
    out = io.BytesIO()
    pack(top, contents, out)
    return out.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    return {member.path: b"".join(member.chunks) for member in unpack(io.BytesIO(data), "here")}


def hostile(*members: tarfile.TarInfo, end: bytes = b"", mode: str = "pax") -> bytes:
    """Return a packed tar with these members, their content zeros."""
    out = io.BytesIO()
    format_ = tarfile.PAX_FORMAT if mode == "pax" else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return zstandard.ZstdCompressor(write_checksum=True).compress(out.getvalue() + end)


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def test_files_come_out_as_they_went_in_and_in_that_order() -> None:
    assert list(unpacked(packed()).items()) == [("b", b"bytes"), ("a/empty", b""), (LONG, b"abc")]


def test_the_same_files_give_the_same_bytes_without_times_owners_or_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"bytes")
    (tmp_path / "b").chmod(0o700)
    assert packed([Content("b", 5, tmp_path / "b")]) == packed([Content("b", 5, b"bytes")])
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed())).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for info in tar:
            assert info.name.startswith("run_r/")
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode) == (0, 0, 0, "", "", 0o644)


def test_a_file_that_became_shorter_during_packing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"byt")
    with pytest.raises(OSError, match="unexpected end of data"):
        packed([Content("b", 5, tmp_path / "b")])


def test_an_archive_truncated_anywhere_is_refused() -> None:
    data = packed()
    for size in range(len(data)):
        with pytest.raises(CorruptRecordError, match="here: damaged"):
            unpacked(data[:size])


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(CorruptRecordError, match="after its end"):
        unpacked(packed() + b"x")
    with pytest.raises(CorruptRecordError, match="after its end"):
        unpacked(packed() + packed())
    with pytest.raises(CorruptRecordError, match="after its end"):
        unpacked(hostile(member("run_r/a"), end=b"more"))


def test_a_flipped_bit_is_detected_or_changes_no_content() -> None:
    data, whole, harmless = packed(), unpacked(packed()), 0
    for at in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            try:
                found = unpacked(bytes(damaged))
            except CorruptRecordError:
                continue
            assert found == whole
            harmless += 1
    assert harmless < len(data) / 8, "few bits are unused by the format, or only ask for more memory"


def test_damage_names_its_member_and_the_members_before_it_are_read(tmp_path: Path) -> None:
    files = {f"f{n}": bytes(str(n), "ascii") * 50 + bytes([n]) * 30 for n in range(20)}
    run = make_run(tmp_path, files)
    place = PackedFile(tmp_path / "x.tar.zst")
    put(place, run)
    data = place.path.read_bytes()
    for at in range(1500, len(data), 7):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        place.path.write_bytes(damaged)
        seen = verify(place)
        assert seen.differences
        first = seen.differences[0].path
        good = [path for path in sorted(files) if path < first]
        assert {each.path for each in seen.differences}.isdisjoint(good)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (hostile(member("/etc/passwd")), "name"),
        (hostile(member("run_r/../../x")), "name"),
        (hostile(member("run_r/a"), member("run_q/b")), "name"),
        (hostile(member("alone")), "name"),
        (hostile(member("run_r/a\\b")), "name"),
        (hostile(member("run_r/l", kind=tarfile.SYMTYPE, link="/etc")), "link"),
        (hostile(member("run_r/l", kind=tarfile.LNKTYPE, link="run_r/a")), "link"),
        (hostile(member("run_r/d", kind=tarfile.DIRTYPE)), "folder"),
        (hostile(member("run_r/d", kind=tarfile.FIFOTYPE)), "special"),
        (hostile(member("run_r/d", kind=tarfile.CHRTYPE)), "special"),
        (hostile(member("run_r/" + "x" * 200_000)), "headers are too large"),
        (hostile(member("run_r/" + "x" * 200_000), mode="gnu"), "headers are too large"),
        (zstandard.compress(b""), "here: damaged"),
        (zstandard.compress(bytes(300)), "here: damaged"),
        (zstandard.compress(b"no tar" * 500), "here: damaged"),
        (b"no zstd at all, and long enough to look at", "here: damaged"),
    ],
)
def test_members_that_no_archive_may_hold_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(CorruptRecordError, match=why):
        unpacked(data)


def test_a_header_that_claims_a_huge_size_is_refused_before_it_is_read() -> None:
    info = member("././@PaxHeader", kind=tarfile.XHDTYPE)
    info.size = 1 << 40
    with pytest.raises(CorruptRecordError, match="headers are too large"):
        unpacked(zstandard.compress(info.tobuf(tarfile.GNU_FORMAT)))


def test_tar_unpacks_the_same_tree(tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"a/b": b"1", "c": b""})
    data = packed([Content("a/b", 1, tmp_path / "in/a/b"), Content("c", 0, tmp_path / "in/c")])
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    assert read_tree(tmp_path / "out/run_r") == read_tree(tmp_path / "in")


def test_an_archive_that_decompresses_to_far_more_than_its_size_is_refused_early(tmp_path: Path) -> None:
    (tmp_path / "x.tar.zst").write_bytes(expanding_archive())
    (difference,) = verify(PackedFile(tmp_path / "x.tar.zst")).differences
    assert str(difference) == "differs zeros (damaged: it unpacks to more than 1,000 times its size)"


def test_a_file_is_not_read_beyond_the_size_in_the_manifest(tmp_path: Path) -> None:
    read: list[int] = []

    class Watched(PackedFile):
        def members(self) -> Iterator[Member]:
            for each in super().members():
                yield Member(each.path, watched(each.chunks))

    def watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            read.append(len(chunk))
            yield chunk

    place = Watched(tmp_path / "x.tar.zst")
    place.path.write_bytes(expanding_archive(claimed=200 << 20, blocks=1600))
    assert "differs zeros" in [str(each) for each in verify(place).differences]
    assert sum(read) > 100 << 20
    read.clear()
    bytes_ = place.path.read_bytes()
    place.path.write_bytes(bytes_.replace(b'"size": 209715200', b'"size": 200      '))
    found = [str(each) for each in verify(place).differences]
    assert "differs zeros (larger than the 200 bytes in the manifest)" in found
    assert sum(read) < 4 << 20


def test_a_duplicate_name_is_refused() -> None:
    with pytest.raises(CorruptRecordError, match="appears twice"):
        unpacked(hostile(member("run_r/a"), member("run_r/a")))
