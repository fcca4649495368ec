"""NQ-open: questions that people typed into a search engine, with short answers. Official JSONL, and the hub's Parquet.

The rows have no ids. An item's id is made from its question alone, so that it does not change with the order or the
length of the file; a question that stands twice is therefore a duplicate id.

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

from promptrial.datasets.base import DatasetFormat, HubDefaults, new_item
from promptrial.datasets.lines import json_lines
from promptrial.datasets.place import Place
from promptrial.model import Item

__all__ = ["FORMAT"]


class _Row(msgspec.Struct):
    question: str
    answer: list[str]


def _file_items(path: Path, dataset: str) -> Iterator[tuple[Place, Item]]:
    for place, row in json_lines(path, _Row):
        yield place, _row_item(place, dataset, row)


def _row_item(place: Place, dataset: str, row: _Row) -> Item:
    item_id = "nq_" + hashlib.sha256(row.question.encode()).hexdigest()[:16]
    return new_item(place, dataset, item_id=item_id, question=row.question, answers=row.answer)


FORMAT: Final = DatasetFormat(
    name="nq_open",
    type="closed",
    hub=HubDefaults("google-research-datasets/nq_open", "nq_open"),
    file_items=_file_items,
    columns=_Row,
    row_item=_row_item,
    duplicate_hint="the id is made from the question, so the same question appears twice: remove one of the two",
)
