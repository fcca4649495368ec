"""Rows of a Parquet file by their number. Few row groups are in memory at once, however large the file is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["RowReader"]

_KEPT_BYTES: Final = 64 << 20


class RowReader:
    """Reads rows of a Parquet file in any order. The file stays open: one that replaces it is not seen.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        What is read of each row.
    kept_bytes : int
        How much of what was read last stays in memory, so that rows near each other are decoded once. While rows are
        taken, one row group is held beside that.
    """

    def __init__(self, path: Path, columns: Sequence[str], kept_bytes: int = _KEPT_BYTES) -> None:
        import numpy as np
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(path, memory_map=False)
        self._columns = [*columns]
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._kept: OrderedDict[int, pa.Table] = OrderedDict()
        self._most = kept_bytes

    def take(self, rows: npt.NDArray[np.int64]) -> pa.Table:
        """Return the rows with these numbers, in their order."""
        import numpy as np
        import pyarrow as pa

        groups = np.searchsorted(self._starts, rows, side="right") - 1
        if len(groups) and (groups == groups[0]).all():  # mostly: rows near each other
            return self._of_group(int(groups[0]), rows)
        places = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        found = [self._of_group(int(groups[at[0]]), rows[at]) for at in places]
        if not found:
            return pa.schema([self._file.schema_arrow.field(name) for name in self._columns]).empty_table()
        back = np.argsort(np.concatenate(places))
        return pa.concat_tables(found).take(back)

    def _of_group(self, group: int, rows: npt.NDArray[np.int64]) -> pa.Table:
        return self._group(group).take(rows - self._starts[group])

    def _group(self, group: int) -> pa.Table:
        found = self._kept.pop(group, None)
        if found is None:
            found = self._file.read_row_group(group, columns=self._columns)
        self._kept[group] = found
        while sum(table.nbytes for table in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
        return found

    def column(self, name: str) -> Iterator[tuple[int, pa.ChunkedArray]]:
        """Yield a column, row group by row group, each with the number of its first row."""
        for group in range(self._file.num_row_groups):
            yield int(self._starts[group]), self._file.read_row_group(group, columns=[name]).column(0)
