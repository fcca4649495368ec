"""What OpenAI's files and batches say, as typed values, and what the states of a batch mean. No call is made here.

Only what the adapter reads is declared; other fields are ignored. Fields that are for people alone, and numbers that
nothing depends on, are read whatever their type, so that an odd one cannot keep a finished batch from being fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from promptrial.providers.base import JobState, JobStatus
from promptrial.providers.http_outcomes import printable
from promptrial.providers.vendor_ids import FileName, VendorId
from promptrial.providers.wire import mapping

__all__ = [
    "KEY",
    "MODEL",
    "REQUESTS",
    "STATES",
    "Batch",
    "BatchPage",
    "Deleted",
    "File",
    "FilePage",
    "seconds_of",
]

KEY: Final = "promptrial_key"
REQUESTS: Final = "promptrial_requests"
MODEL: Final = "promptrial_model"
"""The keys of our metadata: that of the job, that of its requests, and the model."""

STATES: Final[Mapping[str, JobState]] = {
    "validating": JobState.WORKING,
    "in_progress": JobState.WORKING,
    "finalizing": JobState.WORKING,
    "cancelling": JobState.WORKING,
    "completed": JobState.READY,
    "failed": JobState.FAILED,
    "expired": JobState.EXPIRED,
    "cancelled": JobState.CANCELLED,
}
"""Their states in our words."""

_NO_ROOM: Final = "token_limit_exceeded"
_BROKEN_FILE: Final = "the file was damaged in transfer, or the vendor reads it differently: a resume sends it again"
_ADVICE: Final[Mapping[str, str]] = {
    "invalid_json_line": _BROKEN_FILE,
    "duplicate_custom_id": _BROKEN_FILE,
    "url_mismatch": "check `endpoint` of the model: the address of each row must be that of the batch",
    "invalid_url": "check `endpoint` of the model: the address of each row must be that of the batch",
    "model_mismatch": "check `id` of the model: a file may ask only one model",
    "model_not_found": "check `id` of the model: this key has no such model, or not in batches",
    "invalid_model": "check `id` of the model: this key has no such model, or not in batches",
    "empty_file": _BROKEN_FILE,
    "too_many_tasks": "make parts smaller: lower `lines_per_part`, or `max_rows` of the provider",
    "file_too_large": "make parts smaller: lower `lines_per_part`, or `max_bytes` of the provider",
    _NO_ROOM: "if nothing else is in progress there, make parts smaller: lower `lines_per_part`",
}
"""What to do about the codes of a batch that failed before it began."""
_MOST_ERRORS: Final = 3


class Deleted(msgspec.Struct):
    """The answer to a deletion."""

    deleted: bool = False


class File(msgspec.Struct):
    """An uploaded file. ``status`` is deprecated at OpenAI, and what one has to wait for at Azure."""

    id: VendorId
    bytes: Any = None
    created_at: Any = None
    filename: Any = None
    status: Any = None

    @property
    def is_unusable(self) -> bool:
        """Whether no batch can ever be made from it."""
        return self.status in {"error", "failed", "deleted", "deleting", "canceled"}

    @property
    def is_ready(self) -> bool:
        """Whether a batch may be made from it now."""
        return self.status not in {"pending", "running", "notRunning", "uploading"}


class FilePage(msgspec.Struct):
    """A page of the list of files. An object without a list is none: it may be an error that came as a success."""

    data: list[File]
    has_more: bool | None = None


class _Problem(msgspec.Struct):
    code: Any = None
    line: Any = None
    message: Any = None

    def __str__(self) -> str:
        where = f"row {self.line}: " if isinstance(self.line, int) and not isinstance(self.line, bool) else ""
        said = [str(part) for part in (self.code, self.message) if part]
        return where + printable(": ".join(said) or "no reason given")


class _Problems(msgspec.Struct):
    data: list[_Problem] | None = None


def seconds_of(time: object) -> float | None:
    """Return a time as seconds since 1970; None if it is not a number."""
    return float(time) if isinstance(time, int | float) and not isinstance(time, bool) else None


class Batch(msgspec.Struct):
    """A batch. File ids may be missing, null, or an empty text; all of these say that there is no such file."""

    id: VendorId
    status: Any = ""
    input_file_id: FileName | None = None
    output_file_id: FileName | None = None
    error_file_id: FileName | None = None
    created_at: Any = None
    metadata: Any = None
    errors: Any = None
    request_counts: Any = None

    def __post_init__(self) -> None:
        self.status = str(self.status)

    @property
    def created(self) -> float | None:
        """When it was created, in seconds since 1970, if that is said."""
        return seconds_of(self.created_at)

    @property
    def problems(self) -> list[_Problem]:
        """What was found wrong with its requests as a whole."""
        try:
            found = msgspec.convert(self.errors, _Problems | None)
        except msgspec.ValidationError:
            return [_Problem(message=self.errors)] if self.errors else []
        return (found and found.data) or []

    @property
    def lacked_room(self) -> bool:
        """Whether it failed because too many tokens were waiting already: nothing of it was started."""
        codes = [problem.code for problem in self.problems]
        return self.status == "failed" and bool(codes) and all(code == _NO_ROOM for code in codes)

    @property
    def has_answered_nothing(self) -> bool:
        """Whether the vendor says that no request was answered.

        Its counts and its rows do not always agree: this is no more than a reason to believe that there is nothing,
        where nothing is what came.
        """
        return bool(mapping(self.request_counts).get("completed") == 0)

    def tag(self, name: str) -> str | None:
        """Return a value of its metadata."""
        value = mapping(self.metadata).get(name)
        return value if isinstance(value, str) else None

    def in_our_words(self, vendor: str) -> JobStatus:
        """Return its status. A state that is not known counts as working, and is said."""
        if self.status not in STATES:
            return JobStatus(JobState.WORKING, f"{vendor} says {printable(self.status)!r}, an unknown state")
        if self.lacked_room:
            return JobStatus(JobState.NO_ROOM, self._explained())
        return JobStatus(STATES[self.status], self._explained() if self.status == "failed" else "")

    def _explained(self) -> str:
        """Return what was found wrong, the first few of it, and what to do."""
        problems = self.problems
        said = [str(problem) for problem in problems[:_MOST_ERRORS]]
        if len(problems) > _MOST_ERRORS:
            said.append(f"and {len(problems) - _MOST_ERRORS} more")
        codes = (problem.code for problem in problems if isinstance(problem.code, str))
        advice = dict.fromkeys(_ADVICE[code] for code in codes if code in _ADVICE)
        return "; ".join([*said, *advice])


class BatchPage(msgspec.Struct):
    """A page of the list of batches. An object without a list is none: who believed it would ask for a batch again."""

    data: list[Batch]
    has_more: bool | None = None
