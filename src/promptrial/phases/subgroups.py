"""Which subgroup an item belongs to, by the columns that ``subgroups`` names, and whether these can be used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from promptrial.documents.subgroups import MOST_LEVELS, NO_VALUE
from promptrial.errors import ConfigError
from promptrial.model import Item
from promptrial.phases.prepared import all_items
from promptrial.phases.spec import RunSpec

__all__ = ["check_columns", "check_prepared_subgroups", "check_subgroups", "levels_of"]

_SEE = "(docs/questions.md#subgroups)"
_CORRECT = f"correct the name, or add the column to a question file {_SEE}"


def levels_of(item: Item, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the level of an item in each column: its value there, less the space around it."""
    return tuple([item.extra.get(column, "").strip() or NO_VALUE for column in columns])


def check_subgroups(columns: Sequence[str], items: Iterable[Item]) -> None:
    """Check that the items have the columns, and that no column has too many values.

    Raises
    ------
    ConfigError
        Naming the column, and the columns that there are or how many values it has.
    """
    _check(columns, items, _CORRECT)


def check_columns(columns: Sequence[str], items: Iterable[Item]) -> None:
    """Check that the items have the columns; no further item is read once each is found.

    Raises
    ------
    ConfigError
        Naming the first column that no item has, and the columns that there are.
    """
    known: dict[str, None] = {}
    for item in items:
        known.update(dict.fromkeys(item.extra))
        if known.keys() >= set(columns):
            return
    _check_known(columns, known, _CORRECT)


def check_prepared_subgroups(spec: RunSpec) -> None:
    """Check the items that a run was prepared with, which hold the columns that its question files had then.

    Raises
    ------
    ConfigError
        As ``check_subgroups`` does.
    """
    if spec.config.subgroups:
        hint = f"correct the name, or start a new run, whose prepared questions then have the column {_SEE}"
        _check(spec.config.subgroups, all_items(spec.run), hint)


def _check(columns: Sequence[str], items: Iterable[Item], hint: str) -> None:
    if not columns:
        return
    values: dict[str, set[str]] = {column: set() for column in columns}
    known: dict[str, None] = {}
    for item in items:
        known.update(dict.fromkeys(item.extra))
        for column, level in zip(columns, levels_of(item, columns), strict=True):
            values[column].add(level)
    _check_known(columns, known, hint)
    for column, found in values.items():
        if len(found) > MOST_LEVELS:
            raise ConfigError(
                f"subgroups: the column {column!r} has {len(found):,} different values; at most {MOST_LEVELS} can be "
                "compared",
                hint=f"name a column with fewer values {_SEE}",
            )


def _check_known(columns: Sequence[str], known: Mapping[str, None], hint: str) -> None:
    for column in columns:
        if column not in known:
            raise ConfigError(
                f"subgroups: no question has a column {column!r}{_others(column, list(known))}", hint=hint
            )


def _others(column: str, known: Sequence[str]) -> str:
    if not known:
        return "; they have no other columns"
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(column.casefold(), folded, n=1)
    meant = f"; did you mean {folded[close[0]]!r}?" if close else ";"
    return f"{meant} columns: {', '.join(sorted(known))}"
