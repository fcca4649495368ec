"""Files and batches as they are kept, and as the API shows them. What changes them is elsewhere."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from promptrial_emulator.core import Core
from promptrial_emulator.database import Collection
from promptrial_emulator.faults.rules import Fault, Injected
from promptrial_emulator.openai.inputs import InputFacts, Problem
from promptrial_emulator.openai.messages import EPOCH_S, refused
from promptrial_emulator.openai.outputs import Outcome
from promptrial_emulator.openai.schedule import FINISHED, IN_PROGRESS, VALIDATING
from promptrial_emulator.stages import Stage, current, partway
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Batch", "File", "OpenAI", "shown_batch", "shown_file"]

_TIMES: Final = (
    "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at",
    "cancelled_at",
)  # fmt: skip


class File(msgspec.Struct, kw_only=True):
    """A file; ``facts`` are known of the input of a batch."""

    id: str
    serial: int
    created: float
    visible_from: float
    purpose: str
    content: StoredFile
    processed_at: float = 0.0
    expires_at: float | None = None
    facts: InputFacts | None = None

    @property
    def open(self) -> bool:
        """That it expires is seen when it is looked for."""
        return False

    def is_visible(self, now: float) -> bool:
        """Whether clients see it: it has appeared and has not expired."""
        return self.visible_from <= now and (self.expires_at is None or now < self.expires_at)


class Batch(msgspec.Struct, kw_only=True):
    """A batch. ``schedule`` is what it goes through unless it is cancelled; ``problems`` are what validation finds.

    ``content`` is where the bytes of its input are, and ``share`` which share of its rows it answers by its end.
    """

    id: str
    serial: int
    created: float
    visible_from: float
    expires_at: float
    spec: dict[str, Any]
    facts: InputFacts
    input: str
    content: str
    schedule: list[Stage]
    faults: list[Fault]
    share: float
    state: str = VALIDATING
    times: dict[str, float] = msgspec.field(default_factory=dict)
    problems: list[Problem] = msgspec.field(default_factory=list)
    outcome: Outcome | None = None
    output_file: str | None = None
    error_file: str | None = None

    @property
    def open(self) -> bool:
        """Whether time still changes it."""
        return self.state not in FINISHED

    @property
    def injected(self) -> Injected:
        """The faults that it met when it was created."""
        return Injected(self.faults)

    @property
    def model(self) -> str:
        """The model of its requests."""
        return next(iter(self.facts.models), "")


class OpenAI:
    """The objects of the one project."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.files = Collection(core.database, "openai_file", File)
        self.batches = Collection(core.database, "openai_batch", Batch)

    def new_id(self, prefix: str, number: int | str) -> str:
        """Return the id of what a call makes."""
        return prefix + self.core.digest(number, prefix)[:24]

    def file(self, name: str, now: float, param: str = "id") -> File:
        """Return a file.

        Raises
        ------
        ApiError
            404 if there is none, it is not to be seen yet, or it has expired.
        """
        found = self.files.find(name)
        if found is None or not found.is_visible(now):
            raise refused(404, f"No such File object: {name}", param=param)
        return found

    def batch(self, name: str, now: float) -> Batch:
        """Return a batch.

        Raises
        ------
        ApiError
            404 if there is none, or it is not to be seen yet.
        """
        found = self.batches.find(name)
        if found is None or found.visible_from > now:
            raise refused(404, f"No batch found with id '{name}'.")
        return found


def shown_file(file: File, now: float) -> dict[str, Any]:
    """Return a file as JSON."""
    return {
        "object": "file",
        "id": file.id,
        "purpose": file.purpose,
        "filename": file.content.name,
        "bytes": file.content.size,
        "created_at": seconds(file.created),
        "expires_at": None if file.expires_at is None else seconds(file.expires_at),
        "status": "processed" if file.processed_at <= now else "pending",
        "status_details": None,
    }


def seconds(at: float) -> int:
    """Return a virtual time in Unix seconds."""
    return EPOCH_S + int(at)


def shown_batch(batch: Batch, now: float) -> dict[str, Any]:
    """Return a batch as JSON."""
    problems = [msgspec.structs.asdict(problem) for problem in batch.problems] if batch.state == "failed" else []
    absent = "" if batch.injected.get("F15", "empty_ids") else None
    times = {"expires_at": batch.expires_at, **batch.times}
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.spec["endpoint"],
        "model": batch.model or None,
        "errors": {"object": "list", "data": problems} if problems else None,
        "input_file_id": batch.input,
        "completion_window": batch.spec["completion_window"],
        "status": batch.state,
        "output_file_id": batch.output_file or absent,
        "error_file_id": batch.error_file or absent,
        "created_at": seconds(batch.created),
        **{name: seconds(times[name]) if name in times else None for name in _TIMES},
        "request_counts": _counts(batch, now),
        "metadata": batch.spec.get("metadata"),
        "usage": None if batch.outcome is None else batch.outcome.usage,
    }


def _counts(batch: Batch, now: float) -> dict[str, int]:
    """Return the counts: 0 before the batch runs, then an estimate. What was left undone is in the total alone."""
    if batch.state in (VALIDATING, "failed"):
        return {"total": 0, "completed": 0, "failed": 0}
    outcome = batch.outcome
    off = fault.options["offset"] if (fault := batch.injected.get("F15", "progress")) else 0
    completed = _estimate(batch, now) if outcome is None else outcome.succeeded
    failed = 0 if outcome is None or batch.injected.get("F15", "failed_zero") else outcome.failed
    return {"total": batch.facts.rows, "completed": completed + off, "failed": failed}


def _estimate(batch: Batch, now: float) -> int:
    """Return about how many rows are answered; never more than by its end."""
    rows = batch.facts.rows * batch.share
    running = current(batch.schedule, now).state == IN_PROGRESS
    return partway(rows, batch.schedule, now) if running else int(rows)
