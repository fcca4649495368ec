r"""A table written twice, row group by row group: Parquet for the program, CSV for people. Bounded memory.

In the CSV a cell that a spreadsheet would run as a formula is preceded by an apostrophe, a character that cannot be
printed is written as ``\uXXXX``, and a missing value is an empty cell. Parquet holds the exact values.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

from promptrial.documents.printable import FORMULA_STARTS, escaped_cell
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "Column",
    "HeldTable",
    "MadeRows",
    "StoredColumns",
    "TableWriter",
    "arrow_table",
    "codes_of",
    "column_names",
    "made_of",
    "read_batches",
    "read_columns",
    "table_of_columns",
    "values_of",
]

Column = tuple[str, Literal["text", "category", "int", "float"]]
BATCH_ROWS: Final = 16_384
_BATCH_CHARACTERS: Final = 1 << 25
"""How much text a row group may hold: rows with long texts make smaller ones, so that memory stays bounded."""
_CSV_BYTES: Final = 1 << 22
_PERHAPS_UNSAFE: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]"
_CONTROL: Final = bytes(code for code in range(128) if code not in b"\t\n" and (code < 32 or code == 127))
"""Those of these that are ASCII."""


def arrow_table(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as a table in memory, as ``TableWriter`` writes them; None and NaN are missing values."""
    return _table(_schema_of(columns), rows)


def _schema_of(columns: Sequence[Column]) -> pa.Schema:
    import pyarrow as pa

    kinds = {"text": pa.string(), "category": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return pa.schema([pa.field(name, kinds[kind]) for name, kind in columns])


def _table(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.Table:
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [
        pa.array(values, type=field.type, from_pandas=True) for values, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


class MadeRows(NamedTuple):
    """Rows that are ready to be written: as a table, as lines of CSV, and how long the texts of each are.

    ``characters`` is None where texts are short.
    """

    table: pa.Table
    csv: bytes
    characters: array[int] | None


def made_of(table: pa.Table, characters: array[int] | None = None) -> MadeRows:
    """Return a table in memory as ``TableWriter.append_made`` takes it."""
    return MadeRows(table, b"".join(_csv_blocks(table)), characters)


def table_of_columns(columns: Sequence[Column], values: Sequence[Any]) -> pa.Table:
    """Return columns as a table in memory: each a list, in which None and NaN are missing values, or an Arrow array."""
    import pyarrow as pa

    schema = _schema_of(columns)
    arrays = [
        each if isinstance(each, pa.Array) else pa.array(each, type=field.type, from_pandas=True)
        for each, field in zip(values, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


class HeldTable:
    """A table in memory, in place of one on disk."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows: list[Sequence[Any]] = []
        self._tables: list[pa.Table] = []
        self._characters = array("q")

    def append(self, row: Sequence[Any], characters: int = 0) -> None:
        """Add one row, as ``TableWriter.append`` does."""
        self._rows.append(row)
        self._characters.append(characters)

    def append_table(self, table: pa.Table, characters: array[int]) -> None:
        """Add rows, as ``TableWriter.append_table`` does."""
        self._tables += [arrow_table(self._columns, self._rows), table]
        self._rows.clear()
        self._characters.extend(characters)

    def table(self) -> pa.Table:
        """Return the table."""
        import pyarrow as pa

        return pa.concat_tables([*self._tables, arrow_table(self._columns, self._rows)])

    def made(self) -> MadeRows:
        """Return the rows as ``TableWriter.append_made`` takes them."""
        return made_of(self.table(), self._characters)


class TableWriter:
    """Writes ``<stem>.parquet`` and ``<stem>.csv``; both appear whole when the ``with`` block ends without an error.

    Parameters
    ----------
    stem : Path
        Path without the suffix.
    columns : sequence of (name, kind)
        ``category`` is text with few distinct values. Every column may hold None, and a float NaN counts as None.
    """

    def __init__(self, stem: Path, columns: Sequence[Column]) -> None:
        import pyarrow.parquet as pq

        self.paths = (stem.with_name(stem.name + ".parquet"), stem.with_name(stem.name + ".csv"))
        self.rows = 0
        self._schema = _schema_of(columns)
        self._pending: list[Sequence[Any]] = []
        self._characters = 0
        self._tables: list[pa.Table] = []
        self._in_tables = 0
        self._stack = ExitStack()
        self._files = tuple(self._stack.enter_context(AtomicFile(path)) for path in self.paths)
        self._parquet = pq.ParquetWriter(
            self._files[0],
            self._schema,
            compression="snappy",
            use_dictionary=[name for name, kind in columns if kind == "category"],
        )
        self._stack.push(self._close_parquet)
        self._files[1].write((",".join(name for name, _ in columns) + "\n").encode())

    def append(self, row: Sequence[Any], characters: int = 0) -> None:
        """Add one row, its values in the order of the columns.

        ``characters`` is the length of its texts, where they may be long.
        """
        self._pending.append(row)
        self._characters += characters
        self._flush_if_full()

    def append_table(self, table: pa.Table, characters: array[int] | None = None) -> None:
        """Add the rows of a table with the columns of this one; ``characters`` are the lengths of the texts of each."""
        self._lay_out()
        for lines in _csv_blocks(table):
            self._files[1].write(lines)
        self._append(table, characters)

    def append_made(self, made: MadeRows) -> None:
        """Add rows that another process has made."""
        self._lay_out()
        self._files[1].write(made.csv)
        self._append(made.table, made.characters)

    def _append(self, table: pa.Table, characters: array[int] | None) -> None:
        """Add rows whose lines of CSV are written, and end row groups where ``append`` would."""
        import numpy as np

        lengths = np.zeros(len(table), np.int64) if characters is None else np.frombuffer(characters, dtype=np.int64)
        lengths = np.cumsum(lengths)
        start = before = 0
        while start < len(lengths):
            full = int(np.searchsorted(lengths, _BATCH_CHARACTERS - self._characters + before))
            stop = min(start + BATCH_ROWS - self._in_tables, full + 1, len(lengths))
            self._tables.append(table.slice(start, stop - start))
            self._in_tables += stop - start
            self._characters += int(lengths[stop - 1]) - before
            start, before = stop, int(lengths[stop - 1])
            self._flush_if_full()

    def records(self) -> dict[Path, FileRecord]:
        """Return the records of both files, once the block has ended."""
        return {
            path: FileRecord(file.sha256(), file.size, self.rows)
            for path, file in zip(self.paths, self._files, strict=True)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
        except BaseException as inner:
            self._stack.__exit__(type(inner), inner, inner.__traceback__)
            raise
        self._stack.__exit__(kind, error, trace)

    def _close_parquet(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the Parquet file; after an error too, or its destructor would write to a file that is gone."""
        with suppress(*([Exception] if kind is not None else [])):
            self._parquet.close()

    def _flush_if_full(self) -> None:
        if len(self._pending) + self._in_tables >= BATCH_ROWS or self._characters >= _BATCH_CHARACTERS:
            self._flush()

    def _lay_out(self) -> None:
        """Make a table of the rows that were added one by one, and write them as CSV."""
        if self._pending:
            table = _table(self._schema, self._pending)
            self._pending.clear()  # its texts are in the table
            for lines in _csv_blocks(table):
                self._files[1].write(lines)
            self._tables.append(table)
            self._in_tables += len(table)

    def _flush(self) -> None:
        """Write a row group."""
        import pyarrow as pa

        self._lay_out()
        if not self._tables:
            return
        self.rows += self._in_tables
        self._parquet.write_table(pa.concat_tables(self._tables).combine_chunks())
        self._tables.clear()
        self._in_tables = self._characters = 0


def _csv_blocks(table: pa.Table) -> Iterator[bytes]:
    """Yield a table as lines of CSV, so many rows at a time that little of it is in memory once more."""
    rows = min(BATCH_ROWS, len(table) * _CSV_BYTES // (table.nbytes or 1)) or 1
    for start in range(0, len(table), rows):
        yield _csv_lines(table.slice(start, rows))


def _csv_lines(table: pa.Table) -> bytes:
    """Return a table as lines of CSV without a header: text quoted, missing values empty, nothing that is obeyed."""
    import pyarrow as pa

    guarded = [_guarded(column) for column in table.columns]
    lines = _quoted(pa.Table.from_arrays(guarded, schema=table.schema))
    if lines.isascii() and len(lines.translate(None, _CONTROL)) == len(lines):  # one look at all cells
        return lines
    printable = [_printable(column) for column in guarded]
    if all(one is other for one, other in zip(printable, guarded, strict=True)):
        return lines
    return _quoted(pa.Table.from_arrays(printable, schema=table.schema))


def _quoted(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    sink = pa.BufferOutputStream()
    pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))
    lines: bytes = sink.getvalue().to_pybytes()
    return lines


def _guarded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type):
        return column
    risky = pc.is_in(pc.utf8_slice_codeunits(column, 0, 1), value_set=pa.array(FORMULA_STARTS))
    if not pc.any(risky).as_py():
        return column
    return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


def _printable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type) or not pc.any(pc.match_substring_regex(column, _PERHAPS_UNSAFE)).as_py():
        return column
    texts = (None if text is None else escaped_cell(text) for text in column.to_pylist())
    return pa.chunked_array([pa.array(texts, type=column.type)])


def column_names(path: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet file, in their order."""
    import pyarrow.parquet as pq

    return tuple(pq.read_schema(path, memory_map=False).names)


def read_columns(path: Path, columns: Sequence[str], categories: Sequence[str] = ()) -> pa.Table:
    """Return columns of a Parquet file, whole; ``categories`` are those of text with few distinct values.

    These come as codes with a dictionary, which takes a fraction of the time and the memory.
    """
    with _opened(path, categories) as file:
        return file.read(columns=[*columns])


class StoredColumns:
    """A Parquet file that is read with one column at a time in memory; it has what a table has to read columns.

    All columns are of the file that was there at first, also if another has taken its place.

    Parameters
    ----------
    path : Path
    categories : sequence of str
        As for ``read_columns``.
    """

    def __init__(self, path: Path, categories: Sequence[str] = ()) -> None:
        self._file = _opened(path, categories)
        self.column_names: Sequence[str] = self._file.schema_arrow.names

    def column(self, name: str) -> pa.ChunkedArray:
        """Read a column."""
        return self._file.read(columns=[name]).column(name)


def _opened(path: Path, categories: Sequence[str]) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, read_dictionary=[*categories], memory_map=False)  # read_table loads much more


def values_of(column: pa.ChunkedArray) -> pa.Array:
    """Return the values of a column, each once, in the order in which they first occur."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return pc.unique(column)
    texts = [chunk.dictionary.take(pc.unique(chunk.indices)) for chunk in column.chunks]
    return pc.unique(pa.chunked_array(texts, column.type.value_type))


def codes_of(column: pa.ChunkedArray, known: pa.Array) -> npt.NDArray[np.int64]:
    """Return the place of each value of a column among some known values; -1 for one that is not among them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    def places(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
        return np.asarray(pc.fill_null(pc.index_in(values, known), -1).to_numpy(zero_copy_only=False), dtype=np.int64)

    if not pa.types.is_dictionary(column.type):
        return places(column.combine_chunks())
    parts = [places(chunk.dictionary)[chunk.indices.to_numpy()] for chunk in column.chunks]
    return np.concatenate(parts or [np.zeros(0, dtype=np.int64)])


def read_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the row groups of a Parquet file, at most ``BATCH_ROWS`` rows each."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=False) as file:
        yield from file.iter_batches(BATCH_ROWS, columns=list(columns) if columns else None)
