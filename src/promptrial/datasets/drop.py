"""DROP: questions on passages that need counting, adding or sorting. Official JSON, and the hub's rows.

An answer is a number, a date or one or more spans. Where one answer is several spans, all of them belong to it: they
are joined by commas. The hub's rows do not say whether several spans are one answer or the answers of several
annotators: there, each is accepted.

References
----------
Dua et al. (2019), "DROP: A Notes Comprehension Benchmark Requiring Discrete Reasoning Over Paragraphs".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Scalar, Variant, id_of
from promptrial.datasets.value_texts import text_of

__all__ = ["FORMAT"]


class _Spans(msgspec.Struct):
    spans: list[str]


class _HubRow(msgspec.Struct):
    passage: str
    question: str
    answers_spans: _Spans
    query_id: Scalar | None = None


class _Date(msgspec.Struct):
    day: str = ""
    month: str = ""
    year: str = ""


class _Answer(msgspec.Struct):
    number: Scalar = ""
    date: _Date = msgspec.field(default_factory=_Date)
    spans: list[str] = []


class _Pair(msgspec.Struct):
    question: str
    answer: _Answer
    query_id: Scalar | None = None
    validated_answers: list[_Answer] = []


class _OfficialRow(msgspec.Struct):
    passage: str
    qa_pairs: list[_Pair]


def _hub(row: _HubRow, notes: Notes) -> Iterator[Draft]:
    spans = dict.fromkeys(span.strip() for span in row.answers_spans.spans if span.strip())
    if len(spans) > 1:
        notes.remark("questions with several answer spans, each of which is accepted")
    yield Draft(row.question, list(spans), id=id_of(row.query_id), context=row.passage)


def _official(row: _OfficialRow, notes: Notes) -> Iterator[Draft]:
    for pair in row.qa_pairs:
        answers = [pair.answer, *pair.validated_answers]
        if any(len(answer.spans) > 1 for answer in answers):
            notes.remark("questions with an answer of several spans, which are joined by commas")
        accepted = [text for text in map(_text, answers) if text]
        yield Draft(pair.question, accepted, id=id_of(pair.query_id), context=row.passage)


def _text(answer: _Answer) -> str:
    if answer.number != "":
        return text_of(answer.number)
    if answer.spans:
        return ", ".join(answer.spans)
    return " ".join(part for part in (answer.date.day, answer.date.month, answer.date.year) if part)


FORMAT: Final = layout_format(
    name="drop",
    type_="open",
    about="DROP: passages with questions that are answered by numbers, dates or spans",
    variants=(
        Variant(_HubRow, _hub),
        Variant(_OfficialRow, _official, left_out=frozenset({"id", "wiki_url"})),
    ),
)
