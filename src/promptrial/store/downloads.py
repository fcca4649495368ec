"""Rows out of what was downloaded: lines of a stream, and of files and archives that a person put into a folder.

Nothing is unpacked to disk and no name inside an archive is ever used as a path; memory stays bounded whatever the
archive claims. Who fetches over the network, and what a row means, is not here.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Final

import msgspec

from promptrial.documents.files import open_regular
from promptrial.errors import DataError
from promptrial.store.breadcrumbs import JOB_FILE, OUTPUT_FILE

__all__ = [
    "BOM",
    "MAX_LINE",
    "CutShortError",
    "Limits",
    "LineTooLongError",
    "datasets_by_hand",
    "files_by_hand",
    "gunzip",
    "rows_by_hand",
    "split_lines",
]

MAX_LINE: Final = 64 << 20
"""The longest line that is read, in bytes: an answer is thousands of times shorter."""

OWN_NAMES: Final = (
    ".*",
    "results.jsonl",
    "results.*.jsonl",
    "requests*.jsonl",
    "*.corrupt.*",
    f"*{JOB_FILE}",
    f"*{OUTPUT_FILE}",
)
"""Names of files that promptrial itself, or the system, puts beside results; they are never read as a download."""

_DATASETS: Final = "dataset"
_CHUNK: Final = 1 << 20
BOM: Final = b"\xef\xbb\xbf"
_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".gz")
_NESTED: Final = (*_ARCHIVES, ".bz2", ".xz", ".zst", ".7z", ".rar")
_ZIP_OWN: Final = 4 << 20
_TAR_OWN: Final = 16 << 20
"""What an archive may take for its own directory or headers, in bytes: the libraries hold them in memory."""
_RATIO_FLOOR: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unpack to: files in it, bytes in all, bytes for each byte packed, bytes in a line.

    The ratio is judged above 16 MiB only. Rows of chat answers reach about 20, and deflate at most 1032.
    """

    members: int = 10_000
    total: int = 64 << 30
    ratio: int = 200
    line: int = MAX_LINE


class LineTooLongError(ValueError):
    """A line is longer than the limit."""


class CutShortError(ValueError):
    """The last line has no newline and is no JSON: the rest of it is missing."""


def split_lines(chunks: Iterable[bytes], limit: int = MAX_LINE) -> Iterator[bytes]:
    r"""Yield the lines of a stream without ``\n`` or ``\r\n``, skipping blank ones and a byte-order mark.

    At most ``limit`` bytes and a chunk are held.

    Raises
    ------
    LineTooLongError, CutShortError
    """
    held: list[bytes] = []
    size = 0
    start = True
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line = _joined(held, size, piece, limit)
            held, size = [], 0
            if start:
                line, start = line.removeprefix(BOM), False
            if line.strip():
                yield line.removesuffix(b"\r")
        size += len(rest)
        if size > limit:
            raise LineTooLongError(f"a line is longer than {limit:,} bytes")
        held.append(rest)
    last = b"".join(held)
    last = last.removeprefix(BOM) if start else last
    if last.strip():
        if not _is_json(last):
            raise CutShortError("it ends in the middle of a row")
        yield last.removesuffix(b"\r")


def _joined(held: list[bytes], size: int, piece: bytes, limit: int) -> bytes:
    if size + len(piece) > limit:
        raise LineTooLongError(f"a line is longer than {limit:,} bytes")
    return b"".join([*held, piece]) if held else piece


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack a stream of gzip, one member or several, a chunk of bounded size at a time.

    Raises
    ------
    EOFError
        If it breaks off. An empty stream is empty, not broken.
    zlib.error
        If it is not gzip, or damaged.
    """
    unpacker = zlib.decompressobj(31)
    begun = False
    for chunk in chunks:
        data = chunk
        while data:
            if unpacker.eof:
                data = data.lstrip(b"\0")  # padding, as tapes had it
                unpacker = zlib.decompressobj(31) if data else unpacker
            begun = begun or bool(data)
            piece = unpacker.decompress(data, _CHUNK) if data else b""
            data = unpacker.unused_data or unpacker.unconsumed_tail if data else b""
            if piece:
                yield piece
    if rest := unpacker.flush():
        yield rest
    if begun and not unpacker.eof:
        raise EOFError("the gzip stream is cut off")


def datasets_by_hand(folder: Path) -> tuple[str, ...]:
    """Return the ids of the data sets that a person has put into a folder as the vendor's own tool does, in order."""
    return tuple(sorted(path.name for path in (folder / _DATASETS).glob("*") if path.is_dir()))


def files_by_hand(folder: Path, datasets: Iterable[str]) -> tuple[Path, ...]:
    """Return the files in a folder that ``rows_by_hand`` reads, in order.

    They are ``*.jsonl``, ``error-data`` and archives (.zip .tar .tar.gz .tgz .gz), in the folder itself or in
    ``dataset/<id>/`` below it, where the vendor's own tool puts them; without those of ``OWN_NAMES``. A row does not
    tell which job it came from, and the id does: of data sets, those that are named are read, and no others.
    """
    places = (folder, *(folder / _DATASETS / name for name in datasets))
    found = [path for place in places for path in place.glob("*") if not path.is_dir()]
    return tuple(sorted(path for path in found if _holds_rows(path.name) or _is_archive(path.name)))


def rows_by_hand(folder: Path, datasets: Iterable[str], limits: Limits | None = None) -> Iterator[bytes]:
    """Yield every row of the files that a person put into a folder, raw, one file after the other.

    Raises
    ------
    DataError
        If a file or an archive is cut short, damaged, not what its name says, or asks for more than ``limits``;
        names the file and what is in it. Rows that were yielded before may be of the same file.
    """
    for path in files_by_hand(folder, datasets):
        yield from _rows_of(path, limits or Limits())


def _rows_of(path: Path, limits: Limits) -> Iterator[bytes]:
    if path.is_symlink() or not path.is_file():
        raise DataError(f"{path}: not a plain file", hint="replace the link by the file itself")
    if _is_archive(path.name) and path.stat().st_size == 0:
        raise DataError(f"{path}: an empty archive", hint="download this file again")
    name = path.name.lower()
    with _explained(path), open_regular(path) as file:
        allowance = _Allowance(path, limits)
        if name.endswith(".zip"):
            yield from _zip_rows(path, allowance)
        elif name.endswith((".tar", ".tar.gz", ".tgz")):
            yield from _tar_rows(gzip.GzipFile(fileobj=file) if name.endswith("gz") else file, allowance)
        elif name.endswith(".gz"):
            if path.stem.lower().endswith(_NESTED):
                raise allowance.refusal(path.stem, "an archive in an archive")
            yield from allowance.lines(path.stem, allowance.counted(path.stem, gunzip(_chunks(file.read))))
        else:
            yield from split_lines(_chunks(file.read), limits.line)


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    return iter(lambda: read(_CHUNK), b"")


def _holds_rows(name: str) -> bool:
    is_rows = name == "error-data" or name.lower().endswith(".jsonl")
    return is_rows and not any(fnmatchcase(name, pattern) for pattern in OWN_NAMES)


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES) and not any(fnmatchcase(name, pattern) for pattern in OWN_NAMES)


class _Allowance:
    """What one archive has left of its limits, and how it is refused."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._packed = path.stat().st_size
        self._members = 0
        self._unpacked = 0
        self._read = 0

    def refusal(self, member: str, why: str) -> DataError:
        return DataError(f"{self._path}: {member!r}: {why}", hint="put the .jsonl files themselves there")

    def admit(self, member: str, size: int, kind: int) -> bool:
        """Count one member, and return whether it holds rows. ``kind`` is one of ``stat.S_IFMT``, 0 for others.

        Raises
        ------
        DataError
            If it is anything but a plain file in a folder below, an archive itself, or too much.
        """
        self._members += 1
        if self._members > self._limits.members:
            raise self.refusal(member, f"more than {self._limits.members:,} files")
        if _leads_elsewhere(member):
            raise self.refusal(member, "a name that points outside the archive")
        if kind == stat.S_IFDIR:
            return False
        if kind != stat.S_IFREG or size < 0:
            raise self.refusal(member, "a link, device or other special file")
        if member.lower().endswith(_NESTED):
            raise self.refusal(member, "an archive in an archive")
        self.take(member, size)
        holds_rows = _holds_rows(member.rpartition("/")[2])
        self._read += holds_rows
        return holds_rows

    def take(self, member: str, size: int) -> None:
        """Count bytes that are unpacked."""
        self._unpacked += size
        if self._unpacked > self._limits.total:
            raise self.refusal(member, f"unpacks to more than {self._limits.total:,} bytes")
        if self._unpacked > max(_RATIO_FLOOR, self._packed * self._limits.ratio):
            raise self.refusal(member, f"unpacks to more than {self._limits.ratio} times the size of the archive")

    def counted(self, member: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Count the bytes of a member that does not say how many it has."""
        for chunk in chunks:
            self.take(member, len(chunk))
            yield chunk

    def lines(self, member: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines of a member."""
        try:
            yield from split_lines(chunks, self._limits.line)
        except (LineTooLongError, CutShortError) as error:
            raise self.refusal(member, str(error)) from error

    def done(self) -> None:
        """Refuse an archive in which there was nothing to read."""
        if not self._read:
            raise DataError(f"{self._path}: no .jsonl or error-data file of results in it")


def _leads_elsewhere(member: str) -> bool:
    parts = re.split(r"[/\\]", member)
    return not parts[0] or ".." in parts or re.match("[A-Za-z]:", member) is not None or "\0" in member


def _zip_rows(path: Path, allowance: _Allowance) -> Iterator[bytes]:
    reader = _Careful(io.FileIO(path), _ZIP_OWN)
    with reader, zipfile.ZipFile(reader) as archive:
        for info in archive.infolist():
            is_folder = info.filename.endswith("/")
            kind = stat.S_IFDIR if is_folder else stat.S_IFMT(info.external_attr >> 16) or stat.S_IFREG
            if not allowance.admit(info.filename, info.file_size, kind):
                continue
            if info.flag_bits & 1:
                raise allowance.refusal(info.filename, "encrypted")
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                # The others cannot be unpacked in pieces of bounded size.
                raise allowance.refusal(info.filename, "compressed by a method other than deflate")
            reader.left += info.compress_size
            with archive.open(info) as member:
                yield from allowance.lines(info.filename, _chunks(member.read))
    allowance.done()


def _tar_rows(file: IO[bytes] | gzip.GzipFile, allowance: _Allowance) -> Iterator[bytes]:
    reader = _Careful(file, _TAR_OWN)
    with reader, tarfile.open(fileobj=reader, mode="r:") as archive:
        for info in archive:
            if not allowance.admit(info.name, info.size, _kind_in_tar(info)):
                continue
            reader.left += info.size
            member = archive.extractfile(info)
            assert member is not None  # noqa: S101 - it is a plain file
            yield from allowance.lines(info.name, _chunks(member.read))
        if reader.latest != bytes(tarfile.BLOCKSIZE):  # a broken header ends the loop as the end mark does
            raise tarfile.ReadError("the end mark is missing")
        for _ in _chunks(reader.read):  # padding, and after it the checksum of a packed one
            pass
    allowance.done()


def _kind_in_tar(info: tarfile.TarInfo) -> int:
    if info.isdir():
        return stat.S_IFDIR
    return stat.S_IFREG if info.isreg() and not info.issparse() else 0


class _Careful(io.BufferedReader):
    """A reader that gives ``left`` bytes in all, so that no header can ask for all memory."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile | io.FileIO, left: int) -> None:
        super().__init__(file)  # type: ignore[arg-type] # whatever has readinto will do
        self.left = left
        self.latest = b""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self.left + 1 if size is None or size < 0 else min(size, self.left + 1)
        self.latest = super().read(wanted)
        self.left -= len(self.latest)
        if self.left < 0:
            raise OverflowError("its own directory or headers are too large")
        return self.latest

    def seek(self, target: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_SET and target < 0:
            raise ValueError("it points to an offset before its start")
        return super().seek(target, whence)


_DAMAGE: Final = (
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    gzip.BadGzipFile,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the libraries raise over something that is not an archive, or made to look like one."""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot be read to the end: {error}", hint="download this file again") from error
