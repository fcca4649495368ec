"""Values of Parquet: the same with and without pandas, without a loss, and as short as their precision allows."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial.datasets.arrow_values import plain_columns, with_fixes
from promptrial.datasets.custom import FORMAT
from promptrial.datasets.parquet import parquet_values
from promptrial.datasets.value_texts import text_of
from promptrial.model import Item

NS = 10**9
NOON = int(dt.datetime(2024, 5, 1, 12, 30, tzinfo=dt.UTC).timestamp()) * NS
HOURS = 3 * 3600 * NS
READ = """
import sys
from promptrial.runtime.arrow import settle_without_pandas
if sys.argv[2] == "without":
    settle_without_pandas()
else:
    import pandas
from pathlib import Path
from promptrial.datasets.custom import FORMAT
for item in FORMAT.read(Path(sys.argv[1]), "mine"):
    print(item.answers, sorted(item.extra.items()))
"""


def ns(kind: pa.DataType, *values: int | None) -> pa.Array:
    return pa.array(values, pa.int64()).cast(kind)


def texts(path: Path, column: pa.Array) -> list[str]:
    pq.write_table(pa.table({"value": column}), path)
    with path.open("rb") as file:
        return [text_of(row["value"]) for _, row in parquet_values(path, file)]


def as_categories(column: pa.Array) -> list[str]:
    """Return the texts of a column with a dictionary, which Parquet does not keep for every kind of value."""
    batch, fixes = plain_columns(pa.record_batch({"value": column.dictionary_encode()}))
    rows = batch.to_pylist()
    with_fixes(rows, fixes)
    return [text_of(row["value"]) for row in rows]


def items(path: Path, **columns: Any) -> list[Item]:
    pq.write_table(pa.table(columns), path)
    return list(FORMAT.read(path, "mine"))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.timestamp("ns"), (NOON, NOON + 1000, None), ["2024-05-01T12:30:00", "2024-05-01T12:30:00.000001", ""]),
        (pa.timestamp("ns"), (NOON + 1, -1), ["2024-05-01T12:30:00.000000001", "1969-12-31T23:59:59.999999999"]),
        (pa.timestamp("ns", "Europe/Berlin"), (NOON,), ["2024-05-01T14:30:00+02:00"]),
        (pa.timestamp("ns", "+05:30"), (NOON + 20,), ["2024-05-01T18:00:00.000000020+05:30"]),
        (pa.duration("ns"), (HOURS, 0, -HOURS, HOURS * 9), ["PT3H", "PT0S", "-PT3H", "P1DT3H"]),
        (pa.duration("ns"), (1500, -1, HOURS + 10), ["PT0.0000015S", "-PT0.000000001S", "PT3H0.00000001S"]),
        (pa.time64("ns"), (HOURS, 1001, 1000), ["03:00:00", "00:00:00.000001001", "00:00:00.000001"]),
    ],
)
def test_nanoseconds_are_written_in_iso_8601_and_in_full(
    tmp_path: Path, kind: pa.DataType, values: tuple[int | None, ...], expected: list[str]
) -> None:
    assert texts(tmp_path / "t.parquet", ns(kind, *values)) == expected
    assert as_categories(ns(kind, *values)) == expected


def test_the_same_file_gives_the_same_questions_with_and_without_pandas(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    moments = ns(pa.timestamp("ns"), NOON, NOON + 1)
    pq.write_table(
        pa.table(
            {
                "question": ["First?", "Second?"],
                "answer": moments,
                "took": ns(pa.duration("ns"), HOURS, HOURS + 1),
                "at": ns(pa.time64("ns"), HOURS, HOURS + 1),
                "many": pa.array([[NOON], [NOON + 1, None]], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("ns"))),
            }
        ),
        tmp_path / "q.parquet",
    )
    found = [
        subprocess.run([sys.executable, "-c", READ, str(tmp_path / "q.parquet"), how], capture_output=True, check=True)
        for how in ("with", "without")
    ]
    assert found[0].stdout == found[1].stdout
    lines = found[0].stdout.decode().splitlines()
    assert lines[0].startswith("('2024-05-01T12:30:00',) [('at', '03:00:00'), ('many', '[\"2024-05-01T12:30:00\"]')")
    assert "('2024-05-01T12:30:00.000000001',)" in lines[1]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.float32(), [0.1, 1.5, None, 8.0, -0.25], ["0.1", "1.5", "", "8", "-0.25"]),
        (pa.float32(), [1e30, 123456789.0, 1e-10], ["1e+30", "123456792", "1e-10"]),
        (pa.float32(), [float("nan"), float("inf"), -0.0], ["", "inf", "0"]),
        (pa.float16(), [np.float16(0.1), np.float16(8.0), None], ["0.1", "8", ""]),
        (pa.float64(), [0.1, 0.10000000149011612], ["0.1", "0.10000000149011612"]),
    ],
)
def test_numbers_have_the_shortest_decimal_of_their_own_precision(
    tmp_path: Path, kind: pa.DataType, values: list[Any], expected: list[str]
) -> None:
    array = pa.array(values, kind)
    assert texts(tmp_path / "n.parquet", array) == expected
    assert as_categories(array) == expected


def test_every_single_precision_number_reads_back_from_its_text(tmp_path: Path) -> None:
    bits = np.random.default_rng(7).integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    bits = bits[np.isfinite(bits)]
    found = texts(tmp_path / "n.parquet", pa.array(bits))
    assert (np.array(found, float).astype(np.float32) == bits).all()
    assert found == as_categories(pa.array(bits)), "by Arrow and by NumPy"


NESTED = [
    (pa.list_(pa.float32()), [[0.1, None], None, []], ["[0.1,null]", "", "[]"]),
    (pa.large_list(pa.float32()), [[0.1]], ["[0.1]"]),
    (pa.list_(pa.float32(), 2), [[0.1, 123456789.0], [0.2, 0.3]], ["[0.1,123456792.0]", "[0.2,0.3]"]),
    (pa.list_(pa.list_(pa.float32())), [[[0.1, 123456789.0]]], ["[[0.1,123456792.0]]"]),
    (pa.struct([("a", pa.float32()), ("b", pa.string())]), [{"a": 0.1, "b": "x"}, None], ['{"a":0.1,"b":"x"}', ""]),
    (pa.struct([("a", pa.timestamp("ns"))]), [{"a": None}, {"a": NOON}], ['{"a":null}', '{"a":"2024-05-01T12:30:00"}']),
    (pa.map_(pa.string(), pa.float32()), [[("k", 0.1), ("l", None)]], ['[["k",0.1],["l",null]]']),
    (pa.map_(pa.float32(), pa.string()), [[(0.1, "k")]], ['[[0.1,"k"]]']),
    (pa.map_(pa.string(), pa.int8()), [[("k", 1)]], ['[["k",1]]']),
]


@pytest.mark.parametrize(("kind", "values", "expected"), NESTED)
def test_numbers_in_lists_structs_and_maps_have_the_shortest_decimal_too(
    tmp_path: Path, kind: pa.DataType, values: list[Any], expected: list[str]
) -> None:
    assert texts(tmp_path / "n.parquet", pa.array(values, kind)) == expected


def test_columns_of_arrow_values_have_the_same_roles_as_text(tmp_path: Path) -> None:
    moments = ns(pa.timestamp("ns"), NOON, None)
    found = items(
        tmp_path / "q.parquet",
        question=["First?", "Second?"],
        answer=pa.array([0.1, 3.0], pa.float32()),
        when=moments,
    )
    assert [item.answers for item in found] == [("0.1",), ("3",)]
    assert [item.extra for item in found] == [{"when": "2024-05-01T12:30:00"}, {}]
