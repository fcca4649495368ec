"""In what a configuration differs from the one that a run went by."""

from __future__ import annotations

from typing import Any

from promptrial.config.effective import config_hash, difference
from promptrial.config.loading import LoadedConfig
from promptrial.config.tree import dotted
from promptrial.design.growth import before_growth
from promptrial.engine import growing, rescoring
from promptrial.engine.opening.asked_before import asked_nothing
from promptrial.engine.opening.found import OnRecord, Started, StateLost
from promptrial.engine.opening.opened import Changes, Configured
from promptrial.engine.origin import is_started, own_copy
from promptrial.store.records import Origin

__all__ = ["changes_of_a_record", "drift_without_a_state"]


def changes_of_a_record(found: OnRecord, by: Configured) -> Changes:
    """Return in what a configuration differs from the one that the state of a run says."""
    is_same = found.state.config_hash == by.digest
    old = None if is_same else growing.recorded_tree(found.run, found.origin)
    asked = rescoring.as_before(old, by.tree)
    before = asked if old is None else before_growth(old, asked)
    resolved = by.resolved if old is None else before_growth(old, by.resolved)
    corrects = asked_nothing(found)
    return Changes(
        # By a configuration that asked nothing no answers can be mixed.
        drift=() if corrects else _drift(found, before) or _environment_drift(found.origin, by.loaded, resolved),
        rescored=rescoring.changes(old, by.tree),
        growth=growing.new_growth(found.run, old, by.tree) if before != asked else None,
        corrects=corrects and own_copy(found.run) is not None,
    )


def drift_without_a_state(found: Started | StateLost, by: Configured) -> tuple[str, ...]:
    """Return in what a configuration differs from the one that a run without a state was started with.

    Without a state, a larger sample and other scoring are changes like any other.
    """
    return _drift(found, by.tree) or _environment_drift(found.origin, by.loaded, by.resolved)


def _drift(found: Started | OnRecord | StateLost, tree: dict[str, Any]) -> tuple[str, ...]:
    run, origin = found.run, found.origin
    if origin is not None and origin.config_hash == config_hash(tree):
        return ()
    if origin is None and not is_started(run):
        return ()
    old = growing.recorded_tree(run, origin)
    if old is None:
        return (f"{run.config_path.name} is missing or damaged, so the changed keys cannot be listed",)
    lines = tuple(difference(old, tree))
    return lines or (() if origin is None else ("the recorded hash differs, although no key does",))


def _environment_drift(origin: Origin | None, loaded: LoadedConfig, resolved: dict[str, Any]) -> tuple[str, ...]:
    """Return the keys that take their value from the environment, if one of those values has changed."""
    if origin is None or origin.resolved_hash in {None, config_hash(resolved)}:
        return ()
    keys = ", ".join(f"{dotted(at)} ({text})" for at, text in loaded.placeholders.items())
    return (f"a value from the environment has changed; it is one of: {keys}",)
