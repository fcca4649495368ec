"""A tree of files as one compressed stream, and back: a tar in a single zstd frame. Knows bytes, and no run.

Written, the same files give the same bytes (with the same version of zstd): members in the order in which they come,
no times, no owners, one mode. A block of the frame ends with each member, so that damage is met in the member that it
is in. Read, the stream is hostile: forwards only, plain files alone, names that stay inside, headers of bounded size,
and an end that is one.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Final, NamedTuple

from promptrial.archive.contents import Content
from promptrial.documents.files import path_problem
from promptrial.errors import CorruptRecordError, MissingDependencyError

__all__ = ["CHUNK", "Member", "pack", "require_zstd", "unpack"]

CHUNK: Final = 1 << 20
_LEVEL: Final = 3
_WINDOW: Final = 1 << 27
_HEADER_START, _BLOCK_HEADER, _CHECKSUM = 5, 3, 4
"""Sizes of zstd's format (RFC 8878): what tells the size of a frame's header, a block's header, the checksum."""
EXPANSION: Final = 1000
"""How many times its packed size an archive may unpack to; the files of runs reach 10 to 50."""
EXPANSION_FREE: Final = 256 << 20
"""Bytes that any archive may unpack to."""
_HEADERS: Final = 1 << 16
"""Bytes that may be between the content of two members."""


class Member(NamedTuple):
    """A file of an archive: its path, and its bytes, to be read before the next member is asked for."""

    path: str
    chunks: Iterator[bytes]


def require_zstd() -> Any:  # noqa: ANN401 - a module
    """Return the library.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import zstandard
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "the zstandard package, which packs and unpacks archives, is not installed",
            hint="pip install 'promptrial[archive]'",
        ) from error
    return zstandard


def pack(top: str, contents: Iterable[Content], out: IO[bytes] | io.RawIOBase) -> None:
    """Write files below a folder ``top``, compressed."""
    zstandard = require_zstd()
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    with (
        compressor.stream_writer(out, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar,
    ):
        for content in contents:
            info = tarfile.TarInfo(f"{top}/{content.path}")  # its times, owners and mode are fixed by default
            info.size = content.size
            with content.open() as source:
                tar.addfile(info, source)
            packed.flush(zstandard.FLUSH_BLOCK)


def unpack(file: BinaryIO, where: str) -> Iterator[Member]:
    """Yield the files of an archive in order, without the folder that holds them all.

    Raises
    ------
    CorruptRecordError
        Where the stream is damaged, breaks off, or holds what no archive may; names ``where`` it was found.
    """
    stream = _Forwards(file)
    with _explained(where), tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as tar:  # type: ignore[call-overload] # enough of a file
        top = None
        seen: set[str] = set()
        for info in tar:
            folder, _, path = info.name.partition("/")
            if (top := top or folder) != folder or not path or path_problem(info.name):
                raise tarfile.ReadError(f"{info.name!r}: not the name of a file in a single folder")
            if not info.isreg() or info.issparse():
                raise tarfile.ReadError(f"{info.name!r}: a link, folder or special file")
            if info.name in seen:
                raise tarfile.ReadError(f"{info.name!r}: it appears twice")
            seen.add(info.name)
            stream.left = info.size + _HEADERS
            yield Member(path, _chunks(tar, info, where))
        if stream.latest != bytes(tarfile.BLOCKSIZE):  # a broken header ends the loop as the end mark does
            raise tarfile.ReadError("its end mark is missing")
        for block in iter(lambda: stream.read(tarfile.RECORDSIZE), b""):
            if any(block):
                raise tarfile.ReadError("there is data after its end")


def _chunks(tar: tarfile.TarFile, info: tarfile.TarInfo, where: str) -> Iterator[bytes]:
    with _explained(where):
        member = tar.extractfile(info)
        assert member is not None  # noqa: S101 - it is a plain file
        yield from iter(lambda: member.read(CHUNK), b"")


@contextmanager
def _explained(where: str) -> Iterator[None]:
    zstandard = require_zstd()
    try:
        yield
    except (tarfile.TarError, zstandard.ZstdError, EOFError, ValueError, OverflowError) as error:
        raise CorruptRecordError(f"{where}: damaged: {error}") from error


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the pieces of a zstd frame that can be unpacked one by one: its header, its blocks, its checksum.

    No block unpacks to more than 128 KiB, whatever it claims; and what comes before a damaged one is not lost with it.
    """
    zstandard = require_zstd()
    start = _exactly(file, _HEADER_START)
    header = start + _exactly(file, zstandard.frame_header_size(start) - _HEADER_START)
    yield header
    last = False
    while not last:
        head = _exactly(file, _BLOCK_HEADER)
        fields = int.from_bytes(head, "little")
        last, repeats = bool(fields & 1), (fields >> 1) & 3 == 1
        yield head + _exactly(file, 1 if repeats else fields >> 3)
    if zstandard.get_frame_parameters(header).has_checksum:
        yield _exactly(file, _CHECKSUM)
    if file.read(1):
        raise ValueError("there is data after its end")


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("it is cut off")
    return data


class _Forwards:
    """The unpacked bytes of a file, read and sought forwards only, and at most ``left`` of them.

    A block of four bytes can stand for 128 KiB. What the whole stream unpacks to is bounded by what was read of it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._pieces = _pieces(file)
        self._unpacker = require_zstd().ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        self._ready = bytearray()
        self._at = 0
        self._packed = self._unpacked = 0
        self._broken: Exception | None = None
        self.left = _HEADERS
        self.latest = b""

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        while self._at < position:
            if not self.read(min(CHUNK, position - self._at)):
                raise EOFError("it is cut off")
        if self._at > position:
            raise ValueError("it points back to an earlier offset")

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, and fewer only at the end. Once broken, the stream stays so."""
        if size > self.left:
            raise OverflowError("its headers are too large")
        while len(self._ready) < size and self._feed():
            pass
        self.latest = bytes(self._ready[:size])
        del self._ready[:size]
        self._at += len(self.latest)
        self.left -= len(self.latest)
        return self.latest

    def _feed(self) -> bool:
        """Unpack one more piece; return whether there was one."""
        if self._broken is not None:
            raise self._broken
        try:
            piece = next(self._pieces, None)
            if piece is not None:
                self._add(len(piece), self._unpacker.decompress(piece))
        except Exception as error:
            self._broken = error
            raise
        return piece is not None

    def _add(self, packed: int, data: bytes) -> None:
        self._packed += packed
        self._unpacked += len(data)
        if self._unpacked > EXPANSION_FREE + EXPANSION * self._packed:
            raise OverflowError(f"it unpacks to more than {EXPANSION:,} times its size")
        self._ready += data
