"""The same questions in different layouts are the same items, and no row of any layout ends in a traceback."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptrial import registry
from promptrial.datasets.base import DatasetFormat, Reading
from promptrial.datasets.recognising import recognise
from promptrial.errors import DataError
from promptrial.model import Item

SHAPES: Final = Path(__file__).parents[1] / "data/questions/shapes"
LETTERS: Final = "ABCDEFGH"
Row = dict[str, Any]

words = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("C", "Z")), min_size=1, max_size=8
)
texts = st.lists(words, min_size=1, max_size=4).map(" ".join)
names = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)


def read(rows: object, write: Callable[[Path, Any], None], name: str, format_name: str) -> list[Item]:
    """Write rows to a file, recognise it, and return its items; the format must be the one that is expected."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path, rows)
        found = recognise(path)
        assert found.format == format_name
        format_: DatasetFormat = registry.load("dataset format", found.format)
        return list(format_.read(path, "mine", reading=Reading(columns=found.columns)))


def to_jsonl(path: Path, rows: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def to_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def to_columns(path: Path, rows: Sequence[Row]) -> None:
    to_json(path, {key: [row[key] for row in rows] for key in rows[0]})


def to_viewer(path: Path, rows: Sequence[Row]) -> None:
    to_json(path, {"features": [{"name": "x"}], "rows": [{"row_idx": at, "row": row} for at, row in enumerate(rows)]})


def to_parquet(path: Path, rows: Sequence[Row]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


class _Quoting(yaml.SafeDumper):
    """Writes every text in quotes: by YAML 1.2 a plain ``0E0`` is a number, and PyYAML would write that text so."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"')


_Quoting.add_representer(str, _Quoting.represent_str)


def to_yaml(path: Path, rows: object) -> None:
    path.write_text(yaml.dump(rows, Dumper=_Quoting, allow_unicode=True), encoding="utf-8")


def to_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


squad_rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": names,
            "title": texts,
            "context": texts,
            "question": texts,
            "answers": st.lists(texts, max_size=3).map(lambda found: {"text": found, "answer_start": [0] * len(found)}),
        }
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda row: str(row["id"]),
)


@given(squad_rows)
@settings(max_examples=30, deadline=None)
def test_squads_official_file_and_the_hubs_rows_in_any_container_are_the_same_questions(rows: list[Row]) -> None:
    official = {
        "version": "v2.0",
        "data": [
            {
                "title": row["title"],
                "paragraphs": [
                    {
                        "context": row["context"],
                        "qas": [
                            {
                                "id": row["id"],
                                "question": row["question"],
                                "answers": [{"text": text, "answer_start": 0} for text in row["answers"]["text"]],
                                "is_impossible": not row["answers"]["text"],
                            }
                        ],
                    }
                ],
            }
            for row in rows
        ],
    }
    expected = read(official, to_json, "q.json", "squad_v2")
    assert [item.id for item in expected] == [row["id"] for row in rows]
    for write, name in (
        (to_jsonl, "q.jsonl"),
        (to_json, "q.json"),
        (to_columns, "q.json"),
        (to_viewer, "q.json"),
        (to_parquet, "q.parquet"),
    ):
        assert read(rows, write, name, "squad_v2") == expected


choice_rows = st.lists(
    st.tuples(names, texts, st.lists(texts, min_size=2, max_size=5, unique=True), st.integers(0, 4)),
    min_size=1,
    max_size=4,
    unique_by=lambda row: row[0],
).map(lambda rows: [(name, question, choices, right % len(choices)) for name, question, choices, right in rows])


@given(choice_rows)
@settings(max_examples=30, deadline=None)
def test_multiple_choice_is_the_same_in_every_layout_that_holds_it(
    rows: list[tuple[str, str, list[str], int]],
) -> None:
    hub = [
        {
            "id": name,
            "question": question,
            "choices": {"text": choices, "label": list(LETTERS[: len(choices)])},
            "answerKey": LETTERS[right],
        }
        for name, question, choices, right in rows
    ]
    official = [
        {
            "id": name,
            "question": {
                "stem": question,
                "choices": [{"text": text, "label": LETTERS[at]} for at, text in enumerate(choices)],
            },
            "answerKey": LETTERS[right],
        }
        for name, question, choices, right in rows
    ]
    samples = [
        {"id": name, "input": question, "choices": choices, "target": LETTERS[right]}
        for name, question, choices, right in rows
    ]
    table = [{**row, "choices": json.dumps(row["choices"])} for row in samples]
    logged = [{"doc_id": at, "doc": row, "target": "0", "arguments": []} for at, row in enumerate(hub)]
    expected = read(hub, to_jsonl, "q.jsonl", "arc")
    assert [(item.id, item.answers, list(item.choices)) for item in expected] == [
        (name, (choices[right],), choices) for name, _, choices, right in rows
    ]
    assert read(hub, to_parquet, "q.parquet", "arc") == expected
    assert read(official, to_jsonl, "q.jsonl", "arc") == expected
    assert read(samples, to_json, "q.json", "inspect") == expected
    assert read(table, to_csv, "q.csv", "inspect") == expected
    assert read(logged, to_jsonl, "samples_arc.jsonl", "lm_eval_samples") == expected


tests_of_promptfoo = st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=4, unique_by=lambda row: row[0])


@example([("0", "0E0", "0")])
@example([("0", "0", "0 {")])
@given(tests_of_promptfoo)
@settings(max_examples=30, deadline=None)
def test_promptfoo_tests_are_the_same_in_yaml_json_jsonl_and_a_table(rows: list[tuple[str, str, str]]) -> None:
    rows = [(question, style, f"z{answer.replace('{', '')}".strip()) for question, style, answer in rows]  # no template
    tests = [
        {
            "vars": {"question": question, "style": style},
            "assert": [{"type": "icontains", "value": answer}],
            "metadata": {"topic": style},
        }
        for question, style, answer in rows
    ]
    table = [
        {
            "question": question,
            "style": style,
            "__expected": f"icontains: {answer}",
            "__metadata:topic": style,
        }
        for question, style, answer in rows
    ]
    expected = read(tests, to_jsonl, "q.jsonl", "promptfoo")
    assert [item.question for item in expected] == [question for question, _, _ in rows]
    assert read(tests, to_json, "q.json", "promptfoo") == expected
    assert read(tests, to_yaml, "q.yaml", "promptfoo") == expected
    assert read({"prompts": ["p"], "tests": tests}, to_yaml, "q.yml", "promptfoo") == expected
    assert read(table, to_csv, "q.csv", "promptfoo") == expected


chats = st.lists(
    st.tuples(st.lists(st.tuples(texts, texts), max_size=2), texts, st.lists(texts, min_size=1, max_size=3)),
    min_size=1,
    max_size=3,
    unique_by=lambda row: (str(row[0]), row[1]),
)


@given(chats)
@settings(max_examples=30, deadline=None)
def test_a_conversation_is_the_same_for_openai_and_for_inspect(
    rows: list[tuple[list[tuple[str, str]], str, list[str]]],
) -> None:
    def messages(turns: list[tuple[str, str]], question: str) -> list[dict[str, str]]:
        spoken = [
            message
            for asked, replied in turns
            for message in ({"role": "user", "content": asked}, {"role": "assistant", "content": replied})
        ]
        return [*spoken, {"role": "user", "content": question}]

    evals = [{"input": messages(turns, question), "ideal": ideal} for turns, question, ideal in rows]
    plain = [{"messages": messages(turns, question), "ideal": ideal} for turns, question, ideal in rows]
    samples = [{"input": messages(turns, question), "target": ideal} for turns, question, ideal in rows]
    expected = read(evals, to_jsonl, "q.jsonl", "openai_chat")
    assert [item.question for item in expected] == [question for _, question, _ in rows]
    assert [len(item.messages) for item in expected] == [2 * len(turns) for turns, _, _ in rows]
    assert read(plain, to_json, "q.json", "openai_chat") == expected
    assert read(samples, to_jsonl, "q.jsonl", "inspect") == expected


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=4)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """Return a JSON value with one part of it, or all of it, replaced by another, or left out."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 4)) == 0:
            return {other: inner for other, inner in value.items() if other != key}
        return {**value, key: draw(damaged(value[key]))}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(damaged(value[at])), *value[at + 1 :]]
    return draw(anything)


def refused_in_its_place(path: Path, expected: str) -> bool:
    """Whether a file is read, or refused with its name, as the format expected and as the one recognised."""
    formats = {expected}
    refusals: list[str] = []
    try:
        formats.add(recognise(path).format)
    except DataError as error:
        refusals.append(str(error))
    for name in formats:
        format_: DatasetFormat = registry.load("dataset format", name)
        try:
            list(format_.read(path, "mine"))
        except DataError as error:
            refusals.append(str(error))
    return all(refusal.startswith(f"{path}:") for refusal in refusals)


JSON_SHAPES: Final = sorted(path.name for path in SHAPES.iterdir() if path.suffix == ".jsonl")


@pytest.mark.parametrize("name", JSON_SHAPES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_damaged_rows_are_read_or_refused_with_their_place(name: str, data: st.DataObject) -> None:
    rows = [json.loads(line) for line in (SHAPES / name).read_text(encoding="utf-8").splitlines()]
    wrong = [data.draw(damaged(rows[0])), *rows[1:]]
    expected = json.loads((SHAPES / "expected.json").read_text(encoding="utf-8"))[name]["format"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        to_jsonl(path, wrong)
        assert refused_in_its_place(path, expected)


DOCUMENTS: Final = sorted(
    {path.name for path in SHAPES.iterdir() if path.suffix in {".json", ".yaml"}} - {"expected.json"}
)


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_damaged_documents_are_read_or_refused_with_their_place(name: str, data: st.DataObject) -> None:
    text = (SHAPES / name).read_text(encoding="utf-8")
    wrong = data.draw(damaged(yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)))
    expected = json.loads((SHAPES / "expected.json").read_text(encoding="utf-8"))[name]["format"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        to_json(path, wrong)  # which is YAML too
        assert refused_in_its_place(path, expected)
