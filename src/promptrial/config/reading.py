"""Reading a text file that the user named: problems are errors that name it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from promptrial.config.yaml_text import MAX_BYTES
from promptrial.documents.files import read_text
from promptrial.errors import ConfigError

__all__ = ["near_files", "read_named"]

_LOOKED_AT: Final = 1000
"""How many names of a folder are looked at."""
_SHOWN: Final = 5


def read_named(path: Path, what: str) -> str:
    """Return the text of a file.

    Raises
    ------
    ConfigError
        If it does not exist, or is not UTF-8 text.
    """
    try:
        return read_text(path, MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: {what} file not found{near_files(path)}",
            hint="give the path of one, for example config/eval_config.yaml",
        ) from None
    except IsADirectoryError:
        raise ConfigError(
            f"{path}: cannot read this {what} file: it is a folder{_held(path)}", hint="name the file"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot read this {what} file: {error.strerror}") from error
    except ValueError as error:  # a name that holds NUL, or bytes that are not UTF-8
        raise ConfigError(f"{path}: cannot read this {what} file: {error}") from error


def near_files(path: Path) -> str:
    """Return the names in the folder of a missing file that are near its own, as a question; empty if none is."""
    close = difflib.get_close_matches(path.name, list(_names(path.parent)), n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _held(folder: Path) -> str:
    names = sorted(_names(folder))
    more = ", ..." if len(names) > _SHOWN else ""
    return f", which holds {', '.join(names[:_SHOWN])}{more}" if names else ", which holds no file"


def _names(folder: Path) -> Iterator[str]:
    """Yield the names of the files in a folder, hidden ones left out; none if it cannot be read."""
    with suppress(OSError):
        for path in islice(folder.iterdir(), _LOOKED_AT):
            if path.is_file() and not path.name.startswith("."):
                yield path.name
