"""A text and its possible ends, one of them right: HellaSwag, PIQA, WinoGrande.

References
----------
Zellers et al. (2019), "HellaSwag: Can a Machine Really Finish Your Sentence?"; Bisk et al. (2020), "PIQA: Reasoning
about Physical Commonsense in Natural Language"; Sakaguchi et al. (2020), "WinoGrande".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Scalar, Variant, at_index, id_of

__all__ = ["HELLASWAG", "PIQA", "WINOGRANDE"]


class _HellaSwag(msgspec.Struct):
    ctx: str
    endings: list[str]
    label: Scalar
    ind: Scalar | None = None


class _Piqa(msgspec.Struct):
    goal: str
    sol1: str
    sol2: str
    label: Scalar


class _WinoGrande(msgspec.Struct):
    sentence: str
    option1: str
    option2: str
    answer: Scalar
    qid: Scalar | None = msgspec.field(name="qID", default=None)


def _hellaswag(row: _HellaSwag, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.ctx, at_index(row.endings, row.label), id=id_of(row.ind), choices=tuple(row.endings))


def _piqa(row: _Piqa, _notes: Notes) -> Iterator[Draft]:
    choices = (row.sol1, row.sol2)
    yield Draft(row.goal, at_index(choices, row.label), choices=choices)


def _winogrande(row: _WinoGrande, _notes: Notes) -> Iterator[Draft]:
    choices = (row.option1, row.option2)
    yield Draft(row.sentence, at_index(choices, row.answer, first=1), id=id_of(row.qid), choices=choices)


HELLASWAG: Final = layout_format(
    name="hellaswag",
    type_="closed",
    about="HellaSwag: a text (`ctx`), its `endings`, and the number of the right one (`label`, from 0)",
    variants=(Variant(_HellaSwag, _hellaswag, left_out=frozenset({"ctx_a", "ctx_b"})),),
    scorers=("choice",),
)
PIQA: Final = layout_format(
    name="piqa",
    type_="closed",
    about="PIQA: a `goal`, two ways to reach it (`sol1`, `sol2`), and which is right (`label`, 0 or 1)",
    variants=(Variant(_Piqa, _piqa),),
    scorers=("choice",),
)
WINOGRANDE: Final = layout_format(
    name="winogrande",
    type_="closed",
    about="WinoGrande: a `sentence` with a blank, `option1` and `option2`, and which fills it (`answer`, 1 or 2)",
    variants=(Variant(_WinoGrande, _winogrande),),
    scorers=("choice",),
)
