"""Question files of one's own, as JSONL and as CSV."""

from pathlib import Path

import pytest

from promptrial.datasets.clusters import cluster_id
from promptrial.datasets.custom import FORMAT
from promptrial.errors import DataError
from promptrial.model import Item

HEADER = "id,question,answers,context,is_unanswerable,cluster\n"


def read(path: Path, text: str | bytes) -> list[Item]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(FORMAT.read(path, "mine"))


def failure(path: Path, text: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        read(path, text)
    return caught.value.message.replace(str(path), "FILE")


def test_jsonl_and_csv_with_the_same_rows_give_the_same_items(tmp_path: Path) -> None:
    jsonl = (
        '{"id": "a", "question": "Q, a?", "answers": ["ten", "10"], "context": "Line 1\\nline 2", "cluster": "k"}\n'
        '{"id": "b", "question": "Q b?", "answers": [], "context": "C", "is_unanswerable": true, "note": 1}\n'
        '{"id": "c", "question": "Q c?", "answers": ["x|y", "[z]"], "context": null}\n'
    )
    table = (
        "\ufeffid,question,answers,context,is_unanswerable,cluster,note\r\n"
        'a,"Q, a?",ten | 10,"Line 1\nline 2",no,k,\r\n'
        "\r\n"
        "b,Q b?,,C,TRUE,,1\r\n"
        'c,Q c?,"[""x|y"", ""[z]""]",,,,\r\n'
    )
    items = read(tmp_path / "q.jsonl", jsonl)
    assert items == read(tmp_path / "q.csv", table)
    assert [item.type for item in items] == ["open", "open", "closed"]
    assert items[0].answers == ("ten", "10")
    assert items[1].is_unanswerable
    assert items[2].answers == ("x|y", "[z]")
    assert cluster_id(items[0]) == "mine#k"


def test_a_passage_may_be_longer_than_the_csv_module_allows_by_itself(tmp_path: Path) -> None:
    passage = "word " * 40_000 + "end."
    (item,) = read(tmp_path / "q.csv", HEADER + f'a,Q?,x,"{passage}",,\n')
    assert item.context == passage


@pytest.mark.parametrize("name", ["q.CSV", "q.Csv"])
def test_the_case_of_a_files_ending_does_not_matter(tmp_path: Path, name: str) -> None:
    (item,) = read(tmp_path / name, HEADER + "a,Q?,x,,,\n")
    assert item.answers == ("x",)


@pytest.mark.parametrize(
    ("name", "text"), [("q.csv", HEADER + "a,Q?,,,,\n"), ("q.jsonl", '{"id": "a", "question": "Q?"}')]
)
def test_a_row_without_answers_is_a_question_without_a_gold_answer(tmp_path: Path, name: str, text: str) -> None:
    (item,) = read(tmp_path / name, text)
    assert (item.answers, item.is_unanswerable, item.has_gold) == ((), False, False)


def test_an_unanswerable_row_may_leave_its_answers_out(tmp_path: Path) -> None:
    (item,) = read(tmp_path / "q.jsonl", '{"id": "a", "question": "Q?", "is_unanswerable": true}')
    assert item.answers == ()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("a,Q?,x,,,\na,Q?,x,,,\n", "FILE:3: duplicate id 'a', first at FILE:2"),
        ('a,"Q\n?",x,,,\nb,,x,,,\n', "FILE:4: id 'b': the question is empty"),
        ("a,Q?,x||y,,,\n", "FILE:2: id 'a': an answer is empty"),
        ("a,Q?,x,,yes,\n", "FILE:2: id 'a': marked unanswerable, but has answers: 'x'"),
        ("a,Q?,x,,maybe,\n", "FILE:2: is_unanswerable is 'maybe'; allowed: true, 1, yes, false, 0, no, or nothing"),
        ("a,Q?,x, ,,\n", "FILE:2: id 'a': the context is empty"),
        ("a,Q?,[x],,,\n", "FILE:2: answers begin with [ but are not a JSON list of texts"),
        ('a,Q?,"[[1]]",,,\n', "FILE:2: answers begin with [ but are not a JSON list of texts: Expected "),
        ("a,Q?,x\n", "FILE:2: 3 cells under a header of 6"),
        ("a,Q?,x,,,,\n", "FILE:2: 7 cells under a header of 6"),
        ('a,Q?,"x\ny,,,\n', "FILE:2: not valid CSV"),
        ('a,Q?,"x"y,,,\n', "FILE:2: not valid CSV"),
        ("a\tb,Q?,x,,,\n", "FILE:2: the id contains an invisible character: 'a\\tb'"),
        ("a,Q?,x,,,k\u2028\n", "FILE:2: the cluster contains an invisible character"),
        ("", "FILE:1: no questions in the file"),
    ],
)
def test_a_wrong_csv_row_is_named_with_the_line_on_which_it_begins(tmp_path: Path, rows: str, problem: str) -> None:
    assert failure(tmp_path / "q.csv", HEADER + rows).startswith(problem)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("id,answers", "FILE:1: no column holds the question; the columns are 'id', 'answers'"),
        ("id,question,anwser", "FILE:1: unknown column 'anwser'; did you mean 'answer'?"),
        ("id,qestion,answers", "FILE:1: unknown column 'qestion'; did you mean 'question'?"),
        ("id,question,Id", "FILE:1: two columns have the same name except for case and spaces: 'id' and 'Id'"),
        (
            "id,question,answers,answers",
            "FILE:1: a column appears twice; the header is: id, question, answers, answers",
        ),
    ],
)
def test_a_wrong_csv_header_is_named(tmp_path: Path, header: str, problem: str) -> None:
    row = ",".join("x" * (1 + header.count(","))).replace("xx", "x,x")
    assert failure(tmp_path / "q.csv", f"{header}\n{row}\n") == problem


def test_other_columns_are_ignored_unless_they_look_like_a_typo(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    row = '{"id": "a", "question": "Q?", "answers": ["x"], "context_id": 1, "question_id": 2, "source": "s"}\n'
    assert len(read(path, row)) == 1
    slip = '{"id": "b", "question": "Q?", "answers": ["x"], "contexts": "C"}\n'
    assert failure(path, row + slip) == "FILE:2: unknown column 'contexts'; did you mean 'context'?"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"id": "a", "question": ["Q?"]}', "column 'question' holds a list, not a text: ['Q?']"),
        ('{"id": "a", "question": "Q?", "answers": [{"text": "x"}]}', "column 'answers' holds an object, not a text"),
        ('{"id": "a", "question": "Q?", "is_unanswerable": 2}', "is_unanswerable is '2'; allowed: true, 1, yes, false"),
        ('{"id": "a", "question": "Q?", "answers": ["x"], "context": " "}', "id 'a': the context is empty"),
        ('{"id": "a", "question": "Q?", "answers": ["x"], "cluster": " "}', "the cluster is empty"),
        ('{"id": "a", "answers": ["x"]}', "no column holds the question; the columns are 'id', 'answers'"),
        ("3", "this is a number, and should be an object"),
    ],
)
def test_a_wrong_jsonl_row_is_named_with_its_line(tmp_path: Path, row: str, problem: str) -> None:
    message = failure(tmp_path / "q.jsonl", f"\n{row}\n")
    assert message.startswith("FILE:2: ")
    assert problem in message


def test_bad_utf8_in_a_csv_is_named_with_its_line(tmp_path: Path) -> None:
    message = failure(tmp_path / "q.csv", HEADER.encode() + b"a,Q\xe9?,x,,,\n")
    assert message == "FILE:2: not UTF-8: invalid continuation byte at byte 4 of the line"
