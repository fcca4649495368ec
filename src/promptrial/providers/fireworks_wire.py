"""What the Fireworks API says, as typed values, and what its job states mean. No call is made here.

Only what the adapter reads is declared; other fields are ignored. Numbers come as text (proto3 JSON), and fields that
are for people alone are read whatever their type, so that an odd one cannot keep a finished job from being fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from promptrial.providers.base import JobState, JobStatus
from promptrial.providers.http_outcomes import printable
from promptrial.providers.wire import mapping, text, whole_number

__all__ = [
    "FAILED_PRECONDITION",
    "NOT_FOUND",
    "STATES",
    "Dataset",
    "Job",
    "Model",
    "SignedUrls",
    "job_status",
    "last_segment",
    "state_of",
]

NOT_FOUND: Final = "5"
FAILED_PRECONDITION: Final = "9"
"""Codes that errors carry, those of gRPC; the second says that a thing is there but not finished."""

_PREFIX: Final = "JOB_STATE_"

STATES: Final[Mapping[str, JobState]] = {
    "UNSPECIFIED": JobState.WORKING,
    "VALIDATING": JobState.WORKING,
    "CREATING_INPUT_DATASET": JobState.WORKING,
    "PENDING": JobState.WORKING,
    "CREATING": JobState.WORKING,
    "RUNNING": JobState.WORKING,
    "RE_QUEUEING": JobState.WORKING,
    "IDLE": JobState.WORKING,
    "PAUSED": JobState.WORKING,
    "WRITING_RESULTS": JobState.WORKING,
    "CANCELLING": JobState.WORKING,
    "COMPLETED": JobState.READY,
    "EXPIRED": JobState.EXPIRED,
    "EARLY_STOPPED": JobState.EXPIRED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "DELETING": JobState.CANCELLED,
    "DELETING_CLEANING_UP": JobState.CANCELLED,
}
"""Their states, without the prefix that the wire has and their documentation leaves out, in our words."""


class Dataset(msgspec.Struct, rename="camel"):
    """A dataset. ``example_count`` is what its maker said; nobody compares it with the file."""

    name: str
    state: str = ""
    status: Any = None
    example_count: Any = None

    @property
    def rows(self) -> int | None:
        """The example count as a number, if it is one."""
        return whole_number(self.example_count)

    @property
    def refusal(self) -> str | None:
        """What is wrong with it, None if nothing is: a status without a code, or with that of success, is no fault."""
        bad = mapping(self.status).get("code") not in (None, "", 0, "0", "OK")
        return _in_words(self.status) if bad else None


class Model(msgspec.Struct, rename="camel"):
    """A model."""

    context_length: Any = None

    @property
    def window(self) -> int | None:
        """How many tokens it can read and write in one request, None if that is not stated."""
        return whole_number(self.context_length) or None


class Job(msgspec.Struct, rename="camel"):
    """A batch inference job."""

    name: str
    state: str = ""
    status: Any = None
    model: str = ""
    input_dataset_id: str = ""
    waiting_on_capacity: Any = None
    job_progress: Any = None

    @property
    def processed(self) -> int | None:
        """How many requests Fireworks says that it has processed, None if it does not say.

        Their counts and their rows do not always agree: this one is no more than a reason to believe that there is
        nothing, where nothing is what came.
        """
        return whole_number(mapping(self.job_progress).get("totalProcessedRequests"))


class SignedUrls(msgspec.Struct, rename="camel"):
    """Names of files, each with the URL that may be used for a while without a key."""

    filename_to_signed_urls: dict[str, str] = {}


def state_of(said: str) -> JobState | None:
    """Return a state in our words, None if it is not known; the wire's prefix may be there or not."""
    return STATES.get(said.removeprefix(_PREFIX))


def job_status(job: Job) -> JobStatus:
    """Return a job's status in our words. A state that is not known counts as working, and is said."""
    state, notes = state_of(job.state), [_in_words(job.status)]
    if state is None:
        notes.insert(0, f"Fireworks says {printable(job.state)!r}, an unknown state")
    if job.waiting_on_capacity:
        notes.append("waiting for capacity at Fireworks")
    return JobStatus(state or JobState.WORKING, "; ".join(note for note in notes if note))


def last_segment(name: str) -> str:
    """Return the id at the end of a resource's full name."""
    return name.rpartition("/")[2]


def _in_words(status: object) -> str:
    """Return what a status says, whatever shape it has."""
    return printable(str(mapping(status).get("message") or text(status)))
