"""Texts that look like several accepted answers, and are read as one: what is said about them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from promptrial.datasets.cells import Cells

__all__ = ["unsplit_answers"]

_BETWEEN: Final = {"|": re.compile(r"\w\s*\|\s*\w"), ";": re.compile(r"\w\s*;\s*\w")}
"""What may separate several answers in a text, and how it is written there."""
_LEAST_TEXTS: Final = {"|": 1, ";": 2}
"""How many texts must hold it: a semicolon is at home in one long answer, too."""
_LIST: Final = re.compile(r"""\s*(?:\[\s*(["']).*\1\s*,?\s*\]|\(\s*(["']).*\2\s*,.*\))\s*""", re.DOTALL)
"""A list of texts as JSON, Python or NumPy writes it, or a tuple of Python's."""


def unsplit_answers(cells: Cells, rows: Sequence[Mapping[str, object]], dataset: str) -> Iterator[str]:
    """Yield what people should know of columns whose texts may hold several answers, and are not split.

    Parameters
    ----------
    cells : Cells
    rows : sequence of mapping
        The first rows of the file. A list in them is several answers already.
    dataset : str
        For what is to be written in the configuration.
    """
    if cells.separator is not None:
        return
    for column in () if cells.columns.choices else cells.columns.answers:
        texts = [text for row in rows if isinstance(text := row.get(column), str)]
        signs = cells.signs_of_several(column)
        if any(sign in text for sign in signs for text in texts):
            continue
        each = "each cell" if cells.is_sheet else "each text"
        if any(map(_LIST.fullmatch, texts)):
            instead = (
                'rename the column to `answers` and write them as ["first", "second"]'
                if cells.is_sheet
                else "write a list instead of a text"
            )
            yield (
                f"column {column!r}: some answers look like a list, and {each} is read as one answer; if they are "
                f"several answers, {instead}"
            )
        elif sign := _sign(texts):
            yield (
                f'column {column!r}: some answers hold "{sign}", and {each} is read as one answer; if it separates '
                f'several answers, write `separator: "{sign}"` under `datasets.{dataset}`'
            )


def _sign(texts: Sequence[str]) -> str | None:
    """Return what is between words in enough of the texts."""
    for sign, pattern in _BETWEEN.items():
        if sum(pattern.search(text) is not None for text in texts) >= _LEAST_TEXTS[sign]:
            return sign
    return None
