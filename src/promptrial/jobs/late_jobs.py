"""Jobs that appeared after they were given up, or were in doubt when their requests changed: looked for, and stopped.

One that still runs is cancelled; of one that has ended the loss of its cost is reported, and what its answers report
is recorded, so that the ledger of the run holds it. No job is touched that a part of the run counts on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from promptrial.errors import ProviderError, ResultsShortError
from promptrial.jobs.answers import row_ids
from promptrial.jobs.billing import count_billed, with_unanswered
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, JobState, PartPayload
from promptrial.runtime.events import EventLog
from promptrial.store.part_records import BilledTokens, Intent, set_or_none

__all__ = ["LateJobs"]

_IN_DOUBT: Final = ("submitting", "unknown", "expired")
_ENDED: Final = frozenset({JobState.READY, JobState.EXPIRED, JobState.FAILED, JobState.CANCELLED})
_SPARE_ROWS: Final = 1000
"""Rows beyond one for each request that are looked at."""


@dataclass(frozen=True, slots=True)
class LateJobs:
    """Looks for late jobs of parts whose answers are here.

    Parameters
    ----------
    work : sequence of PartWork
    others : sequence of PartWork
        The run's other parts: their jobs are left alone.
    recorder : Recorder
    """

    work: Sequence[PartWork]
    others: Sequence[PartWork]
    recorder: Recorder

    @property
    def events(self) -> EventLog:
        """Where it is said."""
        return self.recorder.events

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
            self.events.warn(f"{work.name}: it is not known whether job {name} still runs: {error.message}")

    def _stop_job(self, work: PartWork, intent: Intent, job: JobRef) -> None:
        provider = work.provider()
        state = provider.status(job).state
        if state is JobState.WORKING:
            provider.cancel(job)
            said = f"job {job.name} appeared after it was abandoned; it was cancelled"
            self.events.warn(f"{work.name}: {said}", late_job=intent.key)
            self.recorder.record_late(work, intent, job.name, _any_of(work, intent))
        elif state is JobState.READY or (state is JobState.EXPIRED and intent.status != "expired"):
            said = f"job {job.name} appeared after it was abandoned, and has ended: its cost is lost"
            self.events.warn(f"{work.name}: {said}", late_job=intent.key)
        if state in _ENDED and not _is_counted(intent):
            billed = _billed(work, intent, job, state)
            self.recorder.record_late(work, intent, job.name, _any_of(work, intent) if billed is None else billed)


def _any_of(work: PartWork, intent: Intent) -> BilledTokens:
    """Return that any request of an attempt may have been billed: its reserve counts until more is known.

    The attempt may be recorded as one that cannot have a job; a job that appears proves the opposite.
    """
    return with_unanswered(BilledTokens(), intent.rows or work.part.rows)


def _is_counted(intent: Intent) -> bool:
    """Whether it is on record what the job of an attempt was billed when it had ended."""
    billed = set_or_none(intent.billed)
    return intent.job is not None and billed is not None and (billed.answered > 0 or not billed.rows)


def _job_of(work: PartWork, intent: Intent) -> JobRef | None:
    """Return the job of an attempt, if the vendor's name for it is known."""
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


def _billed(work: PartWork, intent: Intent, job: JobRef, state: JobState) -> BilledTokens | None:
    """Return what the answers of a job report that has ended; None if they cannot be fetched: then nobody knows."""
    provider, rows = work.provider(), list[bytes]()
    most = (intent.rows or work.part.rows) + _SPARE_ROWS
    try:
        rows.extend(islice(provider.results(job, _bare_payload(work, intent)), most))
    except ResultsShortError:
        pass  # what came was billed, and what is lacking may have been
    except ProviderError:
        return None
    found = count_billed(rows, row_ids(rows), provider.parse_row)
    return with_unanswered(found, intent.rows) if state is JobState.READY else found


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
