"""JSON as other tools write it: with NaN and infinities, which Python writes and JSON does not have. They become null.

The tokens are replaced where they are between what may surround a number; inside a text the same letters may change
too, which no score is in.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Final

from promptrial.datasets.encodings import Content, overlapping
from promptrial.datasets.json_document import JsonDocument

__all__ = ["open_document", "without_nan"]

_CONSTANT: Final = re.compile(rb"(?<=[:\[,\s])(?:NaN|-?Infinity)(?=[,\]}\s])")
_BEGINS: Final = (b"NaN", b"Infinity")
_CHUNK: Final = 1 << 20


def without_nan(text: bytes) -> bytes:
    """Return a text with null for NaN and infinities; itself where it holds none.

    Examples
    --------
    >>> without_nan(b'{"a": NaN, "b": [-Infinity]}')
    b'{"a": null, "b": [null]}'
    """
    return _CONSTANT.sub(b"null", text) if any(each in text for each in _BEGINS) else text


@contextmanager
def open_document(content: Content) -> Iterator[JsonDocument]:
    """Open a file that is one JSON document, mapped into memory; see ``JsonDocument``.

    Side effects: a temporary copy, where the file is compressed or holds NaN.

    Raises
    ------
    DataError
        If it is not in UTF-8.
    """
    with content.seekable() as file:
        holds_nan = any(_CONSTANT.search(chunk) for chunk in overlapping(file))
        file.seek(0)
        if not holds_nan:
            yield JsonDocument(content.path, file)
            return
        with tempfile.TemporaryFile() as copy:
            _copy_without_nan(file, copy)
            yield JsonDocument(content.path, copy)


def _copy_without_nan(file: BinaryIO, copy: IO[bytes]) -> None:
    rest = b""
    while chunk := file.read(_CHUNK):
        head, comma, rest = (rest + chunk).rpartition(b",")
        copy.write(without_nan(head + comma))
    copy.write(without_nan(rest))
    copy.flush()
