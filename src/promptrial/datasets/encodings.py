"""Opening a question file as a stream of bytes: decompressed, and text always as UTF-8. Not what the bytes mean.

Compression is recognised by the first bytes, whatever the file is called. Nothing here holds more than a few megabytes
of a file in memory, however large it becomes: what must be read as a whole goes to a temporary file of bounded size.
"""

from __future__ import annotations

import codecs
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

from promptrial.datasets.place import Place, empty_file, open_binary
from promptrial.documents.codecs import text_codec
from promptrial.errors import DataError

__all__ = ["HEAD", "Content", "open_content", "overlapping"]

HEAD: Final = 1 << 20
"""How many bytes are looked at to recognise what a file holds."""

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 64
_MOST_SPOOLED: Final = 4 << 30
_MOST_LINE: Final = 256 << 20
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_BINARY: Final = ((b"PAR1", "parquet"), (b"PK\x03\x04", "zip"))
_REFUSED: Final = (
    (codecs.BOM_UTF32_LE, "text in UTF-32", "write `encoding: utf-32`, or save the file as UTF-8"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file (.xls)", "save it as .xlsx or as CSV (UTF-8)"),
    (b"BZh", "compressed with bzip2", "decompress it, or compress it with gzip or Zstandard"),
    (b"\xfd7zXZ\0", "compressed with xz", "decompress it, or compress it with gzip or Zstandard"),
    (b"\x1f\x8b", "compressed twice", "decompress it once"),
    (b"\x28\xb5\x2f\xfd", "compressed twice", "decompress it once"),
    (b"%PDF-", "a PDF document", "give a table of questions: CSV, JSONL, JSON, Parquet or XLSX"),
    (b"SQLite format 3\0", "an SQLite database", "export the table of questions as CSV"),
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself",
        "run `git lfs pull` where the file comes from",
    ),
    (b"<!DOCTYPE html", "a web page", "download the file itself, not the page that shows it"),
    (b"<!doctype html", "a web page", "download the file itself, not the page that shows it"),
    (b"<html", "a web page", "download the file itself, not the page that shows it"),
)
_SEE: Final = "see docs/question_files.md#encodings"


@dataclass(frozen=True, slots=True)
class Content:
    """What a question file holds once it is decompressed.

    Attributes
    ----------
    path : Path
    compression : {"", "gzip", "zstd"}
    binary : {"", "parquet", "zip"}
        Empty for text.
    codec : str
        The encoding of the text in the file; ``utf-8`` for binary content, where it means nothing.
    head : bytes
        The first bytes, decompressed; of text, as UTF-8 without a byte-order mark. At most ``HEAD``, and text beyond
        what is not in the encoding is left out; reading the whole file then finds the error.
    """

    path: Path
    compression: str
    binary: str
    codec: str
    head: bytes

    @property
    def words(self) -> tuple[str, ...]:
        """What there is to say to people about the bytes: encoding and compression, unless plain UTF-8."""
        encoding = () if self.binary or self.codec == "utf-8" else (_ENCODING_WORDS.get(self.codec, self.codec),)
        return (*encoding, *((_COMPRESSION_WORDS[self.compression],) if self.compression else ()))

    @contextmanager
    def open(self, *, lines: bool = False) -> Iterator[io.BufferedReader]:
        """Open the content for reading once, from front to back.

        Parameters
        ----------
        lines : bool
            True for text that is read line by line: a line too long to hold is then an error before it is held.

        Raises
        ------
        DataError
            On opening as ``open_binary``; while reading, for damaged compressed data and, in other encodings than
            UTF-8, text that is not in the encoding.
        """
        with _decompressed(self.path, self.compression) as file:
            bounded = lines and bool(self.compression)
            if not self.binary and self.codec != "utf-8":
                chunks = _transcoded(self.path, file, self.codec)
            elif bounded:
                chunks = iter(lambda: file.read(_CHUNK), b"")
            else:
                _skip_mark(file, self.binary)
                yield file
                return
            stream = _buffered(_checked_lines(self.path, chunks) if lines else chunks)
            _skip_mark(stream, self.binary)
            yield stream

    @contextmanager
    def seekable(self) -> Iterator[BinaryIO]:
        """Open the content as a real file: the file itself where it is plain, else a temporary copy.

        Raises
        ------
        DataError
            As ``open``, and if it is larger than 4 GiB once decompressed.
        """
        if not self.compression and (self.binary or self.codec == "utf-8"):
            with open_binary(self.path) as file:
                yield file
            return
        with tempfile.TemporaryFile() as copy, self.open() as stream:
            size = 0
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > _MOST_SPOOLED:
                    raise Place(self.path, 1).error(
                        "holds more than 4 GiB once decompressed",
                        hint="save it as CSV or JSONL, which are read row by row; see docs/questions.md#formats",
                    )
                copy.write(chunk)
            copy.seek(0)
            if not size:
                raise empty_file(self.path)
            yield copy


_ENCODING_WORDS: Final = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32"}
_COMPRESSION_WORDS: Final = {"gzip": "gzip", "zstd": "Zstandard"}
_COMPRESSED: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


def open_content(path: Path, encoding: str | None = None) -> Content:
    """Look at the first bytes of a file: what they are compressed with, and whether they are text.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        The encoding that the configuration gives; without it, UTF-8, or UTF-16 with a byte-order mark.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, is of a kind that is known and not read, or is no text in UTF-8 though no
        encoding is given; for an encoding that is not known, or that is given for a file without text.
    """
    place = Place(path, 1)
    with open_binary(path) as file:
        compression = _first(_COMPRESSED, file.peek(8))
    with _decompressed(path, compression) as file:
        head = file.read(HEAD)
    if not head:
        raise empty_file(path)
    binary = _first(_BINARY, head)
    if encoding is None:
        _refuse_known(place, head)
        codec = _first(_BOMS, head) or "utf-8"
    else:
        codec = _configured(place, encoding, binary)
    content = Content(path, compression, binary, codec, head)
    if binary:
        return content
    if encoding is None and codec == "utf-8" and b"\0" in head[:4]:
        raise place.error(
            "not text in UTF-8: it holds zero bytes, as in binary data or UTF-16 without a byte-order mark",
            hint=f"if it is text, write `encoding: utf-16-le` in its section of `datasets`; {_SEE}",
        )
    return Content(path, compression, binary, codec, _text_head(path, head, codec))


def _first(table: tuple[tuple[bytes, str], ...], head: bytes) -> str:
    return next((name for magic, name in table if head.startswith(magic)), "")


def _refuse_known(place: Place, head: bytes) -> None:
    for magic, what, fix in _REFUSED:
        if head.startswith(magic):
            raise place.error(f"this is {what}", hint=f"{fix}; see docs/questions.md#formats")


def _configured(place: Place, encoding: str, binary: str) -> str:
    if binary:
        raise place.error(
            f"`encoding: {encoding}` is given, but the file is not text", hint=f"remove `encoding`; {_SEE}"
        )
    try:
        codec = text_codec(encoding)
    except ValueError as error:
        raise place.error(str(error), hint=_SEE) from error
    return "utf-8" if codec == "utf-8-sig" else codec


def _text_head(path: Path, head: bytes, codec: str) -> bytes:
    """Return the head as UTF-8. What is wrong further down is reported when it is read, with its line."""
    if codec == "utf-8":
        return head.removeprefix(codecs.BOM_UTF8)
    text = b""
    try:
        for chunk in _transcoded(path, io.BytesIO(head), codec, size=4096):
            text += chunk
    except DataError:
        if not text:
            raise
    return text.removeprefix(codecs.BOM_UTF8)


def _skip_mark(file: io.BufferedReader, binary: str) -> None:
    """Move after a byte-order mark of UTF-8 at the start."""
    if not binary and file.peek(3)[:3] == codecs.BOM_UTF8:
        file.read(3)


@contextmanager
def _decompressed(path: Path, compression: str) -> Iterator[io.BufferedReader]:
    with open_binary(path) as file:
        if not compression:
            yield file
        elif compression == "gzip":
            with gzip.GzipFile(fileobj=file) as inner:
                yield _buffered(_readable(path, inner, compression))
        else:
            import pyarrow as pa  # reads Zstandard as well as Parquet, so that no other package is needed

            with pa.CompressedInputStream(pa.PythonFile(file), "zstd") as inner:
                yield _buffered(_readable(path, inner, compression))


def _readable(path: Path, file: BinaryIO | gzip.GzipFile, compression: str) -> Iterator[bytes]:
    """Yield decompressed chunks, each of bounded size; damage becomes an error with the file's name."""
    try:
        while chunk := file.read(_CHUNK):
            yield chunk
    except (OSError, EOFError, zlib.error, ValueError) as error:  # Arrow's errors are OSError and ValueError
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Place(path, 1).error(
            f"the {_COMPRESSION_WORDS[compression]} data are damaged or incomplete: {problem}",
            hint="download or copy the file again; see docs/question_files.md#compression",
        ) from error


def overlapping(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file in chunks, each with the end of the one before, so that a short text is found."""
    end = b""
    while chunk := file.read(_CHUNK):
        yield end + chunk
        end = chunk[-_OVERLAP:]


def _transcoded(path: Path, file: BinaryIO, codec: str, size: int = _CHUNK) -> Iterator[bytes]:
    """Yield the text as UTF-8; an error names the line."""
    decoder = codecs.getincrementaldecoder(codec)()
    line, more = 1, True
    while more:
        raw, state = file.read(size), decoder.getstate()
        more = bool(raw)
        try:
            text = decoder.decode(raw, final=not more)
        except UnicodeError as error:
            good = raw[: max(0, getattr(error, "start", 0) - len(state[0]))]
            decoder.setstate(state)
            with suppress(UnicodeError):  # the file may be wrong from its first byte on
                line += decoder.decode(good).count("\n")
            reason = getattr(error, "reason", str(error))
            if reason.endswith("tream does not start with BOM"):  # Python 3.13 says it in other words than 3.12
                reason = "it does not start with a byte-order mark"
            raise Place(path, line).error(
                f"not {_ENCODING_WORDS.get(codec, codec)}: {reason}",
                hint=f"save the file as UTF-8, or write its own encoding as `encoding:`; {_SEE}",
            ) from error
        line += text.count("\n")
        if text:
            yield text.encode(errors="surrogatepass")


def _checked_lines(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass chunks on as long as no line becomes too long to hold."""
    length, line = 0, 1
    for chunk in chunks:
        end = chunk.rfind(b"\n")
        length = length + len(chunk) if end < 0 else len(chunk) - end - 1
        line += chunk.count(b"\n")
        if length > _MOST_LINE:
            raise Place(path, line).error(
                f"a line of more than {_MOST_LINE >> 20} MiB",
                hint="check that the file is a table of questions; see docs/questions.md#formats",
            )
        yield chunk


class _Stream(io.RawIOBase):
    """Chunks of bytes, as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # Python's own stubs are wider
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n


def _buffered(chunks: Iterator[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Stream(chunks), _CHUNK)
