"""Jobs that appeared after they were given up, or were in doubt when their requests changed: looked for, and stopped.

One that still runs is cancelled; of one that has ended the loss of its cost is reported. No job is touched that a part
of the run counts on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.errors import ProviderError
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, JobState, PartPayload
from promptrial.runtime.events import EventLog
from promptrial.store.records import Intent

__all__ = ["LateJobs"]

_IN_DOUBT: Final = ("submitting", "unknown", "expired")


@dataclass(frozen=True, slots=True)
class LateJobs:
    """Looks for late jobs of parts whose answers are here.

    Parameters
    ----------
    work : sequence of PartWork
    others : sequence of PartWork
        The run's other parts: their jobs are left alone.
    events : EventLog
    """

    work: Sequence[PartWork]
    others: Sequence[PartWork]
    events: EventLog

    def stop(self) -> None:
        """Cancel late jobs that run, and report those that have ended.

        Side effects: calls to providers; a warning for each job found, or whose state is not known.
        """
        for work in self.work:
            if work.downloaded:
                for intent in self._abandoned(work):
                    self._stop(work, intent)

    def _abandoned(self, work: PartWork) -> Iterator[Intent]:
        """Yield the attempts of a part whose job is in doubt, and that no part of the run counts on."""
        everyone = [*self.work, *self.others]
        wanted = {each.key for each in everyone}
        for intent in work.record.intents:
            last = bool(work.intents) and intent.key == work.intents[-1].key
            ours = intent.request_sha256 != work.request_sha256 and intent.key.rpartition("-a")[0] in wanted
            if last or ours or intent.results is not None or intent.status not in _IN_DOUBT:
                continue
            if not any(_claims(each, intent) for each in everyone if each is not work):
                yield intent

    def _stop(self, work: PartWork, intent: Intent) -> None:
        try:
            job = _job_of(work, intent)
            if job is not None:
                self._stop_job(work, intent, job)
        except ProviderError as error:
            name = intent.job or intent.key
            self.events.warn(f"{work.name}: whether job {name} still runs is not known: {error.message}")

    def _stop_job(self, work: PartWork, intent: Intent, job: JobRef) -> None:
        provider = work.provider()
        state = provider.status(job).state
        if state is JobState.WORKING:
            provider.cancel(job)
            said = f"job {job.name} appeared after it was given up; it was stopped"
            self.events.warn(f"{work.name}: {said}", late_job=intent.key)
        elif state is JobState.READY or (state is JobState.EXPIRED and intent.status != "expired"):
            said = f"job {job.name} appeared after it was given up, and has ended: its cost is lost"
            self.events.warn(f"{work.name}: {said}", late_job=intent.key)


def _job_of(work: PartWork, intent: Intent) -> JobRef | None:
    """Return the job of an attempt, if it can be told what the vendor calls it."""
    provider = work.provider()
    if intent.job is not None:
        return JobRef(intent.job)
    match provider.lookup:
        case JobLookup.KEY_IS_NAME:
            return JobRef(intent.key)
        case JobLookup.SEARCH:
            return provider.find(_bare_payload(work, intent))
        case JobLookup.GUESS | JobLookup.NONE:  # a guess is not sure enough to stop a job
            return None


def _bare_payload(work: PartWork, intent: Intent) -> PartPayload:
    """Return what ``find`` looks at; the requests themselves may be kept apart, or gone."""
    return PartPayload(
        key=intent.key,
        dataset_key=intent.dataset or intent.key,
        model=work.model,
        path=work.folder.requests(work.part.name),
        rows=intent.rows or 0,
        size=0,
        sha256="",
        requests=lambda: iter(()),
        since=intent.asked_at or None,
        staged=intent.dataset,
    )


def _claims(work: PartWork, intent: Intent) -> bool:
    """Whether a part counts on the job of an attempt."""
    known = (each.status for each in work.record.intents if each.key == intent.key)
    return work.record.job == (intent.job or intent.key) or any(status not in _IN_DOUBT for status in known)
