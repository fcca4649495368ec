"""Any table of questions as rows: compression, encodings, separators, JSON, Parquet and Excel files are recognised."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial.datasets.table import open_table
from promptrial.errors import DataError, MissingDependencyError
from tests.support.workbooks import cell, workbook

NAMES = frozenset({"question", "answer", "prompt", "target"})
TWO = [{"question": "Was, bitte?", "answer": "8"}, {"question": 'Ein "ü"?', "answer": "zwei\nZeilen"}]
TABLE = 'question,answer\n"Was, bitte?",8\n"Ein ""ü""?","zwei\nZeilen"\n'


def rows(path: Path, data: bytes | str, encoding: str | None = None) -> tuple[str, list[int], list[dict[str, object]]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    table = open_table(path, encoding, NAMES)
    found = list(table.rows())
    return table.words, [place.line for place, _ in found], [row for _, row in found]


def failure(path: Path, data: bytes | str, encoding: str | None = None) -> tuple[str, str]:
    with pytest.raises(DataError) as caught:
        rows(path, data, encoding)
    return caught.value.message.replace(str(path), "FILE"), caught.value.hint or ""


def parquet(values: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(values), out)
    return out.getvalue()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same bytes in every process, as test ids must be


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.compress(data, "zstd", asbytes=True)
    return compressed


@pytest.mark.parametrize(
    ("data", "words", "lines"),
    [
        (TABLE, "comma-separated", [2, 3]),
        ("\ufeff" + TABLE.replace("\n", "\r\n").replace("zwei\r\n", "zwei\n"), "comma-separated", [2, 3]),
        (TABLE.replace(",", ";").replace("Was;", "Was,"), "semicolon-separated", [2, 3]),
        (TABLE.replace(",", "\t").replace("Was\t", "Was,"), "tab-separated", [2, 3]),
        (TABLE.replace(",", "|").replace("Was|", "Was,"), "bar-separated", [2, 3]),
        ("sep=~\n" + TABLE.replace(",", "~").replace("Was~", "Was,"), "'~'-separated", [3, 4]),
        (TABLE.encode("utf-16"), "comma-separated, UTF-16", [2, 3]),
        (b"\xfe\xff" + TABLE.encode("utf-16-be"), "comma-separated, UTF-16", [2, 3]),
        (packed(TABLE.encode()), "comma-separated, gzip", [2, 3]),
        (zstd(TABLE.encode("utf-16")), "comma-separated, UTF-16, Zstandard", [2, 3]),
        ("\n".join(map(json.dumps, TWO)), "JSON objects, one per line", [1, 2]),
        (json.dumps(TWO, indent=1), "a JSON list of objects", [2, 6]),
        ("\ufeff" + json.dumps(TWO, indent=1), "a JSON list of objects", [2, 6]),
        (
            json.dumps({"version": [1], "rows": TWO}, indent=1).encode("utf-16"),
            "rows in a JSON object, UTF-16",
            [6, 10],
        ),
        (packed(json.dumps({"rows": TWO}).encode()), "rows in a JSON object, gzip", [1, 1]),
        (parquet(TWO), "Parquet", [1, 2]),
        (packed(parquet(TWO)), "Parquet, gzip", [1, 2]),
    ],
)
def test_the_same_rows_are_read_from_every_kind_of_file(
    tmp_path: Path, data: bytes | str, words: str, lines: list[int]
) -> None:
    assert rows(tmp_path / "q.dat", data) == (words, lines, TWO)


def test_the_separator_is_the_one_that_gives_well_known_names_or_else_the_most_frequent(
    tmp_path: Path,
) -> None:
    text = "question;answer;one, two, three\nQ?;x;1, 2, 3\n"
    assert rows(tmp_path / "q.csv", text)[2] == [{"question": "Q?", "answer": "x", "one, two, three": "1, 2, 3"}]
    text = "frage|antwort, kurz\nQ1?|x\nQ2, oder|y, z, w\n"
    assert rows(tmp_path / "q.csv", text)[2][1] == {"frage": "Q2, oder", "antwort, kurz": "y, z, w"}


def test_a_configured_encoding_is_used_and_reported(tmp_path: Path) -> None:
    assert rows(tmp_path / "q.csv", TABLE.encode("cp1252"), "windows-1252") == ("comma-separated, cp1252", [2, 3], TWO)
    assert rows(tmp_path / "q.csv", TABLE.encode("utf-16-le"), "utf-16-le")[2] == TWO
    assert rows(tmp_path / "q.csv", "\ufeff" + TABLE, "UTF8")[2] == TWO


@pytest.mark.parametrize(
    ("data", "encoding", "problem", "fix"),
    [
        (
            TABLE.encode("cp1252"),
            None,
            "FILE:3: not UTF-8: invalid start byte at byte 8 of the line",
            "encoding: cp1252",
        ),
        (TABLE.encode("utf-16-le"), None, "FILE:1: not text in UTF-8: it holds zero bytes", "encoding: utf-16-le"),
        (
            "a,b\n1,2\n3,\u20ac\n".encode("cp1252"),
            "ascii",
            "FILE:3: not ascii: ordinal not in range(128)",
            "`encoding:`",
        ),
        (TABLE.encode("utf-16") + b"x", None, "FILE:5: not UTF-16: truncated data", "save the file as UTF-8"),
        (
            TABLE.encode("utf-16-le"),
            "utf-16",
            "FILE:1: not UTF-16: it does not start with a byte-order mark",
            "`encoding:`",
        ),
        (TABLE.encode("utf-32"), None, "FILE:1: this is text in UTF-32", "encoding: utf-32"),
        (TABLE, "rot13", "FILE:1: unknown encoding 'rot13'", "docs/question_files.md#encodings"),
        (TABLE, "no such", "FILE:1: unknown encoding 'no such'", "docs/question_files.md#encodings"),
        (parquet(TWO), "utf-8", "FILE:1: `encoding: utf-8` is given, but the file is not text", "remove `encoding`"),
    ],
)
def test_text_in_another_encoding_is_refused_with_the_key_that_names_it(
    tmp_path: Path, data: bytes | str, encoding: str | None, problem: str, fix: str
) -> None:
    message, hint = failure(tmp_path / "q.csv", data, encoding)
    assert message.startswith(problem)
    assert fix in hint


def test_bad_text_far_down_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    text = ("a,b\n" + "x,y\n" * 700_000).encode("utf-16") + b"\x00\xd8\x00\x00" + "\nx,y\n".encode("utf-16-le")
    assert failure(tmp_path / "q.csv", text)[0].startswith("FILE:700002: not UTF-16: ")


@pytest.mark.parametrize(
    ("data", "problem", "fix"),
    [
        ('a,b\n1,"2\n', "FILE:2: not valid CSV: a quoted cell starts here and never ends", "close the quote"),
        ('a,b\n1,2\n1,"2"3\n', "FILE:3: not valid CSV: text after the end of a quoted cell", 'twice: ""'),
        ("a,b\n1,2,3\n", "FILE:2: 3 cells under a header of 2", '"a, b"'),
        ("question;answer\na;b;c\n", "FILE:2: 3 cells under a header of 2", "separated by semicolon"),
        ("a,b,a\n1,2,3\n", "FILE:1: a column appears twice; the header is: a, b, a", "rename one"),
        ("a,,b\n1,,3\n1,2,3\n", "FILE:3: a value in column 2, which has no name in the header", "name the column"),
        ('{"a": 1},\n{"a": 2},\n', "FILE:1: not valid JSON: a comma after the end of the object", "remove the comma"),
        ('{"a": 1} {"a": 2}\n{"a": 2}\n', "FILE:1: not valid JSON: a second value after the end", "its own line"),
        ('{"a": 1}\n{"a": 1,}\n', "FILE:2: not valid JSON: a comma before the } that closes", "remove the comma"),
        ("{\"a\": 1}\n{'a': 1}\n", "FILE:2: not valid JSON: a key that is not in double quotes", '{"question"'),
        ('{"a": 1}\n{"a": NaN}\n', "FILE:2: not valid JSON: NaN, Infinity, None", "null, true or false"),
        ('{"a": 1}\n{"a": "x\n', "FILE:2: not valid JSON: it ends too early", "close it"),
        ('{"a": 1}\n{"a": "\\ud800"}\n', "FILE:2: not valid JSON: it ends too early, or holds half", "both halves"),
        ('{"a": 1}\n3\n', "FILE:2: this is a number, and should be an object", "write each question as an object"),
        ('{"a": 1}\n{"a": 1, "b": {"c": 1, "c": 2}}\n', "FILE:2: the key 'c' occurs twice in one object", "keep one"),
        (
            '{"a": 1}\n{"a": 1, "a": "\\u0022\\u0022"}\n',
            "FILE:2: the key 'a' occurs twice in one object",
            "keep one",
        ),
        ('[{"a": 1},\n {"a": 1, "a": 2}]', "FILE:2: [1]: the key 'a' occurs twice in one object", "keep one"),
        ('[{"a": 1},\n 3]', "FILE:1: [1]: this is a number, and should be an object", "as an object"),
        ('[{"a": 1},\n]', "FILE:2: not valid JSON: a comma before the ] that closes a list", "remove the comma"),
        ('{"a": [{"x": 1}],\n "a": [{"x": 1}]}', "FILE:1: a key of the top-level object occurs twice", "keep one"),
        (
            '{"a": [{"x": 1}],\n "b": [{"x": 1}]}',
            "FILE:1: an object with several lists of objects: 'a', 'b'",
            "keep only",
        ),
        ('{"a": 1,\n "b": [3]}', "FILE:1: an object without a list of questions; its keys: 'a', 'b'", "as a list"),
        ("<!DOCTYPE html>", "FILE:1: this is a web page", "download the file itself"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "FILE:1: this is a Git LFS pointer",
            "git lfs pull",
        ),
        (packed(packed(b"x")), "FILE:1: this is compressed twice", "decompress it once"),
        (packed(TABLE.encode())[:-9], "FILE:1: the gzip data are damaged or incomplete", "again"),
        (zstd(TABLE.encode())[:-9], "FILE:1: the Zstandard data are damaged or incomplete", "again"),
        (b"PAR1 but not really", "FILE:1: not readable as Parquet", ""),
        (b"PK\x03\x04 but not really", "FILE:1: not readable as an Excel workbook", "save it again"),
        (b"", "FILE:1: the file is empty", ""),
        (packed(b""), "FILE:1: the file is empty", ""),
    ],
)
def test_errors_are_explained_in_plain_words_with_the_line_and_the_fix(
    tmp_path: Path, data: bytes | str, problem: str, fix: str
) -> None:
    message, hint = failure(tmp_path / "q.dat", data)
    assert message.startswith(problem)
    assert fix in hint


def test_quotes_inside_texts_are_not_taken_for_repeated_keys(tmp_path: Path) -> None:
    row = {"a": 'say "a": 1, "a": 2', 'k"ey': ['"', '\\"', "\\"], "n": None}
    assert rows(tmp_path / "q.jsonl", json.dumps(row))[2] == [row]


def test_a_single_object_is_a_row_or_holds_the_list_of_rows(tmp_path: Path) -> None:
    held = {"data": [{"question": "Q?"}]}
    chat = {"question": "Q?", "messages": [{"role": "user"}]}
    assert rows(tmp_path / "q.json", json.dumps(held))[2] == held["data"]
    assert rows(tmp_path / "q.json", json.dumps(chat))[2] == [chat]
    assert rows(tmp_path / "q.jsonl", json.dumps(held))[2] == [held]


def test_a_lone_carriage_return_in_a_cell_or_between_tokens_does_not_count_as_a_line(tmp_path: Path) -> None:
    assert rows(tmp_path / "q.csv", 'a,b\n"x\ry",1\n2,3\n')[1:] == (
        [2, 3],
        [{"a": "x\ry", "b": "1"}, {"a": "2", "b": "3"}],
    )
    assert rows(tmp_path / "q.jsonl", '{"a":\r1}\n{"a": 2}')[1:] == ([1, 2], [{"a": 1}, {"a": 2}])


def test_a_compressed_line_too_long_to_hold_is_refused_before_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptrial.datasets.encodings._MOST_LINE", 3 << 20)
    bomb = packed(b"question\n" + b"x" * (20 << 20))
    assert failure(tmp_path / "q.csv", bomb)[0] == "FILE:2: a line of more than 3 MiB"


def test_a_compressed_document_too_large_to_keep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrial.datasets.encodings._MOST_SPOOLED", 3 << 20)
    assert "more than 4 GiB" in failure(tmp_path / "q.json", zstd(b"[{}" + b" " * (20 << 20)))[0]


def test_the_first_sheet_with_rows_is_read_with_the_numbers_of_its_rows(tmp_path: Path) -> None:
    header = f'<row r="2">{cell("A2", "question")}{cell("C2", "answer")}</row>'
    row = f'<row r="5">{cell("A5", "Q?")}{cell("C5", 8)}</row>'
    words, lines, found = rows(tmp_path / "q.xlsx", workbook("", header + row))
    assert (words, lines, found) == (
        "an Excel workbook, sheet 'S2' (not read: 'S1')",
        [5],
        [{"question": "Q?", "answer": 8}],
    )


def test_an_excel_file_is_refused_where_it_is_hostile_or_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.xlsx"
    assert failure(path, workbook(""))[0] == "FILE:1: no visible sheet of the workbook has rows"
    far = f'<row r="1">{cell("A1", "question")}</row><row r="1048576">{cell("XFD1048576", "x")}</row>'
    assert failure(path, workbook(far))[0] == "FILE:1: a sheet with cells as far as row 1,048,576 and column 16,384"
    padded = (
        f'<row r = "1">{cell("A1", "q")}</row><row r="1"><c{" " * 99}r  =  "XFD0000000001048576"><v>1</v></c></row>'
    )
    assert failure(path, workbook(padded))[0].startswith("FILE:1: a sheet with cells as far as row 1,048,576")
    twice = f'<row r="1">{cell("A1", "a")}{cell("B1", "a")}</row>'
    assert (
        failure(path, workbook(twice))[0] == "FILE:1: row 1 of sheet 'S1': a column appears twice; the header is: a, a"
    )
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("q.csv", TABLE)
    assert "not an Excel workbook" in failure(path, other.getvalue())[0]
    both = io.BytesIO(workbook(far))
    with zipfile.ZipFile(both, "a") as archive:
        archive.writestr("content.xml", "<office:document-content/>")
    assert "not an Excel workbook" in failure(path, both.getvalue())[0]
    monkeypatch.setattr("promptrial.datasets.sheets._MOST_BYTES", 1 << 20)
    assert "once unpacked" in failure(path, workbook(" " * (2 << 20)))[0]


def test_a_missing_package_for_excel_files_is_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    (tmp_path / "q.xlsx").write_bytes(workbook(""))
    with pytest.raises(MissingDependencyError) as caught:
        list(open_table(tmp_path / "q.xlsx").rows())
    assert "pip install 'promptrial[xlsx]'" in str(caught.value)
