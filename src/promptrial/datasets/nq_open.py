"""NQ-open: questions that people typed into a search engine, with short answers. Official JSONL, and the hub's rows.

The rows have no ids. An item's id is made from its question alone, so that it does not change with the order or the
length of the file; a question that occurs twice is therefore a duplicate id. Rows of a question and a list of answers
are common, so a file is recognised by them only if its name says NQ too.

References
----------
Lee, Chang and Toutanova (2019), "Latent Retrieval for Weakly Supervised Open Domain Question Answering".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from promptrial.datasets.base import DatasetFormat, HubDefaults, Placed, Reading, new_item
from promptrial.datasets.columns import NAMES
from promptrial.datasets.layout import Layout, typed, with_official_files
from promptrial.datasets.place import Place
from promptrial.datasets.shapes import Draft, Notes, Variant
from promptrial.datasets.table import open_table
from promptrial.model import Item

__all__ = ["FORMAT"]


class _Row(msgspec.Struct):
    question: str
    answer: list[str]


def _file_items(path: Path, dataset: str, reading: Reading) -> Placed:
    for place, row in open_table(path, reading.encoding, NAMES, reading.sheet).rows():
        yield place, _row_item(place, dataset, typed(place, row, _Row))


def _row_item(place: Place, dataset: str, row: _Row) -> Item:
    return new_item(place, dataset, item_id=_id(row.question), question=row.question, answers=row.answer)


def _id(question: str) -> str:
    return "nq_" + hashlib.sha256(question.encode()).hexdigest()[:16]


def _drafts(row: _Row, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.question, row.answer, id=_id(row.question))


FORMAT: Final = with_official_files(
    DatasetFormat(
        name="nq_open",
        type="closed",
        hub=HubDefaults("google-research-datasets/nq_open", "nq_open"),
        layout=Layout("NQ-open: a `question`, and a list under `answer`", (Variant(_Row, _drafts),)),
        columns=_Row,
        row_item=_row_item,
        scorers=("exact_match", "token_f1"),
        duplicate_hint="the id is derived from the question, so the same question appears twice: remove one of the two",
        file_names=r"(^|[^a-z])nq([^a-z]|$)|natural.?questions",
    ),
    _file_items,
)
