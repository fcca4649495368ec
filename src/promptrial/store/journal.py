"""The job journal: one durable line per change of a part, folded into the trial manifest from time to time.

``engine/loop.py`` does that when *submit* or *poll* is done and when any phase stops or fails, ``phases/judging.py``
when judges are done. A change costs one appended line however many parts the trial has. Loading a manifest folds the
journal in, so nobody else has to read it. Folding is idempotent: a crash between saving the manifest and clearing the
journal is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from promptrial.documents import schemas
from promptrial.documents.amounts import Count, UsdAmount
from promptrial.documents.files import name_problem, read_bytes
from promptrial.errors import CorruptRecordError
from promptrial.store import atomic, jsonl
from promptrial.store.part_records import BilledTokens, FileRecord, Intent, PartRecord, PartStatus, ReusedAnswers

__all__ = ["Journal", "PartEvent", "fold"]


class PartEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of one part; fields left at None keep the value that they had.

    ``pending`` and ``submitting`` come before a job: no job or result of an earlier one is kept beside them. ``lost``
    says that answers can no longer be fetched; any later change takes that back. A change with a ``key`` is one of
    the intent of that key as well; with ``intent_only``, of nothing else. ``live`` says that the intent is of requests
    that are asked one by one.
    ``schema_version`` is left out as long as it is 1.
    """

    part: str
    status: PartStatus
    at: str
    attempt: int | None = None
    request_sha256: str | None = None
    dataset: str | None = None
    job: str | None = None
    results: FileRecord | None = None
    reason: str | None = None
    key: str | None = None
    rows: Count | None = None
    estimated_usd: UsdAmount | None = None
    engine: dict[str, Any] | None = None
    asked_at: float | None = None
    refused: bool | None = None
    reserved_usd: UsdAmount | None = None
    began: str | None = None
    billed: BilledTokens | None = None
    reused: ReusedAnswers | None = None
    intent_only: bool = False
    live: bool = False
    in_flight: Count | None = None
    lost: bool = False
    schema_version: int = 1


_VERSION = 1
_DECODER = msgspec.json.Decoder(PartEvent)
_CARRIED = ("attempt", "request_sha256", "dataset", "job", "results")
_OF_INTENTS = (
    *_CARRIED, "rows", "estimated_usd", "engine", "asked_at", "refused", "reserved_usd", "began", "billed", "reused",
    "in_flight",
)  # fmt: skip


class Journal:
    """The journal of one trial.

    Side effects: ``append`` writes and flushes one line, after cutting off a last line that a kill has torn; ``clear``
    removes the file. ``read`` changes nothing, so a process without the run's lock may call it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._appender: atomic.Appender | None = None

    def append(self, event: PartEvent) -> None:
        """Record a change; durable on return."""
        if self._appender is None:
            jsonl.repair_tail(self.path)
            self._appender = atomic.Appender(self.path)
        self._appender.append(msgspec.json.encode(event))

    def read(self) -> list[PartEvent]:
        """Return the changes since it was folded in last; a torn last line was never promised, and is left out.

        Raises
        ------
        CorruptRecordError
            If any other line is damaged; names the file and the line.
        NewerVersionError
            If a newer version of the program wrote a line.
        """
        events = []
        for number, line in self._whole_lines():
            try:
                events.append(_decode(line, f"{self.path}:{number}"))
            except (ValueError, RecursionError) as error:
                raise CorruptRecordError(f"{self.path}:{number}: damaged journal line: {error}") from error
        return events

    def salvage(self) -> list[PartEvent]:
        """Return the changes of every line that can be read, of a journal that is damaged.

        Raises
        ------
        NewerVersionError
            If a newer version of the program wrote a line.
        """
        events = []
        for number, line in self._whole_lines():
            with suppress(ValueError, RecursionError):
                events.append(_decode(line, f"{self.path}:{number}"))
        return events

    def _whole_lines(self) -> Iterator[tuple[int, bytes]]:
        try:
            data = read_bytes(self.path)
        except (FileNotFoundError, NotADirectoryError):  # nothing was written, or it has just been folded in
            return
        yield from enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1)

    def clear(self) -> None:
        """Forget the changes, once the manifest that holds them is saved."""
        self.close()
        atomic.remove(self.path)

    def close(self) -> None:
        """Close the file."""
        if self._appender is not None:
            self._appender.close()
            self._appender = None


class _Versioned(msgspec.Struct):
    schema_version: int = 1


def _decode(line: bytes, where: str) -> PartEvent:
    version = msgspec.json.decode(line, type=_Versioned).schema_version
    if version > _VERSION:
        raise schemas.newer(where, version, _VERSION)
    event = _DECODER.decode(line)
    for name in filter(None, (event.part, event.request_sha256)):  # files and folders are named by them
        if problem := name_problem(name):
            raise ValueError(f"{name!r}: {problem}")
    return event


def fold(parts: dict[str, PartRecord], events: list[PartEvent]) -> None:
    """Apply changes to part records, in order."""
    for event in events:
        old = parts.get(event.part) or PartRecord(resume_key=event.part.rsplit("_p", 1)[0])
        if event.intent_only:
            parts[event.part] = old if event.key is None else _with_intent(old, event, event.key)
            continue
        if event.status in {"pending", "submitting"}:
            old = PartRecord(resume_key=old.resume_key, attempt=old.attempt, intents=old.intents, live=old.live)
        lost = event.lost or msgspec.UNSET
        new = msgspec.structs.replace(
            old, status=event.status, reason=event.reason, lost=lost, **_changed_fields(event, _CARRIED)
        )
        parts[event.part] = new if event.key is None else _with_intent(new, event, event.key)


def _with_intent(part: PartRecord, event: PartEvent, key: str) -> PartRecord:
    """Return a part whose intent of this key has changed, or has been added."""
    live = () if isinstance(part.live, msgspec.UnsetType) else part.live
    intents = list(live if event.live else part.intents)
    known = [intent.key for intent in intents]
    if key not in known:
        intents.append(Intent(key=key, attempt=part.attempt, status=event.status))
    at = known.index(key) if key in known else -1
    before_a_job = event.status in {"pending", "submitting"} and not event.intent_only
    changes = ({"job": None} if before_a_job else {}) | _changed_fields(event, _OF_INTENTS)
    if event.status == "downloaded":  # the sealed file may hold several attempts; an intent keeps that of its own
        changes.pop("results", None)
    intents[at] = msgspec.structs.replace(intents[at], status=event.status, reason=event.reason, **changes)
    return msgspec.structs.replace(part, **{"live" if event.live else "intents": tuple(intents)})


def _changed_fields(event: PartEvent, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(event, name) for name in names if getattr(event, name) is not None}
