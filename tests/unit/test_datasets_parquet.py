"""Parquet files with the hub's columns become the same items as official files."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial import registry
from promptrial.datasets.base import DatasetFormat, Reading
from promptrial.errors import DataError
from promptrial.model import Item

SQUAD_ROW = {
    "id": "a",
    "title": "T",
    "context": "Oslo is in Norway.",
    "question": "Where?",
    "answers": {"text": ["Norway", "Norway"], "answer_start": [11, 11]},
}
TRIVIA_ROW = {
    "question": "Who?",
    "question_id": "tc_1",
    "question_source": "s",
    "answer": {"value": "The X", "aliases": ["X!"], "normalized_aliases": ["x", "y"], "type": "WikipediaEntity"},
}


def official(name: str) -> DatasetFormat:
    entry = registry.load("dataset format", name)
    assert isinstance(entry, DatasetFormat)
    return entry


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def failure(name: str, *paths: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(official(name).placed(paths, "mine"))
    return caught.value.message.replace(str(paths[0].parent), "DIR")


def squad_row(item_id: str, *answers: str) -> dict[str, Any]:
    return {"id": item_id, "question": "q", "context": "c", "answers": {"text": list(answers)}}


def test_squad_rows_that_all_have_answers_are_scored_as_version_1_1(tmp_path: Path) -> None:
    first = write(tmp_path / "1.parquet", [squad_row("a", "x"), squad_row("b", "y")])
    assert official("squad_v2").rules([first], Reading()) == "squad_v1"
    second = write(tmp_path / "2.parquet", [squad_row("c", "x"), squad_row("d")])
    assert official("squad_v2").rules([first, second], Reading()) is None


def test_squad_rows_without_answers_are_unanswerable(tmp_path: Path) -> None:
    empty = SQUAD_ROW | {"id": "b", "answers": {"text": [], "answer_start": []}}
    path = write(tmp_path / "s.parquet", [SQUAD_ROW, empty])
    first = Item(id="a", dataset="mine", question="Where?", answers=("Norway",), context="Oslo is in Norway.")
    expected = [first, msgspec.structs.replace(first, id="b", answers=(), is_unanswerable=True)]
    assert [item for _, item in official("squad_v2").placed([path], "mine")] == expected
    assert list(official("squad_v2").read(path, "mine")) == expected


def test_nq_rows_have_the_ids_of_the_official_file(tmp_path: Path) -> None:
    path = write(tmp_path / "n.parquet", [{"question": "who a", "answer": ["x"]}])
    (item,) = official("nq_open").read(path, "mine")
    assert item == Item(id="nq_909d90b50efda60a", dataset="mine", question="who a", answers=("x",))


def test_triviaqa_rows_give_readable_answers(tmp_path: Path) -> None:
    (item,) = official("triviaqa").read(write(tmp_path / "t.parquet", [TRIVIA_ROW]), "mine")
    assert item == Item(id="tc_1", dataset="mine", question="Who?", answers=("The X", "X!", "y"))


def test_custom_rows_may_come_as_parquet(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", [{"id": "a", "question": "Q?", "answers": ["x"], "cluster": None}])
    assert list(official("custom").read(path, "mine")) == [Item(id="a", dataset="mine", question="Q?", answers=("x",))]


def test_shards_are_read_in_order_and_an_id_cannot_be_in_two(tmp_path: Path) -> None:
    first = write(tmp_path / "s-0.parquet", [SQUAD_ROW, SQUAD_ROW | {"id": "b"}])
    second = write(tmp_path / "s-1.parquet", [SQUAD_ROW | {"id": "c"}, SQUAD_ROW | {"id": "b"}])
    third = write(tmp_path / "s-2.parquet", [SQUAD_ROW | {"id": "d"}])
    assert [item.id for _, item in official("squad_v2").placed([first, third], "mine")] == ["a", "b", "d"]
    assert failure("squad_v2", first, second) == "DIR/s-1.parquet:2: duplicate id 'b', first at DIR/s-0.parquet:2"


def test_a_repeated_triviaqa_id_points_to_the_configurations_without_repeats(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", [TRIVIA_ROW, TRIVIA_ROW])
    with pytest.raises(DataError) as caught:
        list(official("triviaqa").read(path, "mine"))
    assert "unfiltered.nocontext" in str(caught.value)


def test_row_numbers_continue_in_a_later_batch(tmp_path: Path) -> None:
    rows = [{"question": f"q{number}", "answer": ["x"]} for number in range(2500)]
    rows[2100]["question"] = " "
    assert ".parquet:2101: id " in failure("nq_open", write(tmp_path / "n.parquet", rows))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            [{"question": "q", "answer": ["x"]}, {"question": None, "answer": ["x"]}],
            ":2: row 2: `question` is null, and should be a text",
        ),
        ([{"question": 3, "answer": ["x"]}], ":1: row 1: `question` is a number, and should be a text"),
        ([{"question": "q"}], ":1: missing columns: answer; present: question"),
        ([{"question": "q", "answer": []}], "no answers, and not marked unanswerable"),
    ],
)
def test_wrong_rows_and_missing_columns_are_named(tmp_path: Path, rows: list[dict[str, Any]], problem: str) -> None:
    assert problem in failure("nq_open", write(tmp_path / "n.parquet", rows))


def test_text_that_is_not_utf8_is_named_with_its_row(tmp_path: Path) -> None:
    good, bad = b"q", b"q\xff"
    questions = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0"), pa.py_buffer(good + bad)]
    )
    pq.write_table(pa.table({"question": questions, "answer": [["x"], ["x"]]}), tmp_path / "n.parquet")
    assert ".parquet:2: row 2: not UTF-8" in failure("nq_open", tmp_path / "n.parquet")


def test_a_file_that_is_not_parquet_or_has_no_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.parquet"
    path.write_bytes(b"PAR1 but not really")
    assert ".parquet:1: not readable as Parquet: " in failure("nq_open", path)
    path.write_bytes(b"")
    assert failure("nq_open", path) == "DIR/n.parquet:1: the file is empty"
    pq.write_table(
        pa.table({"question": pa.array([], pa.string()), "answer": pa.array([], pa.list_(pa.string()))}), path
    )
    assert failure("nq_open", path) == "DIR/n.parquet:1: no questions in the file"


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "n.parquet", [{"question": f"q{number}", "answer": ["x"]} for number in range(5000)])
    data = bytearray(path.read_bytes())
    data[100:4000] = b"\xff" * 3900
    path.write_bytes(bytes(data))
    assert "not readable as Parquet" in failure("nq_open", path)
