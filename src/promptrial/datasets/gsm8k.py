"""GSM8K: arithmetic in words, with worked answers whose last line is ``#### 20``. JSONL, and hub rows.

The gold stays as it is, because the ``numeric`` scorer compares last numbers.

References
----------
Cobbe et al. (2021), "Training Verifiers to Solve Math Word Problems".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Variant

__all__ = ["FORMAT"]


class _Row(msgspec.Struct):
    question: str
    answer: Annotated[str, msgspec.Meta(pattern=r"####\s*-?[$\d.,]+\s*$")]


def _drafts(row: _Row, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.question, [row.answer])


FORMAT: Final = layout_format(
    name="gsm8k",
    about="GSM8K: a `question`, and a worked `answer` that ends in `#### ` and a number",
    type_="closed",
    variants=(Variant(_Row, _drafts),),
    scorers=("numeric",),
)
