"""What a source of answers without jobs has besides the Protocol of ``base``: it answers one request with one call.

``AnswersDirectly`` gives such adapters the methods that only jobs need. Retry, waiting and the number of requests at
once are in ``promptrial.jobs.live``; an adapter makes one call and says what became of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Protocol, runtime_checkable

import msgspec

from promptrial.model import ModelSpec
from promptrial.providers.base import BatchProvider, JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.http_outcomes import printable
from promptrial.providers.http_service import Timeouts
from promptrial.providers.model_names import is_same_model
from promptrial.providers.request_rows import RequestRow

__all__ = [
    "ANSWER",
    "IN_FLIGHT",
    "NAME_HEADER",
    "PATIENT",
    "REFUSED_ALONE",
    "AnswersDirectly",
    "LiveAnswer",
    "LiveProvider",
    "Note",
    "answers_in_turn",
    "error_row",
    "on_one_line",
    "told_of_model",
]

IN_FLIGHT: Final = 16
"""Requests at once where neither the configuration nor the server says how many."""
PATIENT: Final = Timeouts(read_s=600.0, call_s=600.0)
"""An answer may be long, wait for others, and comes in one piece."""
REFUSED_ALONE: Final = frozenset({400, 413, 422})
"""Statuses of a refusal for what one request holds."""
NAME_HEADER: Final = "x-client-request-id"
"""The header by which OpenAI and its kin put our name of a request into their logs; the emulator knows it by that."""
ANSWER: Final = "answer a request"
"""What such a call does, for messages."""


class Note(NamedTuple):
    """Something about an answer that people should know: said for the first of its kind, and counted."""

    kind: str
    text: str


class LiveAnswer(NamedTuple):
    """The raw row of one request, on one line, with the plain ``custom_id``; and what is to be said about it."""

    row: bytes
    notes: tuple[Note, ...] = ()


@runtime_checkable
class LiveProvider(BatchProvider, Protocol):
    """An adapter with ``local`` and ``jobs`` False: each answer comes from a call of its own.

    ``answer`` is called by many threads at once. Calls may be made again, so that an answer is paid for twice where it
    was lost on its way.
    """

    @property
    def in_flight(self) -> int:
        """The most requests at once: what the instance says, else what the server is known to take, or ``IN_FLIGHT``.

        Asked after ``fingerprint``.
        """

    def answer(self, request: RequestRow, model: ModelSpec) -> LiveAnswer:
        """Answer one request, with one call.

        A request that is refused for what it holds, such as one that is too long or filtered, is answered by an error
        row (``error_row``), which is final.

        Raises
        ------
        SlowDownError
            If the server asks for fewer requests (429).
        TransientError
            If the same call may work later: no connection, a server that is too busy.
        UncertainError
            Likewise, if the call may have been billed: a broken connection, 408, 5xx, an answer that cannot be read.
        PermanentError
            If no request of this instance can work: a wrong key, address or model, or a parameter that it never takes.
        """


class AnswersDirectly:
    """The methods of ``BatchProvider`` that concern jobs, for adapters that have none."""

    jobs: ClassVar[bool] = False
    keyed: ClassVar[bool] = True
    lookup: ClassVar[JobLookup] = JobLookup.KEY_IS_NAME

    def stage(self, payload: PartPayload) -> Staged:
        """Return the part itself: nothing is sent before its answers are asked for."""
        return Staged(payload.dataset_key, ready=True)

    def find(self, payload: PartPayload) -> JobRef:
        """Return the part itself: what is lacking of it can always be asked for."""
        return JobRef(payload.key)

    def submit(self, payload: PartPayload) -> JobRef:
        """Return the part itself."""
        return JobRef(payload.key)

    def fence(self, payload: PartPayload) -> bool:  # noqa: ARG002 - the Protocol's
        """Return True: nothing is asked that could come late."""
        return True

    def status(self, job: JobRef) -> JobStatus:  # noqa: ARG002 - the Protocol's
        """Return ``READY``."""
        return JobStatus(JobState.READY)

    def cancel(self, job: JobRef) -> None:
        """Do nothing: it ends with its process, or when its ``results`` are closed."""

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:  # noqa: ARG002 - the Protocol's
        """Return nothing: there is nothing to fetch."""
        return ()

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> None:
        """Return None: it stops with its process."""


def answers_in_turn(provider: LiveProvider, payload: PartPayload) -> Iterator[bytes]:
    """Yield the rows of a part, asked for one after the other: the ``results`` of a live adapter."""
    for request in payload.requests():
        yield provider.answer(request, payload.model).row


def told_of_model(named: str, model: ModelSpec) -> Iterator[Note]:
    """Yield what to say about an answer that names a model: nothing if it names none, or the one that was asked."""
    if named and not is_same_model(named, model.id):
        shown = printable(named, 80)
        yield Note(f"model {shown}", f"model {model.shown_id} was requested, but {shown} answered")


def on_one_line(row: object) -> bytes:
    """Return a row as JSON on one line, also if it holds raw JSON of a server's that goes over several."""
    # Between the tokens of JSON a newline is a space; within them there is none.
    return msgspec.json.encode(row).replace(b"\n", b" ").replace(b"\r", b" ")


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str


class _ErrorRow(msgspec.Struct, frozen=True):
    custom_id: str
    error: _Error


def error_row(custom_id: str, code: str, message: str) -> bytes:
    """Return the row of a request that was refused, with the name of the reason and its explanation."""
    return msgspec.json.encode(_ErrorRow(custom_id, _Error(code, message)))
