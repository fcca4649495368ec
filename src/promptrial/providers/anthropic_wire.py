"""What Anthropic's API says about message batches, as typed values, and what a batch's status means. No calls are made.

Only what the adapter reads is declared. Counts say nothing before a batch has ended, and after that are no more than a
hint; fields that are for people are read whatever their type.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from promptrial.providers.base import JobState, JobStatus
from promptrial.providers.http_outcomes import printable
from promptrial.providers.vendor_ids import VendorId
from promptrial.providers.wire import mapping

__all__ = ["OVERLOADED", "RATE_LIMIT", "Batch", "BatchPage", "batch_status"]

OVERLOADED: Final = "overloaded_error"
RATE_LIMIT: Final = "rate_limit_error"
"""Types of errors by which the vendor turns a call away."""
_WORKING: Final = frozenset({"in_progress", "canceling"})
_COUNTS: Final = ("processing", "succeeded", "errored", "canceled", "expired")
_ENDED: Final = "ended"


class Batch(msgspec.Struct):
    """A message batch."""

    id: VendorId
    processing_status: Any = ""
    request_counts: Any = None
    results_url: Any = None
    cancel_initiated_at: Any = None
    archived_at: Any = None

    def __post_init__(self) -> None:
        self.processing_status = str(self.processing_status)

    @property
    def total(self) -> int | None:
        """How many requests it has: the one thing that its counts tell at any time. None if they cannot be read."""
        counts = mapping(self.request_counts)
        values = [counts[name] for name in _COUNTS if name in counts]
        if not values:
            return None
        return sum(values) if all(type(value) is int for value in values) else None

    @property
    def has_ended(self) -> bool:
        """Whether its results can be read, unless they were removed."""
        return bool(self.processing_status == _ENDED)

    def count(self, name: str) -> int:
        """Return how many requests it says ended so; 0 if it does not say."""
        found = mapping(self.request_counts).get(name)
        return found if type(found) is int else 0


class BatchPage(msgspec.Struct):
    """A page of batches, newest first."""

    data: list[Batch]
    has_more: bool = False
    last_id: str | None = None


def batch_status(batch: Batch) -> JobStatus:
    """Return a batch's status in our words. A status that is not known counts as working, and is said."""
    if batch.processing_status in _WORKING:
        return JobStatus(JobState.WORKING, "it is being canceled" if batch.processing_status == "canceling" else "")
    if not batch.has_ended:
        said = f"Anthropic says {printable(batch.processing_status)!r}, an unknown status"
        return JobStatus(JobState.WORKING, said)
    if batch.cancel_initiated_at is not None:
        return JobStatus(JobState.CANCELLED, f"canceled at {printable(str(batch.cancel_initiated_at), 40)}")
    if batch.archived_at is not None:
        return JobStatus(JobState.READY, f"its results were removed at {printable(str(batch.archived_at), 40)}")
    if expired := batch.count("expired"):
        return JobStatus(JobState.EXPIRED, f"{expired} of its requests expired")
    return JobStatus(JobState.READY)
