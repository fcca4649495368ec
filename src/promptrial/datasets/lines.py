"""Reading question files line by line, decompressed and in any encoding. Streams; holds one line at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from promptrial.datasets.encodings import open_content
from promptrial.datasets.place import Place
from promptrial.datasets.separated import not_utf8

__all__ = ["text_lines"]


def text_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[Place, str]]:
    """Yield every line with its newline, and its place. A byte-order mark at the start is dropped.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        The encoding of the text; without it, UTF-8, or UTF-16 with a byte-order mark.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or holds what is no text in this encoding.
    """
    with open_content(path, encoding).open(lines=True) as file:
        for number, raw in enumerate(file, start=1):
            place = Place(path, number)
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                raise not_utf8(place, error) from error
            yield place, line
