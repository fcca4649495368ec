"""Which files are read: the arguments of the command line, the files of a folder, and the format of each."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NamedTuple

from promptrial import registry
from promptrial.comparison.elsewhere.rows import SEE, Columns, Opened, ReadingNotes, ResultFile, ResultFormat
from promptrial.datasets.encodings import open_content
from promptrial.documents.files import open_regular
from promptrial.errors import DataError, UsageError

__all__ = ["Source", "digest_of", "sources"]

_MOST_FILES: Final = 10_000
_NAMED: Final = re.compile(r"([^=/\\]{1,200})=(.+)", re.DOTALL)
_CHUNK: Final = 1 << 20


class Source(NamedTuple):
    """A file, opened, and the format that it is read in."""

    opened: Opened
    format: ResultFormat


def sources(arguments: Sequence[str], columns: Columns, named_format: str | None, notes: ReadingNotes) -> list[Source]:
    """Return every file that is to be read, in the order of the arguments and, within a folder, of names.

    An argument is a file or a folder, and ``NAME=FILE`` gives it an arm. In a folder only files whose names a format
    knows are read, a link is not followed, and tables only where there is nothing else.

    Raises
    ------
    UsageError
        If an argument does not exist, or holds nothing that can be read.
    DataError
        If a file cannot be read.
    """
    formats = _formats(named_format)
    listed = [each for text in arguments for each in _files(text, formats, notes)]
    if len(listed) > _MOST_FILES:
        raise UsageError(
            f"{len(listed):,} files are too many; at most {_MOST_FILES:,} are read", hint="name a subfolder"
        )
    alone = len(listed) == 1
    found: list[Source] = []
    for file, is_asked in listed:
        opened = _open(ResultFile(file.path, file.argument, file.named, alone), columns)
        fitting = next((each for each in formats if named_format or each.recognises(opened)), None)
        if fitting is not None and (is_asked or _is_wanted(fitting, file.path)):
            found.append(Source(opened, fitting))
        elif is_asked:
            raise UsageError(f"{file.path}: a file of no known format", hint=f"say which with --format; {SEE}")
        else:
            notes.counts["files in folders that are no results, passed over"] += 1
    if not found:
        raise UsageError(f"{', '.join(arguments)}: no file of results is there", hint=f"name the files; {SEE}")
    return _without_tables(found, listed, notes)


def digest_of(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the size of a file."""
    digest, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _formats(named: str | None) -> list[ResultFormat]:
    return [registry.load("result format", name) for name in ([named] if named else registry.RESULTS)]


def _files(text: str, formats: Iterable[ResultFormat], notes: ReadingNotes) -> Iterator[tuple[ResultFile, bool]]:
    """Yield the files of an argument, and whether each was named itself."""
    name, path = _split(text)
    if path.is_dir():
        patterns = [pattern for each in formats for pattern in each.patterns]
        for found in _walk(path, patterns, notes):
            yield ResultFile(found, path, name), False
    elif path.exists():
        yield ResultFile(path, path, name), True
    else:
        raise UsageError(f"{path}: there is no such file or folder", hint=_near_file(path))


def _split(text: str) -> tuple[str, Path]:
    """Return the arm that ``NAME=FILE`` gives, and the file; a file whose own name holds a sign is one."""
    found = _NAMED.fullmatch(text)
    if found is None or os.path.lexists(text):
        return "", Path(text)
    return found[1].strip(), Path(found[2])


def _near_file(path: Path) -> str:
    beside = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
    near = registry.near_misses(path.name, beside).partition("; known:")[0].removeprefix("; ")
    return f"{near or 'check the path'}; {SEE}"


def _walk(folder: Path, patterns: Sequence[str], notes: ReadingNotes) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if not any(fnmatch(name, pattern) for pattern in patterns):
                continue
            if path.is_symlink():
                notes.counts["links in folders, not followed"] += 1
            else:
                yield path


def _is_wanted(fitting: ResultFormat, path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in fitting.patterns)


def _open(file: ResultFile, columns: Columns) -> Opened:
    try:
        return Opened(file, open_content(file.path), columns)
    except DataError as error:
        raise DataError(error.message, hint=f"check the file; {SEE}") from error


def _without_tables(
    found: list[Source], listed: Sequence[tuple[ResultFile, bool]], notes: ReadingNotes
) -> list[Source]:
    """Return the files without the tables that merely lie in a folder beside logs of a tool."""
    named = {file.path for file, is_asked in listed if is_asked}
    if all(each.format.name == "table" for each in found):
        return found
    kept = [each for each in found if each.format.name != "table" or each.opened.file.path in named]
    left = len(found) - len(kept)
    if left:
        notes.counts["tables in folders beside logs, passed over"] += left
    return kept
