"""The first rows of a question file, from its first megabyte alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from promptrial.datasets.encodings import HEAD
from promptrial.datasets.json_objects import is_list_of_objects, is_usual, unwrapped
from promptrial.datasets.table import Table, open_table

__all__ = ["ROWS", "Head", "read_head"]

ROWS: Final = 100
"""How many rows are looked at to recognise what a file holds."""

_BLANK: Final = " \t\r\n"
_LOOK: Final = 1024


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a question file.

    Attributes
    ----------
    table : Table
        What kind of rows the file holds.
    rows : tuple of dict
        At most ``ROWS``, at least one.
    """

    table: Table
    rows: tuple[dict[str, Any], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, in the order in which they come up."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


def read_head(
    path: Path, encoding: str | None = None, names: Collection[str] = frozenset(), sheet: str | None = None
) -> Head:
    """Return the first rows of a file. The arguments are those of ``open_table``.

    Raises
    ------
    DataError
        As ``open_table``; for a row of the head that cannot be read; if there is no row, or the first is larger than a
        megabyte of a JSON document.
    """
    table = open_table(path, encoding, names, sheet)
    head, rows = table.content.head, list[dict[str, Any]]()
    if table.kind in {"list", "object"} and len(head) >= HEAD:
        rows = [unwrapped(row) for row in _json_rows(head.decode(errors="ignore"))]
    return Head(table, tuple(rows or [row for _, row in islice(table.rows(), ROWS)]))


def _json_rows(text: str) -> list[dict[str, Any]]:
    """Return the whole objects at the beginning of a JSON document that is cut: of its list, or the one it holds."""
    try:
        at = _list_start(text)
        return [] if at is None else list(islice(_objects(text, at), ROWS))
    except (ValueError, IndexError, RecursionError):
        return []


def _list_start(text: str) -> int | None:
    """Return where the entries of a document's list of objects begin; None if its beginning does not tell which."""
    decoder, at = json.JSONDecoder(), _skip(text, 0)
    if text[at] == "[":
        return at + 1
    at += 1
    while text[at := _skip(text, at, ",")] == '"':
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at, ":")
        if is_usual(key) and is_list_of_objects(text[at : at + _LOOK].encode()):
            return at + 1
        _, at = decoder.raw_decode(text, at)
    return None


def _objects(text: str, at: int) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    while text[at := _skip(text, at, ",")] == "{":
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return
        yield value


def _skip(text: str, at: int, also: str = "") -> int:
    while text[at] in _BLANK + also:
        at += 1
    return at
