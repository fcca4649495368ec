"""TruthfulQA: questions that invite a common error. The official CSV, the hub's ``generation`` and ``multiple_choice``.

In the CSV, accepted answers are separated by ``;``. Of the two kinds of multiple choice, the one with a single right
choice (``mc1_targets``) is read. In the hub's rows it always comes first. So the choices of a question are put into an
order that a hash of its id decides, or of its text if it has no id: the same for all arms and runs. A run that an
earlier version prepared keeps the order of the file.

References
----------
Lin, Hilton and Evans (2022), "TruthfulQA: Measuring How Models Mimic Human Falsehoods".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, MisfitError, Notes, Variant

__all__ = ["FORMAT"]


class _CsvRow(msgspec.Struct):
    question: str = msgspec.field(name="Question")
    best: str = msgspec.field(name="Best Answer")
    correct: str = msgspec.field(name="Correct Answers")


class _Generation(msgspec.Struct):
    question: str
    best_answer: str
    correct_answers: list[str]


class _Targets(msgspec.Struct):
    choices: list[str]
    labels: list[int]


class _MultipleChoice(msgspec.Struct):
    question: str
    mc1_targets: _Targets


def _csv(row: _CsvRow, _notes: Notes) -> Iterator[Draft]:
    parts = [part.strip() for part in row.correct.split(";")]
    yield Draft(row.question, [row.best.strip(), *(part for part in parts if part)])


def _generation(row: _Generation, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.question, [row.best_answer, *filter(str.strip, row.correct_answers)])


def _multiple_choice(row: _MultipleChoice, _notes: Notes) -> Iterator[Draft]:
    choices, labels = row.mc1_targets.choices, row.mc1_targets.labels
    if len(choices) != len(labels):
        raise MisfitError(f"mc1_targets has {len(choices)} choices and {len(labels)} labels")
    right = [choice for choice, label in zip(choices, labels, strict=True) if label == 1]
    yield Draft(row.question, right, choices=tuple(choices))


_WRONG: Final = frozenset({"Incorrect Answers", "incorrect_answers", "Best Incorrect Answer", "mc2_targets"})
FORMAT: Final = layout_format(
    name="truthfulqa",
    type_="closed",
    orders_choices=True,
    about="TruthfulQA: the official CSV, and the hub's `generation` and `multiple_choice`",
    variants=(
        Variant(_CsvRow, _csv, left_out=_WRONG),
        Variant(_Generation, _generation, left_out=_WRONG),
        Variant(_MultipleChoice, _multiple_choice, left_out=_WRONG),
    ),
)
