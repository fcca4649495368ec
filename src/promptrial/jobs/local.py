"""A part that this process answers itself: each row is durable as it is computed, and kept through any interruption."""

from __future__ import annotations

from dataclasses import dataclass

from promptrial.errors import PermanentError
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, JobState, PartPayload
from promptrial.providers.request_rows import row_id
from promptrial.runtime.progress import Task
from promptrial.runtime.stop import StopToken
from promptrial.store import atomic, jsonl
from promptrial.store.records import FileRecord

__all__ = ["LocalPart", "finished_rows"]


@dataclass(frozen=True, slots=True)
class LocalPart:
    """The work on one part."""

    work: PartWork
    recorder: Recorder
    stop: StopToken

    def submit(self) -> None:
        """Name the job; nothing is computed yet. Results of other requests are set aside, never mixed in."""
        work = self.work
        if work.record.request_sha256 != work.request_sha256:
            self.recorder.set_aside(work, "answers to the previous requests")
        self.recorder.record(work, "submitting", request_sha256=work.request_sha256, attempt=1)
        payload, provider = self._payload(frozenset()), work.provider()
        found = None if provider.lookup is JobLookup.NONE else provider.find(payload)
        job = found or provider.submit(payload)
        self.recorder.record(work, "submitted", job=job.name)

    def collect(self, task: Task) -> None:
        """Compute the rows that are lacking and seal them.

        Raises
        ------
        StopRequested
            If a stop was asked for; finished rows are on disk.
        PermanentError
            If requests were left unanswered.
        """
        work = self.work
        if not work.has_job or work.record.job is None:
            raise PermanentError("it was never submitted", hint="select the submit step too")
        self._unseal()
        job = JobRef(work.record.job)
        status = work.provider().status(job)
        if status.state is not JobState.READY:
            raise PermanentError(f"its job {job.name} is {status.state}: {status.message}")
        self.recorder.record(work, "running")
        self._append_rows(job, task)
        self.recorder.record(work, "downloaded", results=self._seal())

    def _unseal(self) -> None:
        """Take results that were sealed, but not recorded before a kill, for the rows that they are."""
        folder, name = self.work.folder, self.work.part.name
        sealed, rows = folder.part_results(name), folder.part_rows(name)
        if not sealed.exists():
            return
        if self.work.record.status == "downloaded" or rows.exists():
            self.recorder.set_aside(self.work, "they are not what was sealed")
        else:
            atomic.publish(sealed, rows)

    def _append_rows(self, job: JobRef, task: Task) -> None:
        work, finished = self.work, self._finished()
        if len(finished) == work.part.rows:
            return
        results = work.provider().results(job, self._payload(finished))
        with atomic.Appender(work.folder.part_rows(work.part.name)) as appender:
            for row in results:
                appender.append(self.recorder.events.redact_row(row))
                task.advance()
                self.stop.check()

    def _finished(self) -> frozenset[str]:
        """Return the ids of the rows that are whole; a torn last row is cut off, a damaged file is set aside."""
        path = self.work.folder.part_rows(self.work.part.name)
        if cut := jsonl.repair_tail(path):
            said = f"{self.work.name}: the last row was torn ({cut} bytes) and is asked for again"
            self.recorder.events.warn(said)
        try:
            return finished_rows(self.work)
        except ValueError:
            self.recorder.set_aside(self.work, "a row is damaged")
            return frozenset()

    def _seal(self) -> FileRecord:
        """Give the rows their final name. What they say is for the parse phase to judge.

        Raises
        ------
        PermanentError
            If requests were left unanswered: a resume asks for those.
        """
        work = self.work
        missing = work.part.rows - len(self._finished())
        if missing > 0:
            raise PermanentError(f"{missing} of {work.part.rows} requests were left unanswered")
        target = work.folder.part_results(work.part.name)
        atomic.publish(work.folder.part_rows(work.part.name), target)
        return work.folder.run.record(target, jsonl.count(target))

    def _payload(self, finished: frozenset[str]) -> PartPayload:
        work = self.work
        return PartPayload(
            key=f"{work.key}-a{work.record.attempt}",
            dataset_key=work.key,
            model=work.model,
            path=work.folder.requests(work.part.name),
            rows=work.part.rows - len(finished),
            size=0,
            sha256=work.request_sha256,
            requests=lambda: (row for row in work.requests() if row.custom_id not in finished),
        )


def finished_rows(work: PartWork) -> frozenset[str]:
    """Return the ids of the rows on disk that are not sealed yet; none if there is no such file.

    Raises
    ------
    ValueError
        If a line is no row.
    """
    path = work.folder.part_rows(work.part.name)
    return frozenset(row_id(line) for line in jsonl.lines(path)) if path.exists() else frozenset()
