"""Changes of the configuration that ask nothing again: which scorers run, and the criterion of costs.

They are no drift: *score* to *report* run again on the answers that there are. The change is said and recorded. Which
code may run is decided here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptrial.config.effective import difference
from promptrial.config.loading import LoadedConfig
from promptrial.config.schema import ExperimentConfig
from promptrial.store.records import RunState

__all__ = ["as_before", "changes", "earlier_hashes", "record", "trusted_code"]

_KEYS: Final = ExperimentConfig.only_rescores


def as_before(old: Mapping[str, Any] | None, tree: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the keys that ask nothing as they were; the rest of a difference is drift."""
    if old is None:
        return tree
    kept = {key: old[key] for key in _KEYS if key in old}
    return {key: value for key, value in tree.items() if key not in _KEYS} | kept


def changes(old: Mapping[str, Any] | None, tree: dict[str, Any]) -> tuple[str, ...]:
    """Return one line for each of these keys that changed."""
    return () if old is None else tuple(difference(_scoring(old), _scoring(tree)))


def _scoring(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tree[key] for key in _KEYS if key in tree}


def trusted_code(loaded: LoadedConfig, state: RunState | None, *, allow: bool) -> frozenset[str]:
    """Return the SHA-256 of the code of this configuration that may run.

    A file beside the configuration is the user's own. Code that came with a run may run only if it was allowed once,
    or stood in such a file before, as the state of the run knows.
    """
    digests = {entry.sha256 for entry in loaded.experiment.scorers_in_use.values() if entry.sha256}
    known = set(state.trusted_code) if state is not None and isinstance(state.trusted_code, list) else set()
    return frozenset(digests if allow else digests - (loaded.carried - known))


def record(state: RunState, changed: tuple[str, ...], trusted: frozenset[str], now: str, before: str) -> bool:
    """Put into a state what changed since ``before``, a digest, and the code that may run; tell whether it is new."""
    known = set(state.trusted_code) if isinstance(state.trusted_code, list) else set()
    if changed:
        earlier = state.rescored if isinstance(state.rescored, list) else []
        state.rescored = [*earlier, {"at": now, "from": before, "keys": list(changed)}]
    if trusted - known:
        state.trusted_code = sorted(known | trusted)
    return bool(changed or trusted - known)


def earlier_hashes(state: RunState | None) -> Iterator[str]:
    """Yield the digests of the configurations from which scoring was changed."""
    if state is not None and isinstance(state.rescored, list):
        yield from (entry["from"] for entry in state.rescored)
