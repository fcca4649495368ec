"""Which subset of the items a gate looks at: a data set, open or closed, or a value of a column. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptrial.comparison.gates import Gate, subset_text
from promptrial.documents.significance import Scope
from promptrial.documents.subgroups import subgroup_column, subgroup_of
from promptrial.errors import UsageError
from promptrial.stats.score_table import BoolArray, IntArray, ScoreTable

__all__ = ["chosen_items", "scope_meant"]


def scope_meant(gate: Gate, levels: Mapping[Scope, Sequence[str]]) -> Scope:
    """Return the dimension whose subset a gate names: ``type``, ``dataset`` or that of a column.

    Parameters
    ----------
    gate : Gate
        With a subset.
    levels : mapping
        Dimension -> the subsets that there are.

    Raises
    ------
    UsageError
        If there is no such subset, or there are several.
    """
    of_column = {scope: names for scope, names in levels.items() if gate.column in {None, scope, subgroup_of(scope)}}
    meant = [scope for scope, names in of_column.items() if gate.subset in names]
    if len(meant) == 1:
        return meant[0]
    subset = str(gate.subset)
    if meant:
        named = [_short(scope) for scope in meant]
        scopes = meant if len({*named}) < len(named) else named
        choice = ", ".join(subset_text(subset, scope) for scope in scopes)
        raise UsageError(f"gate {gate}: {subset!r} may mean several subsets: {choice}", hint="name one of them")
    known = ", ".join(
        subset_text(name, _short(scope)) for scope, names in (of_column or levels).items() for name in names
    )
    raise UsageError(f"gate {gate}: there is no subset {subset!r}; known: {known}")


def chosen_items(gate: Gate, table: ScoreTable) -> tuple[Scope, str, BoolArray | None]:
    """Return which items of a table a gate looks at: the dimension, the subset, and a mask (None for all items).

    Raises
    ------
    UsageError
        If there is no such subset, or there are several.
    """
    if gate.subset is None:
        return "overall", "all", None
    levels: dict[Scope, tuple[Sequence[str], IntArray]] = {
        "type": (table.type_names, table.type),
        "dataset": (table.dataset_names, table.dataset),
        **{subgroup_column(column): of_rows for column, of_rows in table.subgroups.items()},
    }
    scope = scope_meant(gate, {scope: names for scope, (names, _) in levels.items()})
    names, codes = levels[scope]
    return scope, gate.subset, table.of_items(codes) == list(names).index(gate.subset)


def _short(scope: Scope) -> str:
    """Return how a gate names a scope: a column by its name alone."""
    return subgroup_of(scope) or scope
