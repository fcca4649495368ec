"""TriviaQA, closed-book: the questions of the rc and unfiltered files without their evidence. JSON, and hub rows.

The official evaluation accepts an answer whose normal form is that of a ``NormalizedAliases`` or ``HumanAnswers``
entry. People would rather read ``Value`` and ``Aliases``; these are given in place of the normalised alias that they
stand for, and an alias that stands for none of them is left out, so that exactly the official answers count as right.

References
----------
Joshi, Choi, Weld and Zettlemoyer (2017), "TriviaQA: A Large Scale Distantly Supervised Challenge Dataset for Reading
Comprehension"; ``evaluation/triviaqa_evaluation.py`` of its official repository, ``get_ground_truths``.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from promptrial.datasets.base import DatasetFormat, HubDefaults, Placed, Reading, new_item, no_other_reader
from promptrial.datasets.encodings import open_content
from promptrial.datasets.json_document import JsonDocument
from promptrial.datasets.layout import Layout, with_official_files
from promptrial.datasets.place import Place
from promptrial.datasets.shapes import Draft, Notes, Variant
from promptrial.model import Item

__all__ = ["FORMAT", "accepted_answers"]

_SPACES: Final = str.maketrans(string.punctuation, " " * len(string.punctuation))
_ARTICLES: Final = frozenset({"a", "an", "the"})


class _Answer(msgspec.Struct, rename="pascal"):
    value: str
    aliases: list[str]
    normalized_aliases: list[str]
    human_answers: list[str] | None = None


class _Question(msgspec.Struct, rename="pascal"):
    question: str
    question_id: str | int
    answer: _Answer


class _File(msgspec.Struct, rename="pascal"):
    data: list[msgspec.Raw]


class _ColumnAnswer(msgspec.Struct):
    value: str
    aliases: list[str]
    normalized_aliases: list[str]
    human_answers: list[str] | None = None


class _Columns(msgspec.Struct):
    question: str
    question_id: str | int
    answer: _ColumnAnswer


def accepted_answers(value: str, aliases: list[str], normalized: list[str], human: list[str]) -> list[str]:
    """Return the official gold answers, in readable form where there is one: value, aliases, human answers, the rest.

    Blank texts are left out; to the official evaluation a blank alias makes an empty prediction right.

    Examples
    --------
    >>> accepted_answers("The Beatles", ["Beatles", "Fab Four"], ["beatles", "john paul george ringo"], [])
    ['The Beatles', 'Beatles', 'john paul george ringo']
    """
    official = {_match_key(text) for text in normalized}
    readable = [text for text in (value, *aliases) if text.strip() and _match_key(text) in official]
    covered = {_match_key(text) for text in readable}
    rest = [text for text in normalized if _match_key(text) not in covered]
    return [*readable, *(text for text in (*human, *rest) if text.strip())]


def _match_key(text: str) -> str:
    """Return a key such that two texts with the same key have the same official normal form.

    Each step (case, ASCII punctuation, whole words that are articles, white space) is one that the official
    normalisation takes as well, so it cannot set apart what the key joins. It may join more than the key does.
    """
    return " ".join(word for word in text.lower().translate(_SPACES).split() if word not in _ARTICLES)


def _file_items(path: Path, dataset: str, reading: Reading) -> Placed:
    with open_content(path, reading.encoding).seekable() as file:
        document = JsonDocument(path, file)
        for place, row in document.entries(document.root(_File).data, _Question, "Data"):
            yield place, _row_item(place, dataset, row)


def _row_item(place: Place, dataset: str, row: _Question | _Columns) -> Item:
    return new_item(place, dataset, item_id=str(row.question_id), question=row.question, answers=_accepted(row))


def _drafts(row: _Columns, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.question, _accepted(row), id=str(row.question_id))


def _accepted(row: _Question | _Columns) -> list[str]:
    answer = row.answer
    return accepted_answers(answer.value, answer.aliases, answer.normalized_aliases, answer.human_answers or [])


FORMAT: Final = with_official_files(
    DatasetFormat(
        name="triviaqa",
        type="closed",
        # Not rc.nocontext: it joins the web and the Wikipedia questions, and most of the latter are among the former.
        hub=HubDefaults("mandarjoshi/trivia_qa", "unfiltered.nocontext"),
        layout=Layout(
            "TriviaQA: official JSON, or rows with `question` and `answer: {value, aliases, normalized_aliases}`",
            (Variant(_Columns, _drafts), Variant(_Question, no_other_reader)),
        ),
        columns=_Columns,
        row_item=_row_item,
        scorers=("exact_match", "token_f1"),
        duplicate_hint="the hub's rc.nocontext holds the web and the Wikipedia questions, many of them in both: "
        "use unfiltered.nocontext, rc.web.nocontext or rc.wikipedia.nocontext",
    ),
    _file_items,
)
