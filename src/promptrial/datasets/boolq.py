"""BoolQ: questions on a passage that are answered yes or no, with a truth value as the gold. JSONL, and hub rows.

``true`` becomes the accepted answers ``yes`` and ``true``, and ``false`` becomes ``no`` and ``false``.

References
----------
Clark et al. (2019), "BoolQ: Exploring the Surprising Difficulty of Natural Yes/No Questions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Variant

__all__ = ["FORMAT"]

_ACCEPTED: Final = {True: ("yes", "true"), False: ("no", "false"), None: ()}


class _Row(msgspec.Struct):
    question: str
    passage: str
    answer: bool


class _SuperGlueRow(msgspec.Struct):
    question: str
    passage: str
    label: Literal[-1, 0, 1]


def _row(row: _Row, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.question, _ACCEPTED[row.answer], context=row.passage)


def _super_glue_row(row: _SuperGlueRow, _notes: Notes) -> Iterator[Draft]:
    """In SuperGLUE, a label of -1 hides the answer."""
    known = None if row.label == -1 else bool(row.label)
    yield Draft(row.question, _ACCEPTED[known], context=row.passage)


FORMAT: Final = layout_format(
    name="boolq",
    about="BoolQ: a `question` on a `passage`, and `answer` true or false; in SuperGLUE, `label` is 1 or 0",
    type_="open",
    variants=(Variant(_Row, _row), Variant(_SuperGlueRow, _super_glue_row, left_out=frozenset({"idx"}))),
)
