"""QueueManager: brings parts from pending to downloaded over any provider, one durable record per change.

It owns what no adapter may do: the order of work, the journal, appending rows, and stopping. The phases ``submit`` and
``poll`` say which parts; nothing here decides whether a phase is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from promptrial.errors import PermanentError, PhaseFailedError, PromptrialError
from promptrial.model import ModelSpec, Part
from promptrial.providers.base import BatchProvider, JobRef, JobState, PartPayload
from promptrial.providers.request_rows import RequestRow, row_id
from promptrial.runtime.events import EventLog
from promptrial.runtime.progress import Task
from promptrial.runtime.stop import StopToken
from promptrial.store import atomic, jsonl
from promptrial.store.journal import PartEvent, fold
from promptrial.store.records import FileRecord, PartRecord, PartStatus, TrialManifest
from promptrial.store.rundir import TrialDir

__all__ = ["PartWork", "QueueManager"]


class _Now(Protocol):
    def now(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PartWork:
    """One part to bring home: where it lives, who answers it, and its requests (a fresh iterator a call).

    ``request_sha256`` is the digest of what is asked and of whom: answers are kept only as long as both stay the same.
    """

    folder: TrialDir
    manifest: TrialManifest
    part: Part
    model: ModelSpec
    provider: Callable[[], BatchProvider]
    request_sha256: str
    requests: Callable[[], Iterator[RequestRow]]

    @property
    def record(self) -> PartRecord:
        """What is known of the part now."""
        return self.manifest.parts.get(self.part.name) or PartRecord(resume_key=self.part.resume_key)

    @property
    def submitted(self) -> bool:
        """Whether a job was recorded for exactly these requests."""
        record = self.record  # while a new job is on its way, the job on record is still the one before
        return record.status != "submitting" and record.job is not None and record.request_sha256 == self.request_sha256

    @property
    def downloaded(self) -> bool:
        """Whether the results of exactly these requests are on disk as they were sealed."""
        record = self.record
        if not self.submitted or record.status != "downloaded" or record.results is None:
            return False
        path = self.folder.part_results(self.part.name)
        return not self.folder.run.file_problem(self.folder.run.relative(path), record.results)


class QueueManager:
    """Works through parts in the order given.

    Parameters
    ----------
    work : sequence of PartWork
    clock : has ``now``
    events : EventLog
    stop_event : StopToken
        Once set, no new part or request is begun; the request in flight is finished and kept.
    on_progress : callable, optional
        Called with the trial and the resume key of a part that was submitted or brought home.
    """

    def __init__(
        self,
        work: Sequence[PartWork],
        clock: _Now,
        events: EventLog,
        stop_event: StopToken,
        on_progress: Callable[[str, str], None] = lambda _slug, _resume_key: None,
    ) -> None:
        self._work = work
        self._on_progress = on_progress
        self._clock = clock
        self._events = events
        self._stop = stop_event

    def submit(self) -> None:
        """Give every part that has no job yet to its provider: the intent is recorded before the provider is called.

        Results of earlier, different requests under the same part name are set aside, never mixed in.
        """
        for work in self._work:
            if work.submitted:
                continue
            self._stop.check()
            self._set_aside(work, "they answer other requests")
            self._record(work, "submitting", request_sha256=work.request_sha256, attempt=1)
            payload = _payload(work, frozenset())
            provider = work.provider()
            provider.stage(payload)
            job = provider.find(payload) or provider.submit(payload)
            self._record(work, "submitted", job=job.name)
            self._on_progress(work.folder.slug, work.part.resume_key)

    def collect(self, task: Task) -> None:
        """Read every part's results to the end and seal them; a part that fails does not stop the others.

        Raises
        ------
        PhaseFailedError
            Naming every part that failed and why, and the command that tries just those again.
        StopRequested
            If a stop was asked for; finished rows are on disk.
        """
        failed: list[str] = []
        for work in self._work:
            if work.downloaded:
                continue
            self._stop.check()
            try:
                self._collect_one(work, task)
            except (PromptrialError, OSError) as error:
                reason = self._events.redact(error.message if isinstance(error, PromptrialError) else str(error))
                failed.append(f"{work.folder.slug}/{work.part.name}: {reason}")
                self._record(work, "failed", reason=reason)
        if failed:
            raise PhaseFailedError(
                f"{len(failed)} of {len(self._work)} parts failed:\n  " + "\n  ".join(failed),
                hint=f"promptrial run --run_id {self._work[0].folder.run.run_id} --resume",
            )

    def _collect_one(self, work: PartWork, task: Task) -> None:
        if not work.submitted or work.record.job is None:
            raise PermanentError("it was never submitted", hint="select the submit step too")
        self._unseal(work)
        job = JobRef(work.record.job)
        status = work.provider().status(job)
        if status.state not in {JobState.READY, JobState.EXPIRED}:
            raise PermanentError(f"its job {job.name} is {status.state}: {status.message}")
        self._record(work, "running")
        self._append_rows(work, job, task)
        self._record(work, "downloaded", results=self._seal(work))
        self._on_progress(work.folder.slug, work.part.resume_key)

    def _unseal(self, work: PartWork) -> None:
        """Take results that were sealed, but not recorded before a kill, for the rows that they are."""
        sealed, rows = work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)
        if not sealed.exists():
            return
        if work.record.status == "downloaded" or rows.exists():
            self._set_aside(work, "they are not what was sealed")
        else:
            atomic.publish(sealed, rows)

    def _append_rows(self, work: PartWork, job: JobRef, task: Task) -> None:
        finished = self._finished_rows(work)
        if len(finished) == work.part.rows:
            return
        results = work.provider().results(job, _payload(work, finished))
        with atomic.Appender(work.folder.part_rows(work.part.name)) as appender:
            for row in results:
                appender.append(row)
                task.advance()
                self._stop.check()

    def _finished_rows(self, work: PartWork) -> frozenset[str]:
        """Return the ids of the rows that are whole; a torn last row is cut off, a damaged file is set aside."""
        path = work.folder.part_rows(work.part.name)
        if not path.exists():
            return frozenset()
        if cut := jsonl.mend_tail(path):
            self._events.warn(f"{work.part.name}: the last row was torn ({cut} bytes) and is asked for again")
        try:
            return frozenset(row_id(line) for line in jsonl.lines(path))
        except ValueError:
            self._set_aside(work, "a row is damaged")
            return frozenset()

    def _seal(self, work: PartWork) -> FileRecord:
        """Give the rows their final name. What they say, and what is missing, is for the parse phase to judge.

        Raises
        ------
        PermanentError
            If a local engine left requests unanswered: a resume asks it for those.
        """
        rows = work.folder.part_rows(work.part.name)
        missing = work.part.rows - len(self._finished_rows(work)) if work.provider().local else 0
        if missing > 0:
            raise PermanentError(f"{missing} of {work.part.rows} requests were left unanswered")
        target = work.folder.part_results(work.part.name)
        atomic.publish(rows, target)
        return work.folder.run.record(target, sum(1 for _ in jsonl.lines(target)))

    def finished(self) -> int:
        """Return how many rows of the parts are on disk, sealed or not."""
        return sum(
            work.part.rows if work.downloaded else jsonl.count(work.folder.part_rows(work.part.name))
            for work in self._work
        )

    def _set_aside(self, work: PartWork, why: str) -> None:
        for path in (work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)):
            if path.exists():
                aside = atomic.set_aside(path)
                self._events.warn(f"{work.folder.slug}/{work.part.name}: {path.name} set aside as {aside.name}: {why}")

    def _record(self, work: PartWork, status: PartStatus, **fields: Any) -> None:  # noqa: ANN401 - fields of PartEvent
        event = PartEvent(part=work.part.name, status=status, at=self._clock.now(), **fields)
        work.folder.journal.append(event)
        fold(work.manifest.parts, [event])
        self._events.event("part", trial=work.folder.slug, part=event.part, status=event.status, reason=event.reason)


def _payload(work: PartWork, finished: frozenset[str]) -> PartPayload:
    key = f"pt-{work.request_sha256[:24]}"
    return PartPayload(
        key=f"{key}-a{work.record.attempt}",
        dataset_key=key,
        model=work.model,
        path=work.folder.requests(work.part.name),
        rows=work.part.rows - len(finished),
        size=0,
        sha256=work.request_sha256,
        requests=lambda: (row for row in work.requests() if row.custom_id not in finished),
    )
