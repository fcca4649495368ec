"""What is found of a run on disk, whatever is asked of it: one of five cases, each with what can be known then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from promptrial.engine.origin import find_origin, is_started
from promptrial.errors import CorruptRecordError
from promptrial.store import records
from promptrial.store.records import Origin, RunState
from promptrial.store.rundir import RunDir

__all__ = ["Found", "New", "Older", "OnRecord", "Started", "StateLost", "find", "origin_of", "state_of"]


@dataclass(frozen=True, slots=True)
class New:
    """Nothing of the run is on disk."""

    run: RunDir


@dataclass(frozen=True, slots=True)
class Started:
    """The run was started and has no state: its first process was killed before it wrote one, or somebody removed it.

    ``origin`` is what the trials say it was started with; None if none of them does.
    """

    run: RunDir
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The run has a state, which says what it was started with."""

    run: RunDir
    state: RunState
    origin: Origin
    """A copy: the state changes while the run goes on."""


@dataclass(frozen=True, slots=True)
class StateLost:
    """The state of the run is there and damaged; ``origin`` is what the trials say, as for ``Started``."""

    run: RunDir
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Older:
    """The run was made by promptrial's predecessor, and migrated or about to be; ``now`` is what is left of it.

    Its configuration was never in another file than the run's own.
    """

    now: Started | OnRecord | StateLost

    @property
    def run(self) -> RunDir:
        """The folder of the run."""
        return self.now.run


Found: TypeAlias = New | Started | OnRecord | StateLost | Older


def find(run: RunDir) -> Found:
    """Return what is found of a run."""
    try:
        state = records.load(run.state_path, RunState)
    except FileNotFoundError:
        origin = find_origin(run)
        if origin is None and not is_started(run):
            return New(run)
        return _perhaps_older(Started(run, origin))
    except CorruptRecordError:
        return _perhaps_older(StateLost(run, find_origin(run)))
    on_record = OnRecord(run, state, Origin.of(state))
    return Older(on_record) if state.migrated is True else on_record


def _perhaps_older(found: Started | StateLost) -> Found:
    """Tell a run of the predecessor, without a state, by the copy of its configuration that a migration keeps."""
    return Older(found) if any(found.run.root.glob("effective_config.backup.*.yaml")) else found


def state_of(found: Found) -> RunState | None:
    """Return the state of a run, if it is there and whole."""
    match found:
        case OnRecord():
            return found.state
        case Older():
            return state_of(found.now)
        case _:
            return None


def origin_of(found: Found) -> Origin | None:
    """Return what a run was started with, if that is on record."""
    match found:
        case New():
            return None
        case Older():
            return origin_of(found.now)
        case _:
            return found.origin
