"""A table written twice, row group by row group: Parquet for the program, CSV for people. Bounded memory.

In the CSV a cell that a spreadsheet would run as a formula is preceded by an apostrophe, and a missing value is an
empty cell. Parquet holds the exact values.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "TableWriter", "read_batches"]

Column = tuple[str, Literal["text", "category", "int", "float"]]
BATCH_ROWS: Final = 16_384
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


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
        import pyarrow as pa  # noqa: PLC0415 - 0.1 s, and most commands need no table
        import pyarrow.parquet as pq  # noqa: PLC0415

        kinds = {"text": pa.string(), "category": pa.string(), "int": pa.int64(), "float": pa.float64()}
        self.paths = (stem.with_name(stem.name + ".parquet"), stem.with_name(stem.name + ".csv"))
        self.rows = 0
        self._columns = tuple(columns)
        self._guard = [index for index, (_, kind) in enumerate(columns) if kind == "text"]
        self._schema = pa.schema([pa.field(name, kinds[kind]) for name, kind in columns])
        self._pending: list[Sequence[Any]] = []
        self._stack = ExitStack()
        self._files = tuple(self._stack.enter_context(AtomicFile(path)) for path in self.paths)
        self._parquet = pq.ParquetWriter(
            self._files[0],
            self._schema,
            compression="zstd",
            use_dictionary=[name for name, kind in columns if kind == "category"],
        )
        self._write_csv([[name for name, _ in columns]])

    def append(self, row: Sequence[Any]) -> None:
        """Add one row, its values in the order of the columns."""
        self._pending.append(row)
        if len(self._pending) >= BATCH_ROWS:
            self._flush()

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
        if kind is None:
            try:
                self._flush()
                self._parquet.close()
            except BaseException as inner:
                self._stack.__exit__(type(inner), inner, inner.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)

    def _flush(self) -> None:
        if not self._pending:
            return
        import pyarrow as pa  # noqa: PLC0415

        self.rows += len(self._pending)
        columns = list(zip(*self._pending, strict=True))
        self._parquet.write_table(
            pa.Table.from_arrays(
                [
                    pa.array(values, type=field.type, from_pandas=True)
                    for values, field in zip(columns, self._schema, strict=True)
                ],
                schema=self._schema,
            )
        )
        cells = [_csv_cells(kind, values) for (_, kind), values in zip(self._columns, columns, strict=True)]
        self._write_csv(zip(*cells, strict=True))
        self._pending.clear()

    def _write_csv(self, rows: Any) -> None:  # noqa: ANN401 - any rows that csv takes
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._files[1].write(text.getvalue().encode())


def _csv_cells(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    if kind == "text":
        return [f"'{value}" if value and value[0] in _FORMULA_STARTS else value for value in values]
    if kind == "float":
        return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN differs from itself
    return values


def read_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the row groups of a Parquet file, at most ``BATCH_ROWS`` rows each."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    with pq.ParquetFile(path, memory_map=False) as file:
        yield from file.iter_batches(BATCH_ROWS, columns=list(columns) if columns else None)
