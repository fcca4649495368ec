"""Errors in a question file are reported with file and line."""

import json
import re
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.errors import DataError

NQ = '{"question": "who", "answer": ["x"]}'
QA = {"id": "a", "question": "Where?", "answers": [{"text": "Norway", "answer_start": 0}], "is_impossible": False}
ANSWER = {"Value": "X", "Aliases": ["X"], "NormalizedAliases": ["x"]}


def failure(name: str, path: Path, data: str | bytes) -> str:
    """Return the error message with its hint, which names the section that says more; the path is cut off."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(DataError) as caught:
        list(registry.load("dataset format", name).read(path, "mine"))
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert re.search(r"see docs/question(s|_files)\.md#", str(caught.value.hint))
    return message.replace(str(path), "FILE")


def squad(*questions: object, context: object = "Oslo is in Norway.", indent: int | None = None) -> str:
    first = {"context": "First.", "qas": [QA | {"id": "first"}]}
    paragraphs = [first, {"context": context, "qas": questions}]
    return json.dumps({"data": [{"paragraphs": paragraphs}]}, indent=indent)


def trivia(*entries: object) -> str:
    return json.dumps({"Data": entries}, indent=1)


@pytest.mark.parametrize(
    ("second_line", "problem"),
    [
        (NQ, "duplicate id 'nq_6ed0337140bd32b4', first at FILE:1"),
        ('{"question": " ", "answer": ["x"]}', "the question is empty"),
        ('{"question": 3, "answer": ["x"]}', "`question` is a number, and should be a text"),
        ('{"question": "b", "answer": "x"}', "`answer` is a text, and should be a list"),
        ('{"question": "b", "answer": [1]}', "`answer[0]` is a number, and should be a text"),
        ('{"question": "b"}', "`answer` is missing"),
        ('{"question": "b", "answer": []}', "no answers, and not marked unanswerable"),
        ('{"question": "b", "answer": ["x", " "]}', "an answer is empty"),
        ('["b"]', "this is a list, and should be an object"),
        ('{"question": "b"', "not valid JSON"),
        ('{"question": "b", "answer": ["\\ud800"]}', "not valid JSON"),
        ('{"x":' + "[" * 100_000, "not readable: JSON nested too deeply"),
    ],
)
def test_a_wrong_line_of_jsonl_is_named(tmp_path: Path, second_line: str, problem: str) -> None:
    message = failure("nq_open", tmp_path / "n.jsonl", f"{NQ}\n{second_line}\n")
    assert message.startswith("FILE:2:")
    assert problem in message


def test_blank_lines_count_as_lines(tmp_path: Path) -> None:
    assert failure("nq_open", tmp_path / "n.jsonl", f"\n\n{NQ}\n\n{NQ}\n").startswith("FILE:5: duplicate id")


def test_bad_utf8_in_a_line_is_named_with_its_byte(tmp_path: Path) -> None:
    message = failure("nq_open", tmp_path / "n.jsonl", NQ.encode() + b"\n" + NQ.encode().replace(b"who", b"w\xff"))
    assert message.startswith(
        "FILE:2: not UTF-8: invalid start byte at byte 16 of the line\n  next: save the file as UTF-8"
    )


@pytest.mark.parametrize("name", ["squad_v2", "nq_open", "triviaqa", "custom"])
def test_an_empty_file_and_a_missing_file_are_errors(tmp_path: Path, name: str) -> None:
    assert failure(name, tmp_path / "empty", b"").startswith("FILE:1: the file is empty\n")
    with pytest.raises(DataError, match="No such file") as caught:
        list(registry.load("dataset format", name).read(tmp_path / "gone", "mine"))
    assert caught.value.hint is not None
    with pytest.raises(DataError, match="directory"):
        list(registry.load("dataset format", name).read(tmp_path, "mine"))


@pytest.mark.parametrize(
    ("name", "text"), [("squad_v2", '{"data": []}'), ("triviaqa", '{"Data": []}'), ("nq_open", "\n"), ("custom", "\n")]
)
def test_a_file_without_questions_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    assert failure(name, tmp_path / "f", text).startswith("FILE:1: no questions in the file\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "first"}, "duplicate id 'first', first at FILE:8: data[0].paragraphs[0].qas[0]"),
        ({"id": ""}, "the id is empty"),
        ({"id": "a\nb"}, "the id contains an invisible character: 'a\\nb'"),
        ({"id": "a\u200bb"}, "the id contains an invisible character"),
        ({"id": " a"}, "begins or ends with a space"),
        ({"id": [7]}, "`id` is a list, and should be a number or a text"),
        ({"question": ""}, "id 'a': the question is empty"),
        ({"question": None}, "`question` is null, and should be a text"),
        ({"answers": []}, "id 'a': no answers, and not marked unanswerable"),
        ({"answers": [{"text": ""}]}, "id 'a': an answer is empty"),
        ({"answers": [{}]}, "`answers[0].text` is missing"),
        ({"is_impossible": True}, "id 'a': marked unanswerable, but has answers: 'Norway'"),
        ({"is_impossible": "no"}, "`is_impossible` is a text, and should be true or false"),
    ],
)
def test_a_wrong_squad_question_is_named_with_its_place_and_line(
    tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    text = squad(QA | {"id": "before"}, QA | change, indent=1)
    message = failure("squad_v2", tmp_path / "s.json", text)
    # questions are the objects at this depth: "first", "before", then ours
    begins = [number for number, line in enumerate(text.splitlines(), start=1) if line == " " * 6 + "{"]
    assert message.startswith(f"FILE:{begins[2]}: data[0].paragraphs[1].qas[1]: ")
    assert problem in message


def test_an_entry_that_is_not_an_object_and_a_passage_of_the_wrong_type_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    assert "data[0].paragraphs[1].qas[0]: this is a number, and should be an object" in failure(
        "squad_v2", path, squad(3)
    )
    assert "data[0].paragraphs[1]: `context` is a number, and should be a text" in failure(
        "squad_v2", path, squad(QA, context=3)
    )
    assert "the context is empty" in failure("squad_v2", path, squad(QA, context=" "))


def test_two_identical_entries_are_distinguished_by_their_lines(tmp_path: Path) -> None:
    entry = json.dumps(QA)
    text = '{"data": [{"paragraphs": [{"context": "C", "qas": [\n' + entry + ",\n" + entry + "\n]}]}]}"
    message = failure("squad_v2", tmp_path / "s.json", text)
    assert message.startswith("FILE:3: data[0].paragraphs[0].qas[1]: duplicate id 'a', first at FILE:2: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n"data": [\n{"paragraphs" []}]}', 3),
        ('{\n"data": [\n\n', 3),
        ('{"data": []}\n\n{"data": []}', 3),
        ("not json", 1),
        ('{"data": [\n{"x": "\\ud800"}]}', 2),
    ],
)
def test_a_syntax_error_in_a_document_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert failure("squad_v2", tmp_path / "s.json", text).startswith(f"FILE:{line}: not valid JSON")


def test_a_document_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    text = '{"data": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert failure("squad_v2", tmp_path / "s.json", text).startswith("FILE:1: not readable: JSON nested too deeply\n")


@pytest.mark.parametrize("before", [0, (1 << 20) - 20, (1 << 20) - 1])
def test_bad_utf8_anywhere_in_a_document_is_named_with_its_line(tmp_path: Path, before: int) -> None:
    text = b'{"data":\n\n[]' + b" " * before + b',"x":\n"\xe2\x82"}'
    assert failure("squad_v2", tmp_path / "s.json", text).startswith("FILE:4: not UTF-8: ")


def test_the_file_of_another_format_is_refused(tmp_path: Path) -> None:
    assert "`data` is missing" in failure("squad_v2", tmp_path / "f", trivia())
    assert "`Data` is missing" in failure("triviaqa", tmp_path / "f", squad(QA))
    assert "`question` is missing" in failure("nq_open", tmp_path / "f", squad(QA))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"QuestionId": "q1", "Question": "Q?", "Answer": ANSWER}, "duplicate id 'q1', first at FILE:3: Data[0]"),
        ({"QuestionId": "q2", "Question": "", "Answer": ANSWER}, "id 'q2': the question is empty"),
        ({"QuestionId": "q2", "Question": "Q?"}, "`Answer` is missing"),
        ({"QuestionId": "q2", "Question": "Q?", "Answer": {"Value": "x"}}, "`Answer.Aliases` is missing"),
        (
            {"QuestionId": "q2", "Question": "Q?", "Answer": ANSWER | {"NormalizedAliases": []}},
            "id 'q2': no answers, and not marked unanswerable",
        ),
    ],
)
def test_a_wrong_triviaqa_entry_is_named_with_its_line(tmp_path: Path, entry: object, problem: str) -> None:
    good = {"QuestionId": "q1", "Question": "Q?", "Answer": ANSWER}
    text = trivia(good, entry)
    line = [number for number, line in enumerate(text.splitlines(), start=1) if line == "  {"][1]
    message = failure("triviaqa", tmp_path / "t.json", text)
    assert message.startswith(f"FILE:{line}: Data[1]: ")
    assert problem in message
