"""Changes of the configuration that ask nothing again: which scorers run, and the criterion of costs.

They are no drift: *score* to *report* run again on the answers that there are. The change is said and recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptrial.config.effective import difference
from promptrial.config.schema import ExperimentConfig
from promptrial.store.part_records import listed
from promptrial.store.records import RunState

__all__ = ["as_before", "changes", "earlier_hashes", "record", "without"]

_KEYS: Final = ExperimentConfig.only_rescores


def as_before(old: Mapping[str, Any] | None, tree: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the keys that ask nothing as they were; the rest of a difference is drift."""
    return tree if old is None else without(tree) | _scoring(old)


def without(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without the keys that ask nothing."""
    return {key: value for key, value in tree.items() if key not in _KEYS}


def changes(old: Mapping[str, Any] | None, tree: dict[str, Any]) -> tuple[str, ...]:
    """Return one line for each of these keys that changed."""
    return () if old is None else tuple(difference(_scoring(old), _scoring(tree)))


def _scoring(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tree[key] for key in _KEYS if key in tree}


def record(state: RunState, changed: tuple[str, ...], now: str, before: str) -> None:
    """Put into a state what changed since ``before``, a digest."""
    if changed:
        state.rescored = [*listed(state.rescored), {"at": now, "from": before, "keys": list(changed)}]


def earlier_hashes(state: RunState | None) -> Iterator[str]:
    """Yield the digests of the configurations from which scoring was changed."""
    if state is not None:
        yield from (entry["from"] for entry in listed(state.rescored))
