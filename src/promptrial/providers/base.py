"""The narrow Protocol that every source of answers implements, and the values that cross it.

An adapter translates between promptrial and one vendor, nothing more: it keeps no files, retries nothing, never
sleeps and never prints. Queueing, durable records, retry and stop belong to ``promptrial.queue``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from promptrial.model import Completion, ModelSpec
from promptrial.providers.request_rows import RequestRow

__all__ = ["BatchProvider", "JobRef", "JobState", "JobStatus", "PartPayload"]


class JobState(enum.StrEnum):
    """What a vendor says of a job, in our words."""

    WORKING = "working"
    READY = "ready"
    """``results`` can be read now. A local engine is always ready: it computes each row as it is read."""
    EXPIRED = "expired"
    """Ended early; ``results`` gives what was finished."""
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class JobRef:
    """A job as the vendor knows it. ``name`` is enough to find it again from another process."""

    name: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's state, how many requests it has processed (None when the vendor does not say) and any message."""

    state: JobState
    processed: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class PartPayload:
    """What is sent for one part.

    ``key`` is unique to this part and attempt, and is what ``find`` looks for. ``requests`` opens a fresh iterator
    over the requests still wanted, in order, on each call.
    """

    key: str
    model: ModelSpec
    rows: int
    sha256: str
    requests: Callable[[], Iterator[RequestRow]]


class BatchProvider(Protocol):
    """One source of answers."""

    name: ClassVar[str]
    local: ClassVar[bool]
    """True when answers are computed by or for this process, row by row, so that repeats cost compute only."""

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return what identifies the model and engine exactly (weights' SHA-256, versions, parameters)."""

    def count_tokens(self, model: ModelSpec, text: str) -> int | None:
        """Return how many tokens the model's tokenizer makes of a text, or None where it is not to be had."""

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the job that an earlier process created for this payload's key, or None."""

    def submit(self, payload: PartPayload) -> JobRef:
        """Create the job, once."""

    def status(self, job: JobRef) -> JobStatus:
        """Return what the vendor says of the job now."""

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        """Yield the raw result rows, one JSON object a row without its newline."""

    def cancel(self, job: JobRef) -> None:
        """Ask the vendor to stop the job."""

    def parse_row(self, line: bytes) -> Completion:
        """Read one raw row.

        Raises
        ------
        ValueError
            If the row is not one that this provider writes.
        """

    def close(self) -> None:
        """Free what the adapter holds."""
