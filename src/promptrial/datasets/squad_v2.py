"""SQuAD 2.0: questions on Wikipedia passages, half of them unanswerable. Official JSON, and the hub's rows.

Version 1.1 files, which have no ``is_impossible``, are read as answerable throughout and scored by version 1.1's rules.
An annotator's answer that another gave too is kept once; ``plausible_answers`` of unanswerable questions are not
answers and are not read.

References
----------
Rajpurkar, Jia and Liang (2018), "Know What You Don't Know: Unanswerable Questions for SQuAD".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from promptrial.datasets.base import DatasetFormat, HubDefaults, Placed, Reading, new_item, no_other_reader
from promptrial.datasets.encodings import open_content, overlapping
from promptrial.datasets.json_document import JsonDocument
from promptrial.datasets.layout import Layout, hub_rows, typed, with_official_files
from promptrial.datasets.parquet import parquet_rows
from promptrial.datasets.place import Place
from promptrial.datasets.shapes import Draft, Notes, Variant
from promptrial.model import Item

__all__ = ["FORMAT"]

# Quotes inside a JSON text are escaped, so these are keys.
_SECOND: Final = re.compile(rb'"is_impossible"\s*:|"version"\s*:\s*"?[vV]?2')


class _File(msgspec.Struct):
    data: list[msgspec.Raw]


class _Article(msgspec.Struct):
    paragraphs: list[msgspec.Raw]


class _OfficialRow(msgspec.Struct):
    """An entry of ``data``, by which an official file is recognised."""

    paragraphs: list[dict[str, object]]


class _Paragraph(msgspec.Struct):
    context: str
    qas: list[msgspec.Raw]


class _Answer(msgspec.Struct):
    text: str


class _Question(msgspec.Struct):
    id: str | int
    question: str
    answers: list[_Answer] = []
    is_impossible: bool = False


class _ColumnAnswers(msgspec.Struct):
    text: list[str]


class _Columns(msgspec.Struct):
    id: str | int
    question: str
    context: str
    answers: _ColumnAnswers


def _file_items(path: Path, dataset: str, reading: Reading) -> Placed:
    with open_content(path, reading.encoding).seekable() as file:
        yield from _document_items(JsonDocument(path, file), dataset)


def _document_items(document: JsonDocument, dataset: str) -> Placed:
    articles = document.root(_File).data
    for article_index, (_, article) in enumerate(document.entries(articles, _Article, "data")):
        paragraphs_name = f"data[{article_index}].paragraphs"
        paragraphs = document.entries(article.paragraphs, _Paragraph, paragraphs_name)
        for paragraph_index, (_, paragraph) in enumerate(paragraphs):
            name = f"{paragraphs_name}[{paragraph_index}].qas"
            for place, question in document.entries(paragraph.qas, _Question, name):
                yield place, _item(place, dataset, question, paragraph.context)


def _item(place: Place, dataset: str, question: _Question, context: str) -> Item:
    return new_item(
        place,
        dataset,
        item_id=str(question.id),
        question=question.question,
        answers=[answer.text for answer in question.answers],
        context=context,
        is_unanswerable=question.is_impossible,
    )


def _row_item(place: Place, dataset: str, row: _Columns) -> Item:
    """The hub has no ``is_impossible``; there, a question without answers is unanswerable."""
    return new_item(
        place,
        dataset,
        item_id=str(row.id),
        question=row.question,
        answers=row.answers.text,
        context=row.context,
        is_unanswerable=not row.answers.text,
    )


def _rules(paths: Sequence[Path], reading: Reading) -> str | None:
    """Return ``squad_v1`` for version 1.1: no ``is_impossible``, and a version that does not say 2.

    The hub's rows say neither; there, a set in which every question has an answer is version 1.1.
    """
    return None if any(_is_second(path, reading) for path in paths) else "squad_v1"


def _is_second(path: Path, reading: Reading) -> bool:
    if path.suffix.lower() == ".parquet":
        return any(not row.answers.text for _, row in parquet_rows(path, _Columns))
    rows = hub_rows(path, reading, _Columns)
    if rows is not None:
        return any(not typed(place, row, _Columns).answers.text for place, row in rows)
    with open_content(path, reading.encoding).open() as file:
        return any(_SECOND.search(part) is not None for part in overlapping(file))


def _drafts(row: _Columns, _notes: Notes) -> Iterator[Draft]:
    yield Draft(
        row.question,
        row.answers.text,
        id=str(row.id),
        context=row.context,
        is_unanswerable=not row.answers.text,
    )


FORMAT: Final = with_official_files(
    DatasetFormat(
        name="squad_v2",
        type="open",
        hub=HubDefaults("rajpurkar/squad_v2", "squad_v2"),
        layout=Layout(
            "SQuAD 1.1 and 2.0: official JSON, or rows with `context`, `question` and `answers: {text: [...]}`",
            (Variant(_Columns, _drafts), Variant(_OfficialRow, no_other_reader)),
        ),
        columns=_Columns,
        row_item=_row_item,
        scorers=("exact_match", "token_f1"),
        rules=_rules,
    ),
    _file_items,
)
