"""Rows of a Parquet file in any order, of which only some row groups are held."""

from pathlib import Path

import numpy as np
import pytest

from promptrial.store.row_groups import RowReader
from promptrial.store.tables import TableWriter

GROUPS = (3, 1, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of eight rows in three row groups."""
    with TableWriter(tmp_path / "t", [("text", "text"), ("n", "int")]) as table:
        for size in GROUPS:
            for _ in range(size):
                n = table.rows + len(table._pending)
                table.append((f"row {n}", n))
            table._flush()
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("rows", [[0], [7], [6, 0, 3, 3, 2], [*range(8)], [*reversed(range(8))], []])
def test_rows_are_returned_in_the_requested_order(path: Path, rows: list[int]) -> None:
    found = RowReader(path, ["text", "n"]).take(np.asarray(rows, dtype=np.int64))
    assert found.column("n").to_pylist() == rows
    assert found.column("text").to_pylist() == [f"row {n}" for n in rows]


def test_a_row_group_is_decoded_once_while_cached_and_the_cache_is_limited(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting:
        def __init__(self, file: object) -> None:
            self.file, self.read = file, list[int]()

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def read_row_group(self, group: int, columns: list[str]) -> object:
            self.read.append(group)
            return self.file.read_row_group(group, columns=columns)  # type: ignore[attr-defined]

    for kept, expected in ((1 << 20, [0, 1, 2]), (0, [0, 1, 2, 0, 1, 2])):
        reader = RowReader(path, ["n"], kept)
        counting = Counting(reader._file)
        monkeypatch.setattr(reader, "_file", counting)
        for _ in range(2):
            assert reader.take(np.arange(8)).column("n").to_pylist() == [*range(8)]
        assert counting.read == expected
        assert sum(table.nbytes for table in reader._kept.values()) <= kept


def test_a_column_is_read_row_group_by_row_group(path: Path) -> None:
    found = [(start, len(column)) for start, column in RowReader(path, ["n"]).column("text")]
    assert found == [(0, 3), (3, 1), (4, 4)]
