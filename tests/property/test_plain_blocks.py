"""A block that Arrow reads holds the records that the ``csv`` module reads in it, on the same lines."""

from __future__ import annotations

import csv
import io
from typing import Final

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptrial.datasets.blocks import Block, are_blank, are_filled, are_odd, contain, plain_block
from promptrial.datasets.content_ids import content_id
from promptrial.datasets.id_columns import content_ids
from promptrial.datasets.separated import csv_reader

PIECES: Final = [
    "a",
    "b",
    '"',
    '""',
    ",",
    "\n",
    "\r\n",
    "\r",
    "\0",
    " ",
    "\u00e9",
    "\u2028",
    ";",
    '",',
    ',"',
    '"\n',
    '\n"',
]


def by_csv(text: str, separator: str) -> list[tuple[int, list[str]]] | None:
    """Return the records that the ``csv`` module finds, each with the number of lines before it; None for an error."""
    lines = [f"{line}\n" for line in text.split("\n")[:-1]]
    reader, found = csv_reader(lines, separator), list[tuple[int, list[str]]]()
    try:
        while (before := reader.line_num) < len(lines):
            if record := next(reader):
                found.append((before, record))
    except csv.Error:
        return None
    return found


def by_arrow(block: Block, separator: str) -> list[tuple[int, list[str]]]:
    columns = [[cell.decode() for cell in column.to_pylist()] for column in block.cells.values()]
    records = [list(record) for record in zip(*columns, strict=True)]
    placed = block.records(np.arange(len(records)))
    assert [next(csv_reader(io.StringIO(text, newline=""), separator)) for _, text in placed] == records
    return [(line, record) for (line, _), record in zip(placed, records, strict=True)]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.sampled_from([",", ";", "\t"]))
@example('"",x"y,z\n', ",")
@example('a,"b"c\n', ",")
@example('a","b\n",c\n', ",")
@example('\n"a","b\n\n""x"\n\r\nc,\n', ",")
@settings(max_examples=1500, deadline=None)
def test_arrow_reads_the_same_as_the_csv_module(text: str, separator: str) -> None:
    text = text.removesuffix("\n") + "\n"
    expected = by_csv(text, separator)
    for n_columns in (1, 2, 3):
        block = plain_block(text.encode(), separator, n_columns, range(n_columns))
        if block is not None:
            assert by_arrow(block, separator) == expected


CELLS: Final = st.text(st.sampled_from('ab",\n\r\u00e9 ;'), max_size=5).map(lambda text: text.replace("\r", "\r\n"))


@given(st.lists(st.tuples(CELLS, CELLS.filter(bool)), min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=200, deadline=None)
def test_arrow_reads_what_the_csv_module_writes(rows: list[tuple[str, str]], end: str) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator=end).writerows(rows)
    block = plain_block(out.getvalue().encode(), ",", 2, (0, 1))
    assert block is not None
    assert [tuple(record) for _, record in by_arrow(block, ",")] == rows


@pytest.mark.parametrize("text", [b"\xff,b\n", b"\xed\xa0\x80,b\n", b"\xc0\x80,b\n", b"a\0,b\n", b"a,b\nc\n", b"\n"])
def test_invalid_ragged_or_empty_blocks_use_the_general_path(text: bytes) -> None:
    assert plain_block(text, ",", 2, (0, 1)) is None


@given(st.lists(st.text(st.sampled_from("a|[\u00e9\u200b\u3000 \t"), max_size=4), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_checking_a_column_equals_checking_its_texts(texts: list[str]) -> None:
    cells = pa.array([text.encode() for text in texts], pa.binary())
    assert are_filled(cells).tolist() == [bool(text) for text in texts]
    assert are_blank(cells).tolist() == [not text.strip() for text in texts]
    assert contain(cells, "|").tolist() == ["|" in text for text in texts]
    odd = are_odd(cells, lambda text: text != text.strip() or not text.isprintable())
    assert odd.tolist() == [text != text.strip() or not text.isprintable() for text in texts]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.text(max_size=3)), min_size=1, max_size=3))
@example([("\\", "")])
@example([('"', "")])
@example([("\x1f", "")])
@example([("\x7f\u2028", "P"), ("Q", "")])
@example([("Q", "\n"), ("Q", "")])
@settings(max_examples=200, deadline=None)
def test_an_id_from_the_content_is_the_same_for_one_question_and_for_many(rows: list[tuple[str, str]]) -> None:
    questions, passages = (
        pa.array([text.encode() for text in column], pa.binary()) for column in zip(*rows, strict=True)
    )
    assert content_ids(questions, None).to_pylist() == [content_id(question).encode() for question, _ in rows]
    expected = [content_id(question, passage or None).encode() for question, passage in rows]
    assert content_ids(questions, passages).to_pylist() == expected
