"""What ``status --json`` and ``list --json`` hold: typed values and their JSON Schemas. Nothing is read here."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.care.status import Progress, RunStatus, StatusWord
from promptrial.documents import schemas
from promptrial.store.lock import Holder
from promptrial.store.records import Checkpoint, PhaseStatus

__all__ = [
    "HolderDocument",
    "ListDocument",
    "ListedRun",
    "ListedWord",
    "PhaseDocument",
    "StatusDocument",
    "list_schema",
    "status_document",
    "status_schema",
]

ListedWord = StatusWord | Literal["damaged", "newer", "no_state"]
"""The state of a run in a list: the words of ``status``, and three for a run whose state cannot be read."""
_VERSION: Final = 1


class HolderDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The process that wrote its name into the run's lock.

    ``alive`` is whether a process holds the lock; null where the file system cannot tell. ``pid`` is a hint: in a
    container it says nothing about the processes of another.
    """

    pid: int
    host: str
    since: str
    alive: bool | None


class PhaseDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One phase; ``progress`` is null where nothing can be counted yet."""

    status: PhaseStatus
    updated_at: str | None
    last_error: str | None
    progress: Progress | None


class StatusDocument(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    ``rows`` and ``expected_rows`` count the answers on disk and the requests built, null before the build phase.
    ``waiting_for`` counts jobs in flight by provider.
    """

    run_id: str
    status: StatusWord
    config_hash: str
    stop_requested: bool
    holder: HolderDocument | None
    rows: int | None
    expected_rows: int | None
    waiting_for: dict[str, int]
    last_checkpoint: Checkpoint | None
    phases: dict[str, PhaseDocument]


class ListedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list.

    ``phases`` is its progress in words: ``6/9 score 1 of 2 trials``. ``usd`` is what it has spent, null unless
    that is known: with all attempts, and answers that trials share counted once. Of runs of earlier versions it is what
    the answers cost.
    ``updated_at`` is the last time in its state, and ``age_s`` the seconds since then. ``problem`` says what is wrong
    with a run that is ``damaged``, made by a ``newer`` version of the program, or has ``no_state``; then only its name
    is known. ``at_cap``, ``pilot_ended`` and ``sealed`` are there, and true, of a run that has stopped at its cap on
    costs, is at the end of its pilot, or has a sealed plan; ``aa`` likewise of an A/A run.
    """

    run_id: str
    status: ListedWord
    phases: str | None
    answers: int | None
    expected_answers: int | None
    usd: float | None
    updated_at: str | None
    age_s: float | None
    migrated: bool
    dry_run: bool
    problem: str | None
    at_cap: bool | msgspec.UnsetType = msgspec.UNSET
    pilot_ended: bool | msgspec.UnsetType = msgspec.UNSET
    sealed: bool | msgspec.UnsetType = msgspec.UNSET
    aa: bool | msgspec.UnsetType = msgspec.UNSET


class ListDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Every run in a folder, the one that changed last first; those without a time come last, by name."""

    schema_version: Literal[1]
    experiments_dir: str
    runs: tuple[ListedRun, ...]


def status_document(status: RunStatus) -> StatusDocument:
    """Return the status of a run as it is written down."""
    state = status.state
    return StatusDocument(
        run_id=state.run_id,
        status=status.word,
        config_hash=state.config_hash,
        stop_requested=state.stop_requested,
        holder=_holder_document(status.holder),
        rows=status.rows,
        expected_rows=status.expected_rows,
        waiting_for=dict(status.waiting_for),
        last_checkpoint=state.last_checkpoint,
        phases={
            name: PhaseDocument(
                status=phase.status,
                updated_at=phase.updated_at,
                last_error=phase.last_error,
                progress=status.progress.get(name),
            )
            for name, phase in state.phases.items()
        },
    )


def _holder_document(by: Holder | None) -> HolderDocument | None:
    """Return who holds a run; null as long as that process has not written its name."""
    if by is None or by.pid is None:
        return None
    return HolderDocument(pid=by.pid, host=by.host, since=by.since, alive=by.alive)


def status_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``status --json``, as published in ``docs/schemas``."""
    return schemas.json_schema(StatusDocument, "promptrial status --json")


def list_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``list --json``, as published in ``docs/schemas``."""
    return schemas.json_schema(ListDocument, f"promptrial list --json, schema_version {_VERSION}")
