"""A table written twice: Parquet and CSV hold the same, and a spreadsheet runs nothing of it."""

import csv
import hashlib
import io
import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial.errors import StopRequested
from promptrial.store import atomic, tables
from promptrial.store.tables import Column, StoredColumns, TableWriter, codes_of, read_batches, values_of

COLUMNS: tuple[Column, ...] = (("id", "text"), ("arm", "category"), ("n", "int"), ("score", "float"))
FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"  # of = + - and @
ROWS: list[tuple[Any, ...]] = [
    ("a", "control", 1, 0.5),
    ('b,"c"\'d', "treatment", 2**53 + 1, 0.1 + 0.2),
    ("ünï 日本 🜚", "control", -3, -1e-300),
    ("two\nlines", "control", 0, 0.0),
    ("a\rreturn", "control", 0, 1e22),
    ("\u2028 \x85 \t ;", "x y", 7, 1.0),
    ("", "", 0, -0.0),
    (None, None, None, None),
]
ESCAPED = {"a\rreturn": r"a\u000dreturn", "\u2028 \x85 \t ;": "\u2028 \\u0085 \t ;"}
"""What of these stands otherwise in CSV."""


def write(folder: Path, rows: Sequence[Sequence[Any]], columns: Sequence[Column] = COLUMNS) -> TableWriter:
    with TableWriter(folder / "table", columns) as table:
        for row in rows:
            table.append(row)
    return table


def csv_rows(folder: Path) -> list[list[str]]:
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def parquet_rows(folder: Path) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for batch in read_batches(folder / "table.parquet") for row in batch.to_pylist()]


def test_parquet_holds_the_exact_values(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    assert parquet_rows(tmp_path) == ROWS


def test_csv_has_the_same_values_as_text(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    header, *rows = csv_rows(tmp_path)
    assert header == ["id", "arm", "n", "score"]
    assert len(rows) == len(ROWS)
    for row, (text, arm, count, score) in zip(rows, ROWS, strict=True):
        assert row[:2] == [ESCAPED.get(text, text) or "", arm or ""]
        assert row[2] == ("" if count is None else str(count))
        assert (float(row[3]) if row[3] else None) == score


def test_lines_of_the_csv_end_in_a_single_newline(tmp_path: Path) -> None:
    write(tmp_path, ROWS[:1])
    data = (tmp_path / "table.csv").read_bytes()
    assert data.startswith(b"id,arm,n,score\n")
    assert data.endswith(b"1,0.5\n")
    assert b"\r" not in data


def test_a_missing_value_is_empty_and_never_a_number(tmp_path: Path) -> None:
    write(tmp_path, [("a", None, None, math.nan), (None, "x", math.nan, None), ("b", "y", 1, np.float64("nan"))])
    assert [row[1:] for row in csv_rows(tmp_path)[1:]] == [["", "", ""], ["x", "", ""], ["y", "1", ""]]
    assert [row[1:] for row in parquet_rows(tmp_path)] == [(None, None, None), ("x", None, None), ("y", 1, None)]


def test_numpy_numbers_are_written_like_pythons(tmp_path: Path) -> None:
    write(tmp_path, [("a", "x", np.int64(3), np.float64(0.1))])
    assert csv_rows(tmp_path)[1] == ["a", "x", "3", "0.1"]
    assert parquet_rows(tmp_path) == [("a", "x", 3, 0.1)]


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", *FULL_WIDTH])
@pytest.mark.parametrize("column", [0, 1])
def test_a_cell_that_a_spreadsheet_would_run_is_text_in_every_text_column(
    tmp_path: Path, start: str, column: int
) -> None:
    row: list[Any] = ["a", "b", 1, 1.0]
    row[column] = f'{start}HYPERLINK("http://x";"y")'
    write(tmp_path, [row])
    assert csv_rows(tmp_path)[1][column] == "'" + row[column].replace("\r", r"\u000d")
    assert parquet_rows(tmp_path)[0][column] == row[column]


def test_terminal_control_characters_are_escaped_in_csv_and_exact_in_parquet(tmp_path: Path) -> None:
    hostile = "a\x1b[2J\x07\x9b31m\x7f\rb\u202egpj.exe\u2066"
    write(tmp_path, [(hostile, "x", 1, 1.0), (None, hostile, 1, 1.0), ("plain", "y", 1, 1.0)])
    shown = r"a\u001b[2J\u0007\u009b31m\u007f\u000db\u202egpj.exe\u2066"
    assert [row[:2] for row in csv_rows(tmp_path)[1:]] == [[shown, "x"], ["", shown], ["plain", "y"]]
    assert [row[:2] for row in parquet_rows(tmp_path)] == [(hostile, "x"), (None, hostile), ("plain", "y")]


@pytest.mark.parametrize(
    "text", ["a\tb", "one\ntwo", "one\r\ntwo", "مرحبا\u200f 1", "a\ufeffb", "a\\b", r"a\u001b", "é→😀"]
)
def test_ordinary_text_is_unchanged_in_the_csv(tmp_path: Path, text: str) -> None:
    write(tmp_path, [(text, "x", 1, 1.0)])
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1][0] == text


def test_a_negative_number_is_not_a_formula(tmp_path: Path) -> None:
    write(tmp_path, [("a", "b", -1, -0.5)])
    assert csv_rows(tmp_path)[1] == ["a", "b", "-1", "-0.5"]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 14])
def test_many_row_groups_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 5)
    rows = [(f"id{n}", "x", n, n / 7) for n in range(count)]
    table = write(tmp_path, rows)
    assert table.rows == count
    assert pq.ParquetFile(tmp_path / "table.parquet").num_row_groups == -(-count // 5)
    assert parquet_rows(tmp_path) == rows
    assert [row[0] for row in csv_rows(tmp_path)[1:]] == [row[0] for row in rows]
    assert all(batch.num_rows <= 5 for batch in read_batches(tmp_path / "table.parquet"))


def test_only_the_requested_columns_are_read(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    (batch,) = read_batches(tmp_path / "table.parquet", ["n"])
    assert batch.schema.names == ["n"]


def test_the_records_are_those_of_the_files(tmp_path: Path) -> None:
    records = write(tmp_path, ROWS).records()
    assert set(records) == {tmp_path / "table.parquet", tmp_path / "table.csv"}
    for path, record in records.items():
        assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (record.size, record.rows) == (path.stat().st_size, len(ROWS))


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        digests.add(tuple(record.sha256 for record in write(tmp_path / name, ROWS * 50).records().values()))
    assert len(digests) == 1


def write_and_stop(folder: Path, error: BaseException, rows: int) -> None:
    with TableWriter(folder / "table", COLUMNS) as table:
        for _ in range(rows):
            table.append(ROWS[0])
        raise error


@pytest.mark.parametrize("rows", [0, 3, 12])
@pytest.mark.parametrize("error", [ValueError("x"), StopRequested(), KeyboardInterrupt()])
def test_an_error_in_the_block_leaves_the_old_table_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, rows: int
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 5)
    write(tmp_path, ROWS[:1])
    with pytest.raises(type(error)):
        write_and_stop(tmp_path, error, rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "table.parquet"]
    assert parquet_rows(tmp_path) == ROWS[:1]


@pytest.mark.parametrize("row", [("a", "b", 1), ("a", "b", "many", 1.0), ("a", "b", 1, "x"), (3, "b", 1, 1.0)])
def test_a_row_of_the_wrong_shape_or_type_leaves_nothing(tmp_path: Path, row: tuple[Any, ...]) -> None:
    with pytest.raises((ValueError, TypeError)):
        write(tmp_path, [ROWS[0], row])
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_at_the_end_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ROWS[:1])

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "_fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "table.parquet"]
    assert parquet_rows(tmp_path) == ROWS[:1]


def test_a_spreadsheet_and_pyarrow_read_the_csv_alike(tmp_path: Path) -> None:
    from pyarrow import csv as arrow_csv

    write(tmp_path, ROWS[:-1])
    table = arrow_csv.read_csv(
        io.BytesIO((tmp_path / "table.csv").read_bytes()),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
    )
    assert table.column("id").to_pylist() == [ESCAPED.get(row[0], row[0]) for row in ROWS[:-1]]
    assert table.column("score").to_pylist() == [row[3] for row in ROWS[:-1]]


def test_rows_with_long_texts_make_smaller_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_BATCH_CHARACTERS", 100)
    rows = [(f"{n}" * 30, "control", n, 0.5) for n in range(9)]
    with TableWriter(tmp_path / "table", COLUMNS) as table:
        for row in rows:
            table.append(row, len(row[0]))
    assert pq.ParquetFile(tmp_path / "table.parquet").num_row_groups == 3
    assert parquet_rows(tmp_path) == rows
    assert table.rows == 9


def test_rows_without_long_texts_make_row_groups_by_their_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_BATCH_CHARACTERS", 3)
    monkeypatch.setattr(tables, "BATCH_ROWS", 5)
    write(tmp_path, [("a", "control", n, 0.5) for n in range(9)])
    assert pq.ParquetFile(tmp_path / "table.parquet").num_row_groups == 2


@pytest.mark.parametrize("most_characters", [90, 100_000])
def test_alternating_rows_and_tables_give_the_same_bytes_as_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_characters: int
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 5)
    monkeypatch.setattr(tables, "_BATCH_CHARACTERS", most_characters)
    lengths, rows = [len(row[0] or "") * 10 for row in ROWS] * 3, ROWS * 3
    (tmp_path / "alone").mkdir()
    with TableWriter(tmp_path / "alone" / "table", COLUMNS) as alone:
        for row, length in zip(rows, lengths, strict=True):
            alone.append(row, length)
    for first in range(1, 9):
        with TableWriter(tmp_path / "table", COLUMNS) as mixed:
            for start in range(0, len(rows), first + 3):
                for at in range(start, min(start + first, len(rows))):
                    mixed.append(rows[at], lengths[at])
                own = slice(start + first, start + first + 3)
                mixed.append_table(tables.arrow_table(COLUMNS, rows[own]), array("q", lengths[own]))
        assert mixed.rows == alone.rows
        assert [each.read_bytes() for each in mixed.paths] == [each.read_bytes() for each in alone.paths]


@pytest.mark.parametrize("as_codes", [False, True])
def test_the_values_of_a_column_are_unique_and_in_order_of_first_occurrence(as_codes: bool) -> None:
    chunks = [pa.array(["b", "a", "b"]), pa.array([], pa.string()), pa.array(["c", "a"])]
    column = pa.chunked_array([chunk.dictionary_encode() for chunk in chunks] if as_codes else chunks)
    assert values_of(column).to_pylist() == ["b", "a", "c"]
    assert codes_of(column, values_of(column)).tolist() == [0, 1, 0, 2, 1]


def test_dictionary_entries_without_a_row_are_not_values_of_the_column() -> None:
    whole = pa.DictionaryArray.from_arrays(pa.array([2, 0, 2]), pa.array(["a", "never", "b"]))
    assert values_of(pa.chunked_array([whole])).to_pylist() == ["b", "a"]


def test_columns_read_one_by_one_come_from_the_file_that_was_opened_first(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"arm": ["x", "y", "x"], "score": [1.0, None, 0.5]}), path)
    stored = StoredColumns(path, categories=("arm",))
    first = stored.column("score")
    pq.write_table(pa.table({"arm": ["z"], "score": [7.0]}), tmp_path / "new")
    (tmp_path / "new").replace(path)
    assert stored.column_names == ["arm", "score"]
    assert first.to_pylist() == stored.column("score").to_pylist() == [1.0, None, 0.5]
    assert pa.types.is_dictionary(stored.column("arm").type)
    assert stored.column("arm").to_pylist() == ["x", "y", "x"]
    with pytest.raises(KeyError):
        stored.column("cluster")
