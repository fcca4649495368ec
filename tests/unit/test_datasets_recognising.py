"""The format of a question file is recognised from its first rows, and reported."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from promptrial import registry
from promptrial.datasets.base import DatasetFormat
from promptrial.datasets.encodings import HEAD
from promptrial.datasets.recognising import recognise
from promptrial.errors import DataError
from tests.support.questions import made_up_file

ARC = {"question": "Q?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["squad_v2", "nq_open", "triviaqa"])
def test_the_official_files_are_recognised(name: str) -> None:
    assert recognise(made_up_file(name)).format == name


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("NQ-open.dev.jsonl", "nq_open"),
        ("my_nq.jsonl", "nq_open"),
        ("natural-questions.jsonl", "nq_open"),
        ("inquiry.jsonl", "custom"),
        ("q.jsonl", "custom"),
    ],
)
def test_a_question_and_a_list_of_answers_are_nq_open_only_if_the_name_says_so(
    tmp_path: Path, name: str, format_: str
) -> None:
    found = recognise(write(tmp_path / name, {"question": "q", "answer": ["a"]}))
    assert found.format == format_
    also = "this is also the layout of nq_open; write `format: nq_open` for its rules"
    assert (also in found.sentences) == (format_ == "custom")


def test_a_file_that_fits_several_formats_is_refused_with_the_line_to_write(tmp_path: Path) -> None:
    row = {"input": [{"role": "user", "content": "Q?"}], "target": "a", "ideal": "a"}
    with pytest.raises(DataError) as caught:
        recognise(write(tmp_path / "q.jsonl", row))
    assert caught.value.message.endswith("q.jsonl:1: this may be any of several formats: inspect, openai_chat")
    assert "`format: inspect`" in str(caught.value.hint)


def test_one_row_of_another_kind_makes_a_file_a_custom_table(tmp_path: Path) -> None:
    assert recognise(write(tmp_path / "a.jsonl", ARC, ARC)).format == "arc"
    assert recognise(write(tmp_path / "b.jsonl", ARC, {"question": "Q?", "answer": "a"})).format == "custom"


def test_configured_columns_make_a_file_a_table_unless_its_format_accepts_them(tmp_path: Path) -> None:
    arc = write(tmp_path / "a.jsonl", ARC)
    found = recognise(arc, columns={"question": "answerKey"})
    assert (found.format, found.columns["question"]) == ("custom", "answerKey")
    tests = write(tmp_path / "t.jsonl", {"vars": {"place": "Oslo"}, "assert": []})
    assert recognise(tests, columns={"question": "place"}).format == "promptfoo"
    format_: DatasetFormat = registry.load("dataset format", "arc")
    reading = format_.read(arc, "mine")
    assert next(reading).answers == ("b",)


def test_a_format_with_its_own_keys_accepts_no_columns(tmp_path: Path) -> None:
    from promptrial.datasets.base import Reading

    for name in ("arc", "squad_v2"):
        format_: DatasetFormat = registry.load("dataset format", name)
        with pytest.raises(DataError, match=f"the format {name} has fixed keys, and does not use `columns`"):
            list(format_.read(write(tmp_path / "a.jsonl", ARC), "mine", reading=Reading(columns={"question": "x"})))


def test_matched_and_kept_columns_are_reported(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("Level;Question;Answer\n1;Q?;a\n")
    found = recognise(tmp_path / "q.csv")
    assert found.columns == {"question": "Question", "answers": "Answer"}
    assert found.sentences == (
        "read as semicolon-separated, in the format custom",
        "columns: question from 'Question', answers from 'Answer'",
        "kept with the question: 'Level'",
    )
    (sentence,) = recognise(write(tmp_path / "a.jsonl", ARC)).sentences
    assert sentence == (
        "read as JSON objects, one per line, in the format arc (ARC, CommonsenseQA, OpenBookQA: choices with labels, "
        "and an `answerKey`)"
    )


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([{"nr": 1, "frage": "Wo?", "antwort": "da"}], "`columns: {question: frage, answers: antwort}`"),
        ([{"Die Frage": "Wo?", "1": "da"}], '`columns: {question: "Die Frage", answers: "1"}`'),
        ([{"text": "long enough to be it", "x": "b"}, {"x": 3}], "`columns: {question: text, answers: x}`"),
        ([{"title": "a", "問題": "どこ\uff1f"}], "`columns: {question: 問題}`"),
    ],
)
def test_the_column_that_looks_like_the_question_is_suggested(
    tmp_path: Path, rows: list[dict[str, Any]], wanted: str
) -> None:
    path = write(tmp_path / "q.jsonl", *rows)
    with pytest.raises(DataError) as caught:
        recognise(path)
    assert wanted in str(caught.value.hint)
    assert str(caught.value.hint).endswith("see docs/questions.md#formats")


def test_a_typo_in_the_name_of_the_question_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown column 'questoin'; did you mean 'question'"):
        recognise(write(tmp_path / "q.jsonl", {"questoin": "Q?", "answer": "a"}))


@pytest.mark.parametrize("text", ["", "\n", "[]", '{"data": []}', "question,answer\n", "[{}]", "{}\n{}\n"])
def test_a_file_without_rows_has_no_questions(tmp_path: Path, text: str) -> None:
    (tmp_path / "q").write_text(text)
    with pytest.raises(DataError, match=r"no questions in the file|the file is empty"):
        recognise(tmp_path / "q")


def test_row_order_and_compression_do_not_change_the_format(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**ARC, "id": number} for number in range(30)]
    rows.sort(key=lambda row: row["id"] * 7 % 13)
    path = write(tmp_path / "q.jsonl", *rows)
    packed = tmp_path / "q.bin"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert recognise(path).format == recognise(packed).format == "arc"
    assert recognise(packed).sentences[0].startswith("read as JSON objects, one per line, gzip, in the format arc")


def test_a_large_document_is_recognised_from_its_first_megabyte(tmp_path: Path) -> None:
    paragraph = {"context": "word " * 100, "qas": [{"id": "a", "question": "Q?", "answers": []}]}
    document = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [paragraph] * 20}] * 200}
    path = tmp_path / "q.json"
    text = json.dumps(document)
    assert len(text) > 2 * HEAD
    path.write_text(text[: HEAD + HEAD // 2])  # the rest is missing, and not looked at
    assert recognise(path).format == "squad_v2"


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"question": "Wo?", "Antwort": "da", "language": "de"}, "answers: Antwort"),
        ({"question": "Q?", "option_a": "x", "option_b": "y", "correct_answer": "A"}, "answers: correct_answer"),
        ({"question": "Q?", "Correct Answer": "A"}, 'answers: "Correct Answer"'),
        ({"question": "Q?", "reference": "a"}, "answers: reference"),
        ({"question": "Q?", "modelSolution": "a"}, "answers: modelSolution"),
        ({"question": "Q?", "Re\u0301ponse": "a"}, "answers: "),
        ({"question": "Q?", "ΑΠΑΝΤΉΣΕΙΣ": "a"}, "answers: ΑΠΑΝΤΉΣΕΙΣ"),
        ({"prompt": "Q?", "respuesta": "a"}, "answers: respuesta"),
        ({"question": "Q?", "correct_option": 2}, "answers: correct_option"),
        ({"question": "Q?", "A": "x", "B": "y", "key": "B"}, "answers: key"),
        ({"question": "Q?", "A": "x", "B": "y", "level": "hard", "what": "y"}, "answers: what"),
        ({"question": "Q?", "choices": ["x", "y"], "level": "hard"}, "answers: COLUMN"),
    ],
)
def test_a_table_whose_answers_are_not_recognised_is_refused_with_the_line_to_write(
    tmp_path: Path, row: dict[str, Any], wanted: str
) -> None:
    path = write(tmp_path / "q.jsonl", row)
    with pytest.raises(DataError) as caught:
        recognise(path)
    hint = str(caught.value.hint)
    assert f"`columns: {{{wanted}" in hint
    assert f"if the questions have no accepted answers, write `columns: {{question: {next(iter(row))}}}`" in hint
    assert recognise(path, columns={"question": next(iter(row))}).format == "custom"


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q?"},
        {"prompt": "Write a poem.", "level": "hard", "language": "de"},
        {"question": "Q?", "reference": ""},
        {"question": "Q?", "answer_type": "span"},
        {"question": "Q?", "answer": "a", "reference": "b"},
    ],
)
def test_a_table_without_a_column_that_looks_like_answers_is_read(tmp_path: Path, row: dict[str, Any]) -> None:
    assert recognise(write(tmp_path / "q.jsonl", row)).format == "custom"
