"""Any file of questions: it ends in items or in an error that names it, and the kind of file does not matter."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from promptrial.datasets.base import Reading
from promptrial.datasets.custom import FORMAT
from promptrial.datasets.drawing import draw
from promptrial.errors import DataError
from promptrial.model import Item
from tests.support.workbooks import workbook_of

NAMES = st.sampled_from(
    [
        *("question", "Question", "prompt", "answer", "answers", "target", "id", "context", "choices", "A", "B", "C"),
        *("is_impossible", "category", "messages", "cluster", "note", "", " ", "anwser", "label"),
    ]
)
TEXT = st.text(max_size=12) | st.sampled_from(
    ["", " ", "A", "0", "1", "true", "[", '["a"]', "a|b", "8.0", "null", "\0"]
)
SCALARS = TEXT | st.none() | st.booleans() | st.integers() | st.floats() | st.integers(min_value=10**30)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=5
)
CONFIGURED = st.builds(
    Reading,
    encoding=st.none() | st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-7", "shift_jis", "hz", "rot13", "?", ""]),
    columns=st.dictionaries(st.sampled_from(["question", "answers", "id", "choices"]), NAMES, max_size=2),
    separator=st.none() | st.sampled_from(["|", ";", "ab"]),
)


def as_csv(rows: list[dict[str, Any]], separator: str = ",") -> bytes:
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(errors="surrogatepass")


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def as_zstd(data: bytes) -> bytes:
    compressed: bytes = pa.compress(data, "zstd", asbytes=True)
    return compressed


def outcome(data: bytes, name: str, reading: Reading) -> list[Item] | str:
    """Return the items of a file, or the message of the error that names it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            return list(FORMAT.read(path, "mine", reading=reading))
        except DataError as error:
            message = error.message
        assert message.startswith(f"{path}:"), message
        return message.removeprefix(str(path))


@given(
    st.binary(max_size=300)
    | st.text(max_size=200).map(str.encode)
    | st.text(max_size=100).map(lambda t: t.encode("utf-16")),
    st.sampled_from(
        [b"", b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf", b"{", b"[{", b"question\n"]
    ),
    st.sampled_from(["q.csv", "q.jsonl", "q.json", "q.parquet", "q.xlsx", "q", "q.yaml"]),
    CONFIGURED,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_give_items_or_an_error_that_names_the_file(
    data: bytes, start: bytes, name: str, reading: Reading
) -> None:
    outcome(start + data, name, reading)


@given(
    st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=4),
    st.sampled_from(
        [as_lines, lambda rows: json.dumps(rows).encode(), lambda rows: json.dumps({"rows": rows}).encode()]
    ),
    CONFIGURED,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_json_rows_give_items_or_an_error_that_names_the_file(
    rows: list[dict[str, Any]], write: Callable[[list[dict[str, Any]]], bytes], reading: Reading
) -> None:
    outcome(write(rows), "q.json", reading)


CELLS = st.lists(st.lists(TEXT, min_size=3, max_size=3), min_size=1, max_size=5)


@given(
    st.lists(NAMES, min_size=3, max_size=3, unique=True),
    CELLS,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"]),
    st.sampled_from([lambda data: data, gzip.compress, as_zstd]),
    CONFIGURED,
    st.binary(max_size=3),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_cells_give_items_or_an_error_that_names_the_file(
    header: list[str],
    cells: list[list[str]],
    separator: str,
    encoding: str,
    pack: Callable[[bytes], bytes],
    reading: Reading,
    end: bytes,
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([header, *cells])
    outcome(pack(out.getvalue().encode(encoding, errors="replace") + end), "q.csv", reading)


# --- the same questions in every kind of file -------------------------------------------------------------------------

WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[|"), min_size=1, max_size=12
).filter(lambda text: bool(text.strip()) and text == text.strip())
QUESTIONS = st.lists(
    st.fixed_dictionaries(
        {"question": WORDS, "answers": st.lists(WORDS, max_size=2), "context": st.none() | WORDS, "level": WORDS}
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda row: (row["question"], row["context"]),
)


@given(QUESTIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_questions_give_the_same_items_and_ids_in_every_kind_of_file(rows: list[dict[str, Any]]) -> None:
    flat = [row | {"answers": "|".join(row["answers"]), "context": row["context"] or ""} for row in rows]
    files = {
        "q.jsonl": as_lines(rows),
        "q.json": json.dumps({"questions": rows}, indent=1).encode(),
        "q.parquet": as_parquet(rows),
        "q.csv": as_csv(flat),
        "q.tsv": as_csv(flat, "\t"),
        "q16.csv": as_csv(flat, ";").decode().encode("utf-16"),
        "q.csv.gz": gzip.compress(as_csv(flat)),
        "q.jsonl.zst": as_zstd(as_lines(rows)),
        "q.xlsx": workbook_of(flat),
    }
    found = {name: outcome(data, name, Reading()) for name, data in files.items()}
    for name, items in found.items():
        assert items == found["q.jsonl"], name
    assert [(item.question, list(item.answers)) for item in found["q.jsonl"] if isinstance(item, Item)] == [
        (row["question"], list(dict.fromkeys(row["answers"]))) for row in rows
    ]


# --- the quick way ----------------------------------------------------------------------------------------------------


def drawn(
    data: bytes, reading: Reading, *, quick: bool, size: int, block: int = 1 << 20, name: str = "q.csv"
) -> tuple[object, list[str]]:
    """Draw a sample of a file that counts as large, read in blocks of about ``block`` bytes."""
    said: list[str] = []
    reading = reading._replace(note=said.append, say=said.append)
    format_ = FORMAT if quick else replace(FORMAT, quick_sample=None)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("promptrial.datasets.custom._QUICK", {"separated": 0, "lines": 0})
        patch.setattr("promptrial.datasets.quick._BLOCK", block)
        patch.setattr("promptrial.datasets.quick_lines._BLOCK", block)
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            return [(place.line, item) for place, item in draw(format_, [path], "mine", reading, size, 7)], said
        except DataError as error:
            return str(error).replace(folder, ""), said


PLAIN = st.sampled_from(
    [
        "Q1?",
        "Q2?",
        "Q3?",
        "Q\n4?",
        "Q5?",
        "x",
        "",
        " ",
        "\u200b",
        "a|b",
        "a|",
        ";",
        "[",
        "true",
        "k\u2028",
        "\\",
        'say ""',
        "\u95ee\uff1f",
        "\t",
        "zwei, drei",
    ]
)
ROWS = st.lists(st.lists(PLAIN, min_size=4, max_size=4), min_size=1, max_size=6)


@given(
    st.lists(
        st.sampled_from(
            ["question", "answers", "answer", "id", "context", "cluster", "is_impossible", "choices", "note", ""]
        ),
        min_size=4,
        max_size=4,
        unique=True,
    ),
    ROWS,
    st.integers(1, 4),
    st.sampled_from([1, 8, 64, 1 << 20]),
    st.sampled_from(
        [
            b"",
            b"\n",
            b"Q8?,a,b",
            b"Q8?,a,b,c",
            b'Q8?,a,b,"c\n',
            b'5"?,a,b,c\n',
            b"\0?,a,b,c\n",
            b"\n\nQ9?,a,b,c\n",
            b"x,y\n",
            b'"a"b,c,d,e\n',
            b"\xff\n",
        ]
    ),
    st.sampled_from([None, ";"]),
)
@example(
    ["question", "answer", "note", ""], [["Q\n1?", "a", "n", ""], ["Q2?", "b", "n", ""]], 2, 8, b"\n\nQ9?,a,b,\n", None
)
@example(["question", "answer", "id", "note"], [["Q1?", "a", "1", ""], [" ", "", "", ""]], 1, 8, b"", None)
@example(
    ["question", "answer", "id", "note"],
    [["Q1?", "a", "1", ""], ["Q2?", "b", "1", ""], ["", "a", "2", ""]],
    1,
    64,
    b"",
    None,
)
@settings(max_examples=200, deadline=None)
def test_the_fast_path_draws_the_same_items_as_the_general_path(
    header: list[str], rows: list[list[str]], size: int, block: int, end: bytes, separator: str | None
) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    reading = Reading(separator=separator)
    data = out.getvalue().encode() + end
    expected = drawn(data, reading, quick=False, size=size)
    assert drawn(data, reading, quick=True, size=size, block=block) == expected


@pytest.mark.parametrize("quick", [True, False])
def test_a_row_of_spaces_is_skipped_and_counted_however_a_file_is_read(*, quick: bool) -> None:
    data = b"question,answer,note\nQ1?,a,n\n  , ,\n , ,\t\nQ2?,b,n\n"
    found, said = drawn(data, Reading(), quick=quick, size=2)
    assert isinstance(found, list)
    assert sorted(line for line, _ in found) == [2, 5]
    assert said[-1] == "2 empty rows skipped"


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_the_fast_path_is_used_for_a_plain_file_and_draws_the_same_from_many_rows(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {
            "question": f"Q{n}?" + "\n" * (n % 97 == 0),
            "answer": n,
            "context": "C" if n % 3 else "",
            "note": "n" * (n % 5),
        }
        for n in range(6000)
    ]
    data = as_csv(rows)
    expected = drawn(data, Reading(), quick=False, size=size)
    assert drawn(data, Reading(), quick=True, size=size, block=5000) == expected
    monkeypatch.setattr("promptrial.datasets.custom._QUICK", {"separated": 0, "lines": 0})
    (tmp_path / "q.csv").write_bytes(data)
    assert FORMAT.quick_sample is not None
    assert FORMAT.quick_sample(tmp_path / "q.csv", "mine", Reading(), size, 7, lambda: None) is not None


def test_the_fast_path_leaves_a_duplicate_id_to_the_general_path() -> None:
    rows = [{"question": f"Q{n % 400}?", "answer": n} for n in range(401)]
    found, _ = drawn(as_csv(rows), Reading(), quick=True, size=5)
    assert str(found).startswith("/q.csv:402: the same question as at /q.csv:2; its id is derived from the content")


HOSTILE_TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", " ", " q ", "a|b", "a;b", "[", '["a"]', 'say "it"', "\\", "\u2028", "\u200b", "\0", "true", "n" * 9000]
)
HOSTILE_VALUES = (
    HOSTILE_TEXTS
    | st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from([10**20, 8.0, 0.5, 1e15])
    | st.lists(HOSTILE_TEXTS | st.integers(0, 1), max_size=2)
    | st.dictionaries(HOSTILE_TEXTS, HOSTILE_TEXTS, max_size=1)
)
HOSTILE_ROWS = st.fixed_dictionaries(
    {"question": st.sampled_from(["Q1?", "Q2?", "Q3?", "Q4?"]) | HOSTILE_VALUES},
    optional={
        **dict.fromkeys(("answers", "answer", "id", "context", "cluster", "note", "row", ""), HOSTILE_VALUES),
        "is_unanswerable": st.booleans() | HOSTILE_VALUES,
        "item": st.dictionaries(st.sampled_from(["question", "answer"]), HOSTILE_TEXTS, max_size=2),
    },
)
ODD_LINES = st.sampled_from(
    [
        b"\n", b" \t\n", b"{}\n", b"[]\n", b"7\n", b"\xff\n", b'{"question": "Q8?"', b'{"question": "Q9?"} {}\n',
        b'{"question": "Q8?", "question": "Q9?"}\n',
        b'{"question": "Q8?", "note": 1, "note": "\\u0022\\u0022"}\n',
        b'{"question": "Q8?", "note": "\\u0022"}\r\n',
        b'{"question": "Q8?", "n\\u006fte": "n", "late": 1}\n',
        b'{"question": "Q8?", "note": {"a": 1, "a": 2}}',
    ]
)  # fmt: skip


@given(
    st.lists(HOSTILE_ROWS.map(lambda row: as_lines([row])) | ODD_LINES, min_size=1, max_size=6),
    st.integers(1, 4),
    st.sampled_from([1, 64, 1 << 20]),
    st.sampled_from([Reading(), Reading(separator=";"), Reading(keep=frozenset({"note"}))]),
)
@example([b'{"question": "Q1?"}\n', b'{"question": "Q2?", "note": 1, "note": "\\u0022\\u0022"}\n'], 1, 64, Reading())
@example([b'{"item": {"question": "Q1?"}}\n', b'{"row_idx": 0, "row": {"question": "Q2?"}}\n'], 1, 64, Reading())
@example([b'{"question": "Q1?", "answers": "a"}\n', b'{"question": "Q2?", "answers": ["b"]}\n'], 2, 64, Reading())
@settings(max_examples=300, deadline=None)
def test_the_fast_path_draws_the_same_items_from_json_lines_as_the_general_path(
    lines: list[bytes], size: int, block: int, reading: Reading
) -> None:
    data = b"".join(lines)
    expected = drawn(data, reading, quick=False, size=size, name="q.jsonl")
    assert drawn(data, reading, quick=True, size=size, block=block, name="q.jsonl") == expected


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_the_fast_path_is_used_for_json_lines_and_draws_the_same_from_many_rows(size: int, tmp_path: Path) -> None:
    rows = [
        {"id": n, "question": f'Q"{n}"?', "answers": ["a"] * (n % 3), "context": "C " * (n % 7), "n": n, "level": None}
        for n in range(6000)
    ]
    rows[40] |= {"answers": [f"{n}.5" for n in range(5000)], "is_unanswerable": False}
    data = as_lines(rows)
    expected = drawn(data, Reading(), quick=False, size=size, name="q.jsonl")
    assert drawn(data, Reading(), quick=True, size=size, block=5000, name="q.jsonl") == expected
    (tmp_path / "q.jsonl").write_bytes(data)
    assert FORMAT.quick_sample is not None
    assert FORMAT.quick_sample(tmp_path / "q.jsonl", "mine", Reading(), size, 7, lambda: None) is not None
