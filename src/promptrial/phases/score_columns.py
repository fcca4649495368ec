"""The columns of ``per_item_scores``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from promptrial.documents.subgroups import subgroup_column
from promptrial.store.tables import Column

__all__ = ["IDENTITY_COLUMNS", "score_columns"]

IDENTITY_COLUMNS: Final[tuple[Column, ...]] = (
    ("item_key", "text"),
    ("dataset", "category"),
    ("cluster", "text"),
    ("type", "category"),
    ("condition", "category"),
    ("temp", "category"),
    ("n_samples", "int"),
)


def score_columns(
    scorers: Iterable[str], worst: Iterable[str] = (), subgroups: Iterable[str] = ()
) -> tuple[Column, ...]:
    """Return the columns of ``per_item_scores``, given the names of scorers and of subgroup columns.

    Identity, then mean and standard deviation by scorer, then the worst score by item of those in ``worst``, then the
    level of the item in each subgroup column.
    """
    scores = [name for scorer in scorers for name in (scorer, f"{scorer}_std")]
    floats = (*scores, *(f"{scorer}_worst" for scorer in worst))
    measured: tuple[Column, ...] = tuple((name, "float") for name in floats)
    levels: tuple[Column, ...] = tuple((subgroup_column(column), "category") for column in subgroups)
    return IDENTITY_COLUMNS + measured + levels
