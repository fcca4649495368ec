"""Answers by their cells, whatever the order of the rows in their file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptrial.phases.answer_rows import AnswerRows
from promptrial.store.tables import Column, TableWriter, codes_of

COLUMNS: tuple[Column, ...] = (
    ("dataset", "category"), ("item_id", "text"), ("condition", "category"), ("temp", "category"),
    ("sample_index", "int"), ("response_text", "text"), ("error", "text"), ("finish_reason", "category"),
    ("prompt_tokens", "int"), ("completion_tokens", "int"),
)  # fmt: skip
ROWS = (("b", "control", 1, "second"), ("x", "control", 0, "of another trial"), ("b", "control", 0, "first"),
        ("a", "treatment", 0, "Third"), ("b", "control", 2, None))  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> AnswerRows:
    """The answers to two items in two arms, in no order; the cells are item times two, plus the arm."""
    with TableWriter(tmp_path / "predictions", COLUMNS) as table:
        for item, arm, sample, text in ROWS:
            table.append(("d", item, arm, "0.0", sample, text, None if text else "late", "stop", 1, 2))
            table._flush()

    def cells_of(key: Any, temp: Any, arm: Any) -> Any:
        import pyarrow as pa

        item, place = codes_of(key, pa.array(["d|a", "d|b"])), codes_of(arm, pa.array(["control", "treatment"]))
        assert (codes_of(temp, pa.array(["0.7", "0.0"])) == 1).all()
        return np.where(item < 0, -1, item * 2 + place)

    return AnswerRows(tmp_path / "predictions.parquet", cells_of, 4)


def test_replicates_are_read_in_order_and_rows_outside_the_cells_are_ignored(found: AnswerRows) -> None:
    answers = [[each.text for each in cell] for cell in found.of(np.arange(4))]
    assert answers == [[], ["Third"], ["first", "second", None], []]
    assert found.of(np.asarray([2]))[0][2].error == "late"
    assert found.of(np.asarray([], dtype=np.int64)) == []


def test_words_are_found_only_in_the_cells_of_the_trial(found: AnswerRows) -> None:
    assert found.cells_that_say("THIRD").tolist() == [1]
    assert found.cells_that_say("r").tolist() == [1, 2]
    assert found.cells_that_say("another").tolist() == []
