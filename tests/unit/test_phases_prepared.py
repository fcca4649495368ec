"""The prepared items on disk: their order, and what of an item is kept."""

import json
from pathlib import Path

import pytest

from promptrial.errors import CorruptRecordError
from promptrial.model import Item, Message, ids
from promptrial.phases import prepared
from promptrial.phases.prepared import (
    ItemCounts,
    ItemKey,
    ItemReader,
    encode_item,
    item_counts,
    item_keys,
    item_tokens,
    prepared_files,
)
from promptrial.store.rundir import RunDir

OPEN = [
    Item(id="o1", dataset="squad", question="Why?", answers=("a", "b"), context="Because."),
    Item(id="o2", dataset="squad", question="Who?", answers=(), context="", is_unanswerable=True),
    Item(id="o3", dataset="mine", question="é \u2028 \n?", answers=("x",), context="P", cluster="c1"),
]
CLOSED = [
    Item(id="c1", dataset="nq", question="Where?", answers=("Oslo",)),
    Item(id="c2", dataset="mine", question="Never?", answers=(), is_unanswerable=True),
    Item(id="x" * 90, dataset="mine", question="When?", answers=("1912",), cluster="c2"),
    Item(id="c4", dataset="mine", question="Write a poem.", answers=(), extra={"category": "verse"}),
    Item(id="c5", dataset="mine", question="How many?", answers=("8",), choices=("6", "8"),
         messages=(Message("user", "Spiders?"), Message("assistant", "Yes."))),
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path, "r")
    run.prepared.mkdir(parents=True)
    for (_, path), items in zip(prepared_files(run), (OPEN, CLOSED), strict=True):
        path.write_bytes(b"".join(encode_item(item) + b"\n" for item in items))
    return run


def test_every_item_reads_back_unchanged_with_open_book_first(run: RunDir) -> None:
    assert ItemReader(run).take(0, 99) == OPEN + CLOSED


def test_rows_have_the_documented_keys() -> None:
    assert list(json.loads(encode_item(OPEN[0]))) == [
        "id", "dataset", "question", "context", "answers", "is_unanswerable",
    ]  # fmt: skip
    assert list(json.loads(encode_item(CLOSED[0]))) == ["id", "dataset", "question", "answers"]


def test_choices_turns_and_extra_columns_are_written_only_if_present() -> None:
    assert list(json.loads(encode_item(CLOSED[3]))) == ["id", "dataset", "question", "answers", "extra"]
    assert list(json.loads(encode_item(CLOSED[4])))[4:] == ["choices", "messages"]


def test_a_question_without_accepted_answers_has_a_gold_only_if_it_is_unanswerable() -> None:
    assert [item.has_gold for item in CLOSED] == [True, True, True, False, True]


def test_an_unanswerable_question_without_a_passage_stays_unanswerable() -> None:
    assert json.loads(encode_item(CLOSED[1]))["is_unanswerable"] is True


def test_items_are_read_by_position_in_any_order(run: RunDir) -> None:
    everything = OPEN + CLOSED
    reader = ItemReader(run)
    for start, stop in [(0, 2), (2, 3), (3, 5), (1, 4), (1, 4), (5, 6), (6, 9), (0, 1), (2, 2)]:
        assert reader.take(start, stop) == everything[start:stop]


def test_keys_come_in_the_same_order_without_the_texts(run: RunDir) -> None:
    assert list(item_keys(run)) == [
        ItemKey(item.dataset, item.id, item.type, item.cluster is not None) for item in OPEN + CLOSED
    ]


def test_items_are_counted_by_type_once_and_again_when_a_file_has_changed(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptrial.store.known_digests._SETTLED_S", -60.0)  # the files count as written long ago
    assert item_counts(run) == ItemCounts(open=3, closed=5, grouped=2)
    with monkeypatch.context() as patched:
        patched.setattr(prepared, "_key_rows", lambda _path: pytest.fail("the items are read again"))
        assert item_counts(run).closed == 5
    _, (_, closed) = prepared_files(run)
    with closed.open("ab") as file:
        file.write(encode_item(CLOSED[0]) + b"\n")
    assert item_counts(run) == ItemCounts(open=3, closed=6, grouped=2)


def test_long_item_ids_are_found_by_their_token(run: RunDir) -> None:
    assert item_tokens(run)[ids.item_token("x" * 90)] == "x" * 90


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"id": 3}', b'{"id": "\xff"}', b'{"id": "c", "x": ' + b"[" * 100_000])
def test_a_damaged_item_is_named_with_file_and_line(run: RunDir, line: bytes) -> None:
    path = prepared_files(run)[1][1]
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + line + b"\n" + rest)
    with pytest.raises(CorruptRecordError, match="damaged prepared item") as caught:
        list(item_keys(run))
    assert caught.value.message.startswith(f"{path}:2: ")
    with pytest.raises(CorruptRecordError, match=r"closed_book\.jsonl:2: "):
        ItemReader(run).take(0, 99)
