"""Instructions with an optional input or passage: the layouts of Alpaca and Dolly.

References
----------
Taori et al. (2023), "Stanford Alpaca"; Conover et al. (2023), "Free Dolly" (databricks-dolly-15k).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Variant, passage, stated

__all__ = ["FORMAT"]


class _Alpaca(msgspec.Struct):
    instruction: str
    input: str
    output: str


class _Dolly(msgspec.Struct):
    instruction: str
    response: str
    context: str = ""


def _alpaca(row: _Alpaca, _notes: Notes) -> Iterator[Draft]:
    parts = [part for part in (row.instruction.strip(), row.input.strip()) if part]
    yield Draft("\n\n".join(parts), stated(row.output))


def _dolly(row: _Dolly, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.instruction, stated(row.response), context=passage(row.context))


FORMAT: Final = layout_format(
    name="instructions",
    about="Alpaca, Dolly: an `instruction`, with an `input` or a `context`, and the `output` or `response` wanted",
    variants=(Variant(_Alpaca, _alpaca, left_out=frozenset({"text"})), Variant(_Dolly, _dolly)),
)
