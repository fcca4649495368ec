"""Questions as text: id, question and answer, separated by tabs. A format of question files, as an example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from promptrial.datasets.base import DatasetFormat, Reading, new_item
from promptrial.datasets.lines import text_lines
from promptrial.datasets.place import Place
from promptrial.model import Item

__all__ = ["FORMAT"]


class _Row(msgspec.Struct):
    id: str
    question: str
    answer: str


def _file_items(path: Path, dataset: str, reading: Reading) -> Iterator[tuple[Place, Item]]:
    for place, line in text_lines(path, reading.encoding):
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != len(_Row.__struct_fields__):
            raise place.error(f"{len(cells)} cells; expected id, question, answer, separated by tabs")
        yield place, _row_item(place, dataset, _Row(*cells))


def _row_item(place: Place, dataset: str, row: _Row) -> Item:
    return new_item(place, dataset, item_id=row.id, question=row.question, answers=[row.answer])


FORMAT: Final = DatasetFormat(
    name="tabbed", type="closed", hub=None, file_items=_file_items, columns=_Row, row_item=_row_item
)
