"""The columns of ``per_item_scores``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from promptrial.documents.subgroups import subgroup_column
from promptrial.store.tables import Column

__all__ = ["IDENTITY_COLUMNS", "score_columns", "scored_column"]

IDENTITY_COLUMNS: Final[tuple[Column, ...]] = (
    ("item_key", "text"),
    ("dataset", "category"),
    ("cluster", "text"),
    ("type", "category"),
    ("condition", "category"),
    ("temp", "category"),
    ("n_samples", "int"),
)


def scored_column(scorer: str) -> str:
    """Return the column that counts the answers which a scorer has a score of; the name can be no scorer's."""
    return f"scored:{scorer}"


def score_columns(
    scorers: Iterable[str], worst: Iterable[str] = (), subgroups: Iterable[str] = (), incomplete: Iterable[str] = ()
) -> tuple[Column, ...]:
    """Return the columns of ``per_item_scores``, given the names of scorers and of subgroup columns.

    Identity, then mean and standard deviation by scorer, then how many answers have a score of those in ``incomplete``,
    then the worst score by item of those in ``worst``, then the level of the item in each subgroup column.
    """
    scores = [name for scorer in scorers for name in (scorer, f"{scorer}_std")]
    return (
        *IDENTITY_COLUMNS,
        *((name, "float") for name in scores),
        *((scored_column(scorer), "int") for scorer in incomplete),
        *((f"{scorer}_worst", "float") for scorer in worst),
        *((subgroup_column(column), "category") for column in subgroups),
    )
