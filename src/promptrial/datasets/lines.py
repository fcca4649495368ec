"""Reading question files line by line: UTF-8 text. Streams; holds one line at a time."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from promptrial.datasets.place import Place, open_binary
from promptrial.datasets.separated import not_utf8

__all__ = ["text_lines"]


def text_lines(path: Path) -> Iterator[tuple[Place, str]]:
    """Yield every line with its newline, and its place. A byte-order mark at the start is dropped.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or a line is not UTF-8.
    """
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            place = Place(path, number)
            try:
                line = (raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw).decode()
            except UnicodeDecodeError as error:
                raise not_utf8(place, error) from error
            yield place, line
