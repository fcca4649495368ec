"""One durable record per change of a part, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from promptrial.jobs.work import PartWork
from promptrial.runtime.events import EventLog
from promptrial.store import atomic
from promptrial.store.journal import PartEvent, fold
from promptrial.store.records import FileRecord, Intent, PartStatus, TrialManifest

__all__ = ["Recorder", "awaited_by"]


def awaited_by(manifests: Iterable[TrialManifest]) -> tuple[str, ...]:
    """Return what each job that waits for a person waits for, as ``JobWatch`` has put it on record."""
    parts = (part for manifest in manifests for part in manifest.parts.values())
    return tuple(part.reason for part in parts if part.status == "running" and part.reason is not None)


class _Now(Protocol):
    def now(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes the journals of the parts.

    Parameters
    ----------
    clock : has ``now``
    events : EventLog
    on_progress : callable
        Called with the trial and the resume key of a part that was submitted or downloaded.
    """

    clock: _Now
    events: EventLog
    on_progress: Callable[[str, str], None]
    _said: set[str] = field(default_factory=set)

    def record(self, work: PartWork, status: PartStatus, **fields: Any) -> None:  # noqa: ANN401 - of PartEvent
        """Record a change of a part; durable on return.

        Side effects: a line in the journal, an event in the log; the manifest in memory follows.
        """
        if status == "submitting":  # the engine of this call is the one that the answers have to be fetched from
            fields["engine"] = work.engine or None
        event = PartEvent(part=work.part.name, status=status, at=self.clock.now(), **fields)
        work.folder.journal.append(event)
        fold(work.manifest.parts, [event])
        self.events.event(
            "part", trial=work.folder.slug, part=event.part, status=status, reason=event.reason, job=work.record.job
        )
        if status in {"submitted", "downloaded"}:
            self.on_progress(work.folder.slug, work.part.resume_key)

    def record_attempt(self, work: PartWork, status: PartStatus, **fields: Any) -> None:  # noqa: ANN401 - of PartEvent
        """Record a change of a part and of the attempt that it stands at, or that ``attempt`` names."""
        attempt = fields.get("attempt", work.record.attempt)
        key = next((intent.key for intent in work.intents if intent.attempt == attempt), None)
        self.record(work, status, key=key, **fields)

    def record_intent(self, work: PartWork, intent: Intent, results: FileRecord) -> None:
        """Record the answers of one attempt; the part stands where it stood. Durable on return."""
        event = PartEvent(
            part=work.part.name,
            status=intent.status,
            at=self.clock.now(),
            key=intent.key,
            results=results,
            reason=intent.reason,
            intent_only=True,
        )
        work.folder.journal.append(event)
        fold(work.manifest.parts, [event])
        self.events.event("intent", trial=work.folder.slug, part=event.part, key=intent.key, rows=results.rows)

    def record_not_here(self, work: PartWork, reason: str, *, lost: bool) -> None:
        """Record why answers of a part are not here, and whether they are lost; the part stands where it stood.

        Durable on return.
        """
        known = work.record
        event = PartEvent(
            part=work.part.name,
            status=known.status,
            at=self.clock.now(),
            attempt=known.attempt,
            request_sha256=known.request_sha256,
            dataset=known.dataset,
            job=known.job,
            results=known.results,
            reason=reason,
            lost=lost,
        )
        work.folder.journal.append(event)
        fold(work.manifest.parts, [event])
        kind = "lost" if lost else "not_fetched"
        self.events.event(kind, trial=work.folder.slug, part=event.part, reason=reason, job=known.job)

    def say_once(self, what: str, text: str) -> None:
        """Say something that is true of many parts for the first of them, and only log it for the others."""
        self.events.event("info", "debug" if what in self._said else "info", text)
        self._said.add(what)

    def set_aside(self, work: PartWork, why: str) -> None:
        """Keep the results of other requests, or damaged ones, out of the way, and say so."""
        for path in (work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)):
            if path.exists():
                aside = atomic.set_aside(path)
                self.events.warn(f"{work.name}: {path.name} set aside as {aside.name}: {why}")
