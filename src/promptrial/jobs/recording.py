"""One durable record per change of a part, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from promptrial.jobs.budget import Budget
from promptrial.jobs.work import PartWork
from promptrial.runtime.events import EventLog
from promptrial.store import atomic
from promptrial.store.journal import PartEvent, fold
from promptrial.store.part_records import BilledTokens, FileRecord, Intent, PartStatus, ReusedAnswers

__all__ = ["Recorder"]


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
    budget : Budget
        Asked before anything is recorded that may cost, and told of each record.
    """

    clock: _Now
    events: EventLog
    on_progress: Callable[[str, str], None]
    budget: Budget = field(default_factory=Budget)
    _said: set[str] = field(default_factory=set)

    def record(self, work: PartWork, status: PartStatus, **fields: Any) -> None:  # noqa: ANN401 - of PartEvent
        """Record a change of a part; durable on return.

        Side effects: a line in the journal, an event in the log; the manifest in memory follows, and the budget.

        Raises
        ------
        OverCapError
            If the change is an attempt about to be made that may cost more than may be spent; nothing is recorded then.
        """
        if status == "submitting":  # the engine of this call is the one that the answers have to be fetched from
            fields["engine"] = work.engine or None
        if status == "submitting" and fields.get("key"):
            with self.budget.deciding():
                self.budget.require(work, fields["key"], fields.get("rows") or 0, fields.get("reserved_usd") or 0.0)
                event = self._appended(work, status, fields)
            self.budget.release(work.name)
        else:
            event = self._appended(work, status, fields)
        self.events.event(
            "part", trial=work.folder.slug, part=event.part, status=status, reason=event.reason, job=work.record.job
        )
        if status in {"submitted", "downloaded"}:
            self.on_progress(work.folder.slug, work.part.resume_key)

    def _appended(self, work: PartWork, status: PartStatus, fields: Mapping[str, Any]) -> PartEvent:
        event = PartEvent(part=work.part.name, status=status, at=self.clock.now(), **fields)
        return self._keep(work, event, in_our_words=status == "downloaded")

    def _keep(self, work: PartWork, event: PartEvent, *, in_our_words: bool = False) -> PartEvent:
        """Record a change durably, and return it as it was recorded: no secret is in its reason.

        A reason ``in_our_words`` has none. It is kept unchanged, because it is read again.
        """
        if event.reason is not None and not in_our_words:
            event = msgspec.structs.replace(event, reason=self.events.redact(event.reason))
        work.folder.journal.append(event)
        fold(work.manifest.parts, [event])
        self.budget.note(work)
        return event

    def record_attempt(self, work: PartWork, status: PartStatus, **fields: Any) -> None:  # noqa: ANN401 - of PartEvent
        """Record a change of a part and of its current attempt, or of the one that ``attempt`` names."""
        attempt = fields.get("attempt", work.record.attempt)
        key = next((intent.key for intent in work.intents if intent.attempt == attempt), None)
        self.record(work, status, key=key, **fields)

    def record_intent(
        self, work: PartWork, intent: Intent, results: FileRecord, billed: BilledTokens | None = None
    ) -> None:
        """Record the answers of one attempt, and what they report; the part keeps its status. Durable on return.

        Without ``billed``, what is on record of that stays.
        """
        event = PartEvent(
            part=work.part.name,
            status=intent.status,
            at=self.clock.now(),
            key=intent.key,
            results=results,
            reason=intent.reason,
            billed=billed,
            intent_only=True,
        )
        self._keep(work, event)
        self.events.event("intent", trial=work.folder.slug, part=event.part, key=intent.key, rows=results.rows)

    def record_reused(
        self,
        work: PartWork,
        key: str,
        attempt: int,
        results: FileRecord,
        reused: ReusedAnswers,
        billed: BilledTokens,
    ) -> None:
        """Record answers that were taken over from another run, as an attempt without a job; durable on return.

        ``billed`` is what they report, which that run has paid for.
        """
        event = PartEvent(
            part=work.part.name,
            status="completed",
            at=reused.at,
            key=key,
            attempt=attempt,
            request_sha256=work.request_sha256,
            rows=results.rows,
            results=results,
            reused=reused,
            billed=billed,
            intent_only=True,
        )
        self._keep(work, event)
        self.events.event("reused", trial=work.folder.slug, part=event.part, key=key, rows=results.rows)

    def record_late(self, work: PartWork, intent: Intent, job: str, billed: BilledTokens | None) -> None:
        """Record the job of an attempt that had been given up, and what it was billed; durable on return."""
        event = PartEvent(
            part=work.part.name,
            status=intent.status,
            at=self.clock.now(),
            key=intent.key,
            job=job,
            reason="its job appeared after it was abandoned",
            billed=billed,
            intent_only=True,
        )
        self._keep(work, event)
        self.events.event("intent", trial=work.folder.slug, part=event.part, key=intent.key, job=job)

    def record_lost(self, work: PartWork, key: str, reason: str, **facts: Any) -> None:  # noqa: ANN401 - of PartEvent
        """Record what answers cost that were asked for one by one and are lost; the part keeps its status.

        Durable on return.
        """
        event = PartEvent(
            part=work.part.name,
            status="expired",
            at=self.clock.now(),
            key=key,
            reason=reason,
            intent_only=True,
            live=True,
            request_sha256=work.request_sha256,
            **facts,
        )
        self._keep(work, event)
        self.events.event("intent", trial=work.folder.slug, part=event.part, key=key, rows=event.rows)

    def record_not_here(self, work: PartWork, reason: str, *, lost: bool) -> None:
        """Record why answers of a part are not here, and whether they are lost; the part keeps its status.

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
        event = self._keep(work, event)
        kind = "lost" if lost else "not_fetched"
        self.events.event(kind, trial=work.folder.slug, part=event.part, reason=event.reason, job=known.job)

    def say_once(self, what: str, text: str) -> None:
        """Say something that is true of many parts for the first of them, and only log it for the others."""
        self.events.event("info", "debug" if what in self._said else "info", text)
        self._said.add(what)

    def set_aside(self, work: PartWork, why: str) -> None:
        """Keep the results of other requests, or damaged ones, out of the way, and say so."""
        for path in (work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)):
            if path.exists():
                aside = atomic.set_aside(path)
                self.events.warn(f"{work.name}: {path.name} was renamed to {aside.name}: {why}")
