"""How tables and sentences name the arms of a contrast. Pure.

Tables of a trial whose contrasts have names begin with a column that shows them. Where the only contrast is
``treatment vs control``, nothing is named: the sides of a row say it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from msgspec import UNSET

from promptrial.documents.significance import SIDES, ComparedRow
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting.cells import Table

__all__ = ["SIDE_HEADERS", "contrast_suffix", "named_contrast", "side_phrases", "with_contrasts"]

SIDE_HEADERS: Final = (SIDES[0].capitalize(), SIDES[1].capitalize())
"""The headers of the columns of the two sides."""


def with_contrasts(table: Table, rows: Sequence[ComparedRow]) -> Table:
    """Return a table with a first column that names the contrast of each row, if any row has one with a name.

    Parameters
    ----------
    table : Table
    rows : sequence of ComparedRow
        What each row of the table was made from.
    """
    if all(row.contrast is UNSET for row in rows):
        return table
    return replace(
        table,
        headers=("Contrast", *table.headers),
        rows=tuple((str(row.compared), *cells) for row, cells in zip(rows, table.rows, strict=True)),
        align="l" + table.align,
    )


def named_contrast(contrast: Contrast, names: Mapping[ArmName, str]) -> str:
    """Return a contrast by what its arms are called: ``short.txt vs control.txt``."""
    first, second = (names.get(side, side) for side in contrast.sides)
    return f"{second} vs {first}"


def contrast_suffix(row: ComparedRow, names: Mapping[ArmName, str] | None = None) -> str:
    """Return what follows the name of an endpoint in a sentence: ``, short vs control``, or nothing."""
    return "" if row.contrast is UNSET else f", {named_contrast(row.compared, names or {})}"


def arm_phrase(name: ArmName) -> str:
    """Return an arm as a sentence names it.

    Examples
    --------
    >>> arm_phrase("control"), arm_phrase("short")
    ('the control', 'the short arm')
    """
    return f"the {name}" if name in SIDES else f"the {name} arm"


def side_phrases(contrast: Contrast) -> tuple[str, str]:
    """Return both arms of a contrast as a sentence names them."""
    first, second = contrast.sides
    return arm_phrase(first), arm_phrase(second)
