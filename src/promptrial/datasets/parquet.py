"""Reading question files in Parquet, batch by batch, each row typed. pyarrow is imported when a file is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import msgspec

from promptrial.datasets.place import SEE_FORMATS, Place, open_binary
from promptrial.datasets.type_words import in_words
from promptrial.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["parquet_rows", "parquet_values"]

T = TypeVar("T", bound=msgspec.Struct)
_BATCH: Final = 1024
_SEE_ENCODINGS: Final = "see docs/question_files.md#encodings"


def parquet_rows(path: Path, kind: type[T]) -> Iterator[tuple[Place, T]]:
    """Yield each row as ``kind``, whose fields name the columns to read; other columns are left on the disk.

    Raises
    ------
    DataError
        If the file is not Parquet, lacks a column that ``kind`` requires, or a row is not of that kind; the place
        gives the row, counted from 1.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = Place(path, 1)
    with open_binary(path):
        pass  # for its errors: missing, unreadable, empty
    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(place, kind, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
                for row in _values(place, batch):
                    yield place, _typed(place, row, kind)
                    place = Place(path, place.line + 1)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(place, error) from error


def parquet_values(path: Path, content: BinaryIO) -> Iterator[tuple[Place, dict[str, object]]]:
    """Yield each row with all its columns, as Python values.

    Parameters
    ----------
    path : Path
        What the file is called in errors.
    content : file
        The file itself, or its decompressed copy.

    Raises
    ------
    DataError
        If the file is not Parquet, or a text in it is not UTF-8.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    line = 1
    try:
        with pq.ParquetFile(content) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in _values(Place(path, line), batch):
                    yield Place(path, line, f"row {line}"), row
                    line += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _unreadable(Place(path, line), error) from error


def _unreadable(place: Place, error: Exception) -> DataError:
    return place.error(
        f"not readable as Parquet: {str(error).splitlines()[0]}",
        hint=f"download or write the file again; {SEE_FORMATS}",
    )


def _columns(place: Place, kind: type[T], present: list[str]) -> list[str]:
    fields = msgspec.structs.fields(kind)
    missing = [field.encode_name for field in fields if field.required and field.encode_name not in present]
    if missing:
        raise place.error(
            f"missing columns: {', '.join(missing)}; present: {', '.join(present)}",
            hint=f"correct `format`, or leave it out, and it is recognised; {SEE_FORMATS}",
        )
    return [field.encode_name for field in fields if field.encode_name in present]


def _values(first: Place, batch: pa.RecordBatch) -> list[dict[str, Any]]:
    from promptrial.datasets.arrow_values import plain_columns, with_fixes

    batch, fixes = plain_columns(batch)
    try:
        values: list[dict[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError:  # Arrow does not check text when it reads it; find the row
        for index in range(batch.num_rows):
            try:
                batch.slice(index, 1).to_pylist()
            except UnicodeDecodeError as error:
                place = Place(first.path, first.line + index, f"row {first.line + index}")
                raise place.error(
                    f"not UTF-8: {error.reason}",
                    hint=f"write the file again, with its texts in UTF-8; {_SEE_ENCODINGS}",
                ) from error
        raise
    with_fixes(values, fixes)
    return values


def _typed(place: Place, row: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise Place(place.path, place.line, f"row {place.line}").error(
            in_words(error), hint=f"correct the value, or `format` of the data set; {SEE_FORMATS}"
        ) from error
