"""The one call that creates a job, made again only where it is known to have changed nothing; refusals go on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptrial.errors import PermanentError, ProviderError, QuotaReachedError, TransientError, UndecidedError
from promptrial.jobs.calls import Calls
from promptrial.jobs.recording import Recorder
from promptrial.jobs.schedule import Steps
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, PartPayload
from promptrial.store.part_records import PartStatus

__all__ = ["Creation"]


@dataclass(frozen=True, slots=True)
class Creation:
    """Creates the jobs of one part.

    Parameters
    ----------
    work : PartWork
    recorder : Recorder
    settings : QueueSettings
    calls : Calls
    facts : callable
        Returns what is recorded of a payload and the number of its attempt.
    noted : callable
        Returns the job that a file beside the results names for a payload.
    undecided : callable
        Returns how long to wait where several jobs may be the one that is looked for, or raises that it is too long.
    """

    work: PartWork
    recorder: Recorder
    settings: QueueSettings
    calls: Calls
    facts: Callable[[PartPayload, int], dict[str, object]]
    noted: Callable[[PartPayload], JobRef | None]
    undecided: Callable[[UndecidedError], float]

    def steps(self, payload: PartPayload) -> Steps[JobRef]:
        """Make the one call, again only where it is known to have changed nothing; a refusal is recorded."""
        waited = False
        while True:
            try:
                return (
                    yield from self.calls.retried(lambda: self._asked(payload), self.work.model.provider, payload.key)
                )
            except (PermanentError, TransientError) as refused:
                self._note_refusal(payload, refused)
                raise
            except UndecidedError as several:
                yield self.undecided(several)
            except QuotaReachedError as full:
                if not waited:
                    self._note_wait(payload, full)
                waited = True
                yield self.settings.quota_wait_s

    def _asked(self, payload: PartPayload) -> JobRef:
        """Make the call.

        Where a second call would create a second job, each refusal is recorded, so that a process that ends while
        it waits leaves nothing in doubt; and a job is looked for before the call is made again.
        """
        provider, work = self.work.provider(), self.work
        if provider.keyed:
            return provider.submit(payload)
        looks = work.record.status == "pending"
        if looks:
            found = self.noted(payload) if provider.lookup is JobLookup.NONE else provider.find(payload)
            if found is not None:
                return found
        if looks or (work.latest is not None and work.latest.refused is True):
            facts = self.facts(payload, work.record.attempt)
            self.recorder.record(work, "submitting", dataset=payload.staged, refused=self._told(refused=False), **facts)
        try:
            return provider.submit(payload)
        except (TransientError, QuotaReachedError) as refused:
            self._note_refusal(payload, refused)
            raise

    def _note_refusal(self, payload: PartPayload, refused: ProviderError) -> None:
        facts = self.facts(payload, self.work.record.attempt)
        self.recorder.record(self.work, "pending", reason=refused.message, refused=self._told(refused=True), **facts)

    def _told(self, *, refused: bool) -> bool | None:
        """Return what is recorded of a call's being refused: it matters where a guess may be taken back."""
        return refused if self.work.provider().lookup is JobLookup.GUESS else None

    def _note_wait(self, payload: PartPayload, full: QuotaReachedError) -> None:
        """Record why there is no job yet, so that ``status`` can tell a run that waits; say it for the first part."""
        work, reason = self.work, f"waiting for capacity: {full.message}"
        status: PartStatus = "submitting" if work.provider().keyed else "pending"
        facts = self.facts(payload, work.record.attempt)
        self.recorder.record(
            work, status, dataset=work.record.dataset, reason=reason, refused=self._told(refused=True), **facts
        )
        self.recorder.say_once("room", f"{work.name} {reason} (other parts may be affected too)")
