"""Rows in JSON objects of several forms and in YAML, and the head of a file from its first megabyte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptrial.datasets import heads
from promptrial.datasets.encodings import HEAD
from promptrial.datasets.heads import read_head
from promptrial.datasets.table import open_table
from promptrial.errors import DataError

TWO = [{"question": "Q1?", "answer": 1}, {"question": "Q2?", "answer": ["b", "c"]}]


def rows(path: Path, text: str, names: frozenset[str] = frozenset({"question"})) -> list[dict[str, object]]:
    path.write_text(text)
    return [row for _, row in open_table(path, names=names).rows()]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "value",
    [
        {"version": 1, "data": TWO},
        {"features": [{"name": "question"}], "rows": TWO},
        {"notes": ["x", "y"], "data": TWO},
        {"question": ["Q1?", "Q2?"], "answer": [1, ["b", "c"]]},
        {"question": {"0": "Q1?", "1": "Q2?"}, "answer": {"0": 1, "1": ["b", "c"]}},
    ],
)
def test_an_object_holds_a_list_of_rows_or_columns_side_by_side(
    tmp_path: Path, value: object, indent: int | None
) -> None:
    assert rows(tmp_path / "q.json", json.dumps(value, indent=indent)) == TWO


def test_a_column_may_hold_objects(tmp_path: Path) -> None:
    value = {"question": ["Q1?"], "answers": [{"text": ["a"]}]}
    assert rows(tmp_path / "q.json", json.dumps(value)) == [{"question": "Q1?", "answers": {"text": ["a"]}}]


def test_the_key_of_an_object_is_the_id_of_a_row_without_one(tmp_path: Path) -> None:
    value = {"q1": {"question": "Q1?"}, "q2": {"ID": 7, "question": "Q2?"}}
    found = rows(tmp_path / "q.json", json.dumps(value))
    assert found == [{"id": "q1", "question": "Q1?"}, {"ID": 7, "question": "Q2?"}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": [{"x": 1}],\n "b": [{"x": 1}]}', "several lists of objects: 'a', 'b'"),
        ('{"a": [1, 2],\n "b": [3]}', "without a list of questions; its keys: 'a', 'b'"),
        ('{"a": [1],\n "b": 3}', "without a list of questions; its keys: 'a', 'b'"),
        ("{}", "without a list of questions; its keys: "),
        ('{"q1":\n {"x": 1, "x": 2}}', "the key 'x' occurs twice"),
    ],
)
def test_an_object_that_holds_no_rows_or_too_many_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        rows(tmp_path / "q.json", text)


def test_columns_with_one_value_are_not_taken_for_a_row(tmp_path: Path) -> None:
    assert len(rows(tmp_path / "q.json", '{"question": ["Q1?", "Q2?"], "answer": ["a", "b"]}')) == 2
    assert len(rows(tmp_path / "r.json", '{"question": "Q1?", "answer": ["a", "b"]}')) == 1


YAML = """
- vars: {question: Q1?}   # a comment
  when: 2020-01-02
- vars:
    question: Q2?
    3: x
"""


@pytest.mark.parametrize("wrapped", [False, True])
def test_yaml_is_a_list_of_mappings_or_the_tests_of_one_with_their_lines(tmp_path: Path, *, wrapped: bool) -> None:
    text = "prompts: [{id: a}]\nproviders: [x]\ntests:" + YAML if wrapped else YAML
    path = tmp_path / "q.YAML"
    path.write_text(text)
    table = open_table(path)
    found = list(table.rows())
    assert table.words == "YAML"
    assert [row for _, row in found] == [
        {"vars": {"question": "Q1?"}, "when": "2020-01-02"},
        {"vars": {"question": "Q2?", "3": "x"}},
    ]
    assert [place.line for place, _ in found] == ([4, 6] if wrapped else [2, 4])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a: [1\n- b", r"q\.yaml:3: not readable as YAML: did not find"),
        ("a: 1", r"q\.yaml:1: no list of mappings"),
        ("- x: 1\n- file://other.yaml", r"q\.yaml:2: \[1\]: not a mapping: 'file://other.yaml'"),
        ("- &a [1]\n- !!python/object:os.system x", "not readable as YAML"),
        ("", "the file is empty"),
    ],
)
def test_an_error_in_yaml_is_reported_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        rows(tmp_path / "q.yaml", text)


LONG = [{"question": f"Q{number}? " + "word " * 2000, "answer": str(number)} for number in range(300)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.json", json.dumps(LONG)),
        ("q.json", json.dumps({"version": "1 [{", "meta": {"of": [1]}, "data": LONG}, indent=1)),
        ("q.jsonl", "".join(json.dumps(row) + "\n" for row in LONG)),
    ],
)
def test_the_head_of_a_large_file_is_its_first_rows_and_needs_no_more_than_its_first_megabyte(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text[: HEAD + 100])  # the rest is missing: it is not read
    assert read_head(path).rows == tuple(LONG[: heads.ROWS])


def test_a_document_whose_first_row_is_larger_than_the_head_is_read_as_a_whole(tmp_path: Path) -> None:
    row = {"question": "Q?", "context": "x" * (HEAD + 10)}
    (tmp_path / "q.json").write_text(json.dumps([row]))
    assert read_head(tmp_path / "q.json").rows == (row,)


def test_the_columns_of_a_head_are_those_of_all_its_rows_in_order(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"b": 1}\n{"a": 2, "b": 3}\n')
    assert read_head(tmp_path / "q.jsonl").columns == ("b", "a")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(
            ("yes", "yes"),
            ("No", "No"),
            ("NO", "NO"),
            ("on", "on"),
            ("y", "y"),
            ("12:30", "12:30"),
            ("12:30:00", "12:30:00"),
        ),
        *(("010", "010"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("0o17", "0o17"), ("0b11", "0b11"), ("+5", "+5")),
        *(("2024-05-01", "2024-05-01"), ("2024-05-01t9:30:00Z", "2024-05-01t9:30:00Z"), ("=", "="), ("08", "08")),
        *(("true", True), ("False", False), ("8", 8), ("-3", -3), ("8.5", 8.5), ("1e3", 1000.0)),
        *(("~", None), ("null", None), ("", None), ('"8"', "8"), ("!!str 8", "8")),
    ],
)
def test_a_scalar_of_yaml_is_text_as_written_unless_json_has_it(tmp_path: Path, written: str, value: object) -> None:
    found = rows(tmp_path / "q.yaml", f"- question: Q?\n  answer: {written}\n")
    assert found == [{"question": "Q?", "answer": value}]
    assert type(found[0]["answer"]) is type(value)


def test_the_first_yaml_list_with_a_usual_name_is_read_as_in_json(tmp_path: Path) -> None:
    text = "notes: [{x: 1}]\nQuestions: [{question: Q?}]\ntests: [{y: 1}]\n"
    assert rows(tmp_path / "q.yaml", text) == [{"question": "Q?"}]


def test_keys_of_yaml_are_text_as_written(tmp_path: Path) -> None:
    found = rows(tmp_path / "q.yaml", "- {question: Q?, no: 1, on: 2, 1: 3, true: 4, 010: 5}\n")
    assert found == [{"question": "Q?", "no": 1, "on": 2, "1": 3, "true": 4, "010": 5}]


def test_a_duplicate_yaml_key_is_an_error_and_a_merged_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"q\.yaml:3: not readable as YAML: the key 'answer' occurs twice"):
        rows(tmp_path / "q.yaml", "- question: Q?\n  answer: a\n  answer: b\n")
    text = "- &first {question: Q?, 1: a}\n- {<<: *first, question: R?}\n"
    assert rows(tmp_path / "q.yaml", text)[1] == {"question": "R?", "1": "a"}


@pytest.mark.parametrize("first", [[], [{"a": 1}]])
@pytest.mark.parametrize("name", ["data", "Questions"])
def test_a_large_object_is_recognised_by_the_list_that_is_read(tmp_path: Path, first: list[object], name: str) -> None:
    large = [{"question": f"Q{n}?", "answer": "x" * 200} for n in range(6000)]
    (tmp_path / "q.json").write_text(json.dumps({"meta": first, name: large, "items": [{"b": 2}]}))
    assert (tmp_path / "q.json").stat().st_size > HEAD
    read = [row for _, row in open_table(tmp_path / "q.json").rows()]
    assert read == large
    assert list(read_head(tmp_path / "q.json").rows) == read[: heads.ROWS]


def test_a_list_before_the_questions_that_is_larger_than_the_head_is_not_taken_for_them(tmp_path: Path) -> None:
    logs = [{"log": "x" * 200} for _ in range(6000)]
    (tmp_path / "q.json").write_text(json.dumps({"logs": logs, "data": TWO}))
    assert list(read_head(tmp_path / "q.json").rows) == TWO


def test_the_first_of_several_lists_with_usual_names_is_read(tmp_path: Path) -> None:
    assert rows(tmp_path / "q.json", json.dumps({"notes": [{"x": 1}], "data": TWO, "rows": [{"y": 1}]})) == TWO
