"""The place of something in a question file, and the error that names the place. Opening the file lives here too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple

from promptrial.documents.files import open_regular
from promptrial.errors import DataError

__all__ = ["SEE_FORMATS", "Place", "empty_file", "open_binary", "shown"]

SEE_FORMATS: Final = "see docs/questions.md#formats"
"""The end of a hint about what a question file may be."""


_SHOWN: Final = 60


def shown(text: str) -> str:
    """Return a text as messages quote it, cut after 60 characters."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


class Place(NamedTuple):
    """A file, a line (from 1), and the entry that begins there where lines alone say too little.

    In Parquet, which has no lines, ``line`` is the row (from 1) and ``entry`` says so.
    """

    path: Path
    line: int
    entry: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:" + (f" {self.entry}:" if self.entry else "")

    def error(self, problem: str, *, hint: str | None = None) -> DataError:
        """Return the error to raise for something wrong here; ``hint`` says the fix, and which section says more."""
        return DataError(f"{self} {problem}", hint=hint)


def empty_file(path: Path) -> DataError:
    """Return the error for a file without content."""
    return Place(path, 1).error("the file is empty", hint=f"write the questions in it, one per row; {SEE_FORMATS}")


@contextmanager
def open_binary(path: Path) -> Iterator[BufferedReader]:
    """Open a question file for reading bytes.

    Raises
    ------
    DataError
        If it is missing, not a readable file, or has no bytes.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        raise Place(path, 1).error(
            f"cannot be read: {error.strerror}",
            hint=f"check `path` of the data set in the configuration; {SEE_FORMATS}",
        ) from error
    with file:
        if not file.peek(1):
            raise empty_file(path)
        yield file
