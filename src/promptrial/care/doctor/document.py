"""What ``doctor --json`` holds: findings and disk use as typed values, and their JSON Schema. Nothing is read here."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.care.run_documents import ListedWord
from promptrial.documents import schemas

__all__ = ["DiskUse", "DoctorDocument", "Finding", "Kind", "Severity", "json_schema"]

_VERSION: Final = 1

Severity = Literal["error", "warning", "note"]

Kind = Literal[
    "record",
    "torn",
    "artifact",
    "unknown_intent",
    "orphan_job",
    "superseded_job",
    "billed_missing",
    "unanswered",
    "empty_answers",
    "truncated_answers",
    "stop_sentinel",
    "lock",
    "interrupted",
    "failed",
    "not_done",
    "cost_cap",
    "pilot",
    "drift",
    "disk_space",
    "set_aside",
    "backup",
    "leftover",
    "legacy",
]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One problem, or one thing that is good to know.

    An ``error`` is damage, something that was paid for and is not here, or what a resume would fail at; a ``warning``
    is what a resume settles by itself; a ``note`` needs no fix. ``file`` is relative to the run's folder,
    ``.`` for the folder itself. ``command`` fixes it, or removes what is no longer needed; null where there is nothing
    to be done.
    """

    kind: Kind
    severity: Severity
    file: str
    meaning: str
    command: str | None


class DiskUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of one trial and phase take; ``trial`` is null for those of the whole run.

    ``phase`` is also ``records`` (state, manifests, journals, log) or ``set aside``.
    """

    trial: str | None
    phase: str
    files: int
    bytes: int


class DoctorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A run's health: ``healthy`` unless there is an error or a warning. Findings come in the order of their gravity.

    ``status`` is the word of ``status``, or ``damaged`` or ``no_state`` where the state cannot be read, or ``legacy``.
    """

    schema_version: Literal[1]
    run_id: str
    folder: str
    status: ListedWord | Literal["legacy"]
    healthy: bool
    findings: tuple[Finding, ...]
    disk: tuple[DiskUse, ...]
    bytes: int
    free_bytes: int


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``doctor --json``, as published in ``docs/schemas``."""
    return schemas.json_schema(DoctorDocument, f"promptrial doctor --json, schema_version {_VERSION}")
