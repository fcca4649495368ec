"""Reading a question file that is one JSON document, entry by entry, knowing on which line each entry begins.

JSON cannot be read as a stream, and the official files run to hundreds of megabytes, so the document is mapped into
memory and decoded from the outside in: each level's entries stay raw views of the mapping until they are asked for.
"""

from __future__ import annotations

import codecs
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from promptrial.datasets.json_errors import error_byte, json_error, too_deep
from promptrial.datasets.place import SEE_FORMATS, Place
from promptrial.datasets.type_words import in_words

__all__ = ["JsonDocument"]

T = TypeVar("T")
_CHUNK: Final = 1 << 20
_SHOWN: Final = 200
_COMPARE: Final = "correct it, or `format` of the data set, if the file is of another"


class JsonDocument:
    """One JSON document.

    Parameters
    ----------
    path : Path
        As messages name it.
    content : file
        A real file with the document.

    Raises
    ------
    DataError
        If it is not UTF-8; the line is that of the first bad byte.
    """

    def __init__(self, path: Path, content: BinaryIO) -> None:
        self._path = path
        # Never closed by hand: raw entries are views of it. It goes when the last of them does.
        self._bytes = mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ)
        self._offset = 0
        self._line = 1
        self._check_utf8()

    def root(self, kind: type[T]) -> T:
        """Decode the whole document, whose entries ``kind`` leaves as ``msgspec.Raw``.

        Raises
        ------
        DataError
            If it is not valid JSON (with the line of the error), or not of that kind.
        """
        start = len(codecs.BOM_UTF8) if self._bytes[:3] == codecs.BOM_UTF8 else 0
        try:
            return msgspec.json.decode(memoryview(self._bytes)[start:], type=kind)
        except msgspec.ValidationError as error:
            raise Place(self._path, 1).error(in_words(error), hint=f"{_COMPARE}; {SEE_FORMATS}") from error
        except RecursionError as error:
            raise too_deep(Place(self._path, 1)) from error
        except msgspec.DecodeError as error:
            at = error_byte(error)  # without a byte, the document ends too early
            offset = len(self._bytes) - 1 if at is None else start + at
            rest = self._bytes[max(0, offset - _SHOWN) if at is None else offset :][:_SHOWN]
            raise json_error(Place(self._path, self._line_of(offset)), error, rest) from error

    def check_root_keys(self, root: Mapping[str, msgspec.Raw]) -> None:
        """Refuse a document whose outermost object, decoded as ``root``, has a key twice.

        Raises
        ------
        DataError
            If there are more quotes than the keys and the values have.
        """
        inside = sum(_count(memoryview(raw), b'"') for raw in root.values())
        escaped = sum(msgspec.json.encode(key).count(b'"') for key in root)
        if _count(memoryview(self._bytes), b'"') > inside + escaped:
            raise Place(self._path, 1).error(
                f"a key of the top-level object occurs twice; its keys: {', '.join(map(repr, root))[:_SHOWN]}",
                hint="keep one of the two; see docs/question_files.md#json",
            )

    def entries(self, raws: Sequence[msgspec.Raw], kind: type[T], name: str) -> Iterator[tuple[Place, T]]:
        """Decode the entries of one list in turn. Lists must be walked in their order in the file.

        That they are valid JSON was checked with the root.

        Parameters
        ----------
        raws : sequence of Raw
        kind : type
        name : str
            What the list is called, for error messages: ``data[3].paragraphs``.

        Raises
        ------
        DataError
            If an entry is not of that kind.
        """
        decode = msgspec.json.Decoder(kind).decode
        for place, text in self.texts(raws, name):
            try:
                entry = decode(text)
            except msgspec.ValidationError as error:
                raise place.error(in_words(error), hint=f"{_COMPARE}; {SEE_FORMATS}") from error
            yield place, entry

    def texts(self, raws: Sequence[msgspec.Raw], name: str) -> Iterator[tuple[Place, bytes]]:
        """Yield the entries of one list as they are written; the arguments are those of ``entries``."""
        for index, raw in enumerate(raws):
            text = bytes(raw)
            if text.startswith(b"{"):  # anything shorter could be found too early, and is not a row
                self._advance(text)
            yield Place(self._path, self._line, f"{name}[{index}]"), text

    def _advance(self, text: bytes) -> None:
        """Move to where an entry begins: its exact bytes, next after the entry before or inside the one around it."""
        start = self._bytes.find(text, self._offset)
        self._line += self._bytes[self._offset : start].count(b"\n")
        self._offset = start + 1

    def _line_of(self, offset: int) -> int:
        return 1 + _count(memoryview(self._bytes)[:offset], b"\n")

    def _check_utf8(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        size = len(self._bytes)
        for begin in range(0, size, _CHUNK):
            end = min(begin + _CHUNK, size)
            try:
                decoder.decode(self._bytes[begin:end], final=end == size)
            except UnicodeDecodeError as error:
                offset = end - len(error.object) + error.start  # the decoder may hold bytes of the chunk before
                line = self._line_of(offset)
                raise Place(self._path, line).error(
                    f"not UTF-8: {error.reason} at byte {offset}",
                    hint="save the file as UTF-8, or write its own encoding as `encoding:`; "
                    "see docs/question_files.md#encodings",
                ) from error


def _count(view: memoryview, byte: bytes) -> int:
    return sum(bytes(view[begin : begin + _CHUNK]).count(byte) for begin in range(0, len(view), _CHUNK))
