"""SVAMP: arithmetic in words, where the text (``Body``) and the ``Question`` are two columns. JSON, and hub rows.

References
----------
Patel, Bhattamishra and Goyal (2021), "Are NLP Models really able to Solve Simple Math Word Problems?".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Scalar, Variant, id_of
from promptrial.datasets.value_texts import text_of

__all__ = ["FORMAT"]


class _Row(msgspec.Struct, rename="pascal"):
    body: str
    question: str
    answer: Scalar
    id: Scalar | None = msgspec.field(name="ID", default=None)


def _drafts(row: _Row, _notes: Notes) -> Iterator[Draft]:
    body = row.body.strip()
    yield Draft(f"{body} {row.question.strip()}", [text_of(row.answer)], id=id_of(row.id))


FORMAT: Final = layout_format(
    name="svamp",
    type_="closed",
    about="SVAMP: arithmetic in words; `Body` and `Question` are joined, `Answer` is a number",
    variants=(Variant(_Row, _drafts, left_out=frozenset({"question_concat"})),),
    scorers=("numeric",),
)
