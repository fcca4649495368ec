"""The answers of sealed parts, found by their requests: an index of 32 bytes a row, whatever the rows hold.

A request is found by the first eight bytes of the SHA-256 of its line, and then compared byte by byte: nothing but
exactly the same request, its id included, is taken for it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final, Self

from promptrial.documents.files import open_regular
from promptrial.phases.lending import LentPart
from promptrial.providers.request_rows import row_id

__all__ = ["StoredRows"]

_CHUNK: Final = 4096
_OPEN_PARTS: Final = 16
"""How many parts are kept open: rows that were cut otherwise lie in several."""


class StoredRows:
    """The answers of parts. Building it reads all of their requests and answers once.

    Parameters
    ----------
    parts : sequence of LentPart
        Where several have an answer to the same request, that of the first is taken.

    Raises
    ------
    CorruptRecordError
        If a file of a part is not as it was sealed.
    """

    def __init__(self, parts: Sequence[LentPart]) -> None:
        import numpy as np

        self.parts = parts
        columns = [array("Q") for _ in range(4)]
        for number, part in enumerate(parts):
            part.require_whole()
            for key, request, result in _places(part):
                for column, value in zip(columns, (key, number, request, result), strict=True):
                    column.append(value)
        keys, *rest = (np.array(column, dtype=np.uint64) for column in columns)
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._numbers, self._requests, self._results = (column[order] for column in rest)

    def __len__(self) -> int:
        """Return how many requests have an answer."""
        return len(self._keys)

    def found(self, lines: Iterable[bytes], is_complete: Callable[[bytes], bool]) -> Iterator[tuple[LentPart, bytes]]:
        """Yield the answers to requests, in their order, each with the part that it is in.

        Parameters
        ----------
        lines : iterable of bytes
            Requests as they are in a request file, without the line break.
        is_complete : callable
            Whether a row may be taken.
        """
        import numpy as np

        rest = iter(lines)
        with _Files([path for part in self.parts for path in (part.requests_path, part.results_path)]) as files:
            while chunk := list(islice(rest, _CHUNK)):
                wanted = np.fromiter(map(_key, chunk), np.uint64, len(chunk))
                first = np.searchsorted(self._keys, wanted, "left")
                last = np.searchsorted(self._keys, wanted, "right")
                for at in np.flatnonzero(first < last):
                    candidates = (self._read(files, place, chunk[at]) for place in range(first[at], last[at]))
                    row = next((each for each in candidates if each is not None and is_complete(each[1])), None)
                    if row is not None:
                        yield row

    def _read(self, files: _Files, place: int, wanted: bytes) -> tuple[LentPart, bytes] | None:
        number = int(self._numbers[place])
        if files.line(2 * number, int(self._requests[place])) != wanted:
            return None
        row = files.line(2 * number + 1, int(self._results[place]))
        return (self.parts[number], row) if row_id(row) == row_id(wanted) else None


def _key(line: bytes) -> int:
    return int.from_bytes(hashlib.sha256(line).digest()[:8])


def _places(part: LentPart) -> Iterator[tuple[int, int, int]]:
    """Yield, for each request of a part that has one answer, its key, and where both begin in their files."""
    answers = _answers(part.results_path)
    for start, line in _lines(part.requests_path):
        place = answers.get(row_id(line))
        if place is not None:
            yield _key(line), start, place


def _answers(path: Path) -> dict[str, int]:
    """Return where the answer to each request begins; of two that differ, nobody can tell which is the answer."""
    found: dict[str, tuple[int, bytes]] = {}
    conflicts = set()
    for start, line in _lines(path):
        try:
            wire_id = row_id(line)
        except ValueError:  # garbled, and so no answer
            continue
        digest = hashlib.sha256(line).digest()[:8]
        if found.setdefault(wire_id, (start, digest))[1] != digest:
            conflicts.add(wire_id)
    return {wire_id: start for wire_id, (start, _) in found.items() if wire_id not in conflicts}


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield where each line of a file begins, and the line."""
    start = 0
    with open_regular(path, follow_links=False) as file:
        for line in file:
            yield start, line.rstrip(b"\r\n")
            start += len(line)


class _Files:
    """Files that are read here and there, by their numbers; those that were not read for long are closed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._open: dict[int, IO[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()

    def line(self, number: int, start: int) -> bytes:
        """Return the line that begins at a place, without its line break."""
        file = self._open.pop(number, None) or open_regular(self._paths[number], follow_links=False)
        self._open[number] = file  # as the one that was read last
        if len(self._open) > 2 * _OPEN_PARTS:
            self._open.pop(next(iter(self._open))).close()
        file.seek(start)
        return file.readline().rstrip(b"\r\n")
