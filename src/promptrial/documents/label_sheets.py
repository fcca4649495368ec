"""Sheets that people have labelled: reading one, and the record of those that the configuration of a run names.

What a label means for a run, and whether the answer is still the one that was labelled, is ``phases.labelled``'s.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.files import read_text
from promptrial.errors import DataError, UsageError

__all__ = [
    "COLUMNS",
    "LARGEST_CELL",
    "LabelRow",
    "LabelSheet",
    "decode",
    "digest",
    "encode",
    "json_schema",
    "read_rows",
    "read_sheet",
    "refuse",
]

SCHEMA_VERSION: Final = 1
COLUMNS: Final = (
    "item", "letter", "question", "passage", "accepted", "answer", "label", "probability", "measure", "id", "digest",
)  # fmt: skip
"""``label`` is for people to fill in; ``probability`` is that of the item to be in the sheet."""
_NEEDED: Final = ("label", "measure", "id", "digest")
_LARGEST: Final = 256 << 20
LARGEST_CELL: Final = 8 << 20
_MOST_NAMED: Final = 5
_MEND: Final = "draw a new sheet with promptrial label, or correct these rows"


class LabelRow(msgspec.Struct, frozen=True):
    """A row of a sheet: its line in the file, the id and the digest of the answer, and the label as it was written."""

    line: int
    id: str
    digest: str
    label: str


class LabelSheet(msgspec.Struct, frozen=True, kw_only=True):
    """What a sheet says: ``file`` as the user names it, who ``rater`` is, and the measure that it was drawn for."""

    file: str
    rater: str
    measure: str
    rows: tuple[LabelRow, ...]


class KeptLabels(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document: what a run knows of the sheets that its configuration names, one by one."""

    schema_version: Literal[1] = 1
    sheets: tuple[LabelSheet, ...]


def read_sheet(path: Path, rater: str = "", file: str = "") -> LabelSheet:
    """Read a sheet.

    Parameters
    ----------
    path : Path
    rater : str
        The name of the file without its ending, if not given.
    file : str
        What the user calls it; the path if not given.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is not a sheet; names file and line.
    """
    found = [(line, {name: cell.strip() for name, cell in cells.items()}) for line, cells in read_rows(path, _NEEDED)]
    if not found:
        raise DataError(f"{path}: no row below the first line", hint="keep the rows as promptrial label wrote them")
    measure = found[0][1]["measure"]
    rows = tuple(LabelRow(line, cells["id"], cells["digest"], cells["label"]) for line, cells in found)
    refuse(str(path), [*_other_measures(found, measure), *_twice(rows)], _MEND)
    return LabelSheet(file=file or str(path), rater=rater or path.stem, measure=measure, rows=rows)


def _other_measures(found: Iterable[tuple[int, dict[str, str]]], measure: str) -> Iterator[str]:
    for line, cells in found:
        if cells["measure"] != measure:
            yield f"line {line}: measure {cells['measure'][:40]!r}, expected {measure[:40]!r} as in the first row"


def read_rows(path: Path, needed: Sequence[str] = COLUMNS, *, only: bool = False) -> list[tuple[int, dict[str, str]]]:
    """Return the line and the needed cells of each row that is not empty; ``only`` refuses any other column.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is not a table with these columns.
    """
    try:
        text = read_text(path, _LARGEST)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text", hint="save the sheet as CSV in UTF-8") from error
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file", hint="name the sheet that was filled in") from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}", hint="name the sheet that was filled in"
        ) from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    before = csv.field_size_limit(LARGEST_CELL)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path}:1: no column {' and '.join(missing)}",
                            hint="keep the first line of the sheet as promptrial label wrote it")  # fmt: skip
        others = [name for name in reader.fieldnames or () if name not in needed]
        if only and others:
            raise DataError(f"{path}:1: unknown column {others[0][:40]!r}, which would be lost",
                            hint="keep further columns in another file")  # fmt: skip
        found = [(reader.line_num, {name: row[name] or "" for name in needed}) for row in reader]
        return [
            (line, row) for line, row in found if any(cell.strip() for cell in row.values())
        ]  # a spreadsheet may add empty rows
    except csv.Error as error:
        raise DataError(f"{path}: {error}", hint="save the sheet as CSV again") from error
    finally:
        csv.field_size_limit(before)


def _twice(rows: Sequence[LabelRow]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        if row.id in seen:
            found.append(f"line {row.line}: the answer of line {seen[row.id]} again")
        seen.setdefault(row.id, row.line)
    return found


def refuse(file: str, problems: Sequence[str], hint: str) -> None:
    """Raise an error that names the first of these problems; without any, do nothing.

    Raises
    ------
    DataError
    """
    if problems:
        more = len(problems) - _MOST_NAMED
        said = "; ".join(problems[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        raise DataError(f"{file}: {said}", hint=hint)


# --- the record of a run ----------------------------------------------------------------------------------------------


def digest(sheets: Sequence[LabelSheet]) -> str:
    """Return the SHA-256 of what sheets say; where they are kept makes no difference, nor do their lines."""
    said = [[each.rater, each.measure, sorted([row.id, row.digest, row.label] for row in each.rows)] for each in sheets]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def encode(sheets: Sequence[LabelSheet]) -> bytes:
    """Return the record of these sheets as JSON that ends in a newline; equal ones give equal bytes."""
    return schemas.encode(KeptLabels(sheets=tuple(sheets)))


def decode(data: bytes, where: str = "labels.json") -> tuple[LabelSheet, ...]:
    """Read a record back; ``where`` is how messages name it.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a record of this version.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, SCHEMA_VERSION, where)
    return msgspec.json.decode(data, type=KeptLabels).sheets


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the record, as published in ``docs/schemas``."""
    return schemas.json_schema(KeptLabels, f"promptrial labels.json, schema_version {SCHEMA_VERSION}")
