"""A part without a job elsewhere: each row is durable as it comes, and kept through any interruption.

``LocalPart`` is the task of one that this process computes itself, a row a step; ``live`` has that of one whose answers
are asked for one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from promptrial.errors import PermanentError, PromptrialError
from promptrial.jobs.answers import Answers, make_ready, readable_ids
from promptrial.jobs.calls_beside import CallsBeside
from promptrial.jobs.recording import Recorder
from promptrial.jobs.schedule import Steps
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobRef, JobState, PartPayload
from promptrial.providers.request_rows import row_id
from promptrial.runtime.progress import Task
from promptrial.store import atomic, jsonl
from promptrial.store.asked_files import leave_asked
from promptrial.store.part_records import FileRecord

__all__ = ["LocalPart", "PartRows", "answered_rows", "finished_rows", "name_job"]

_TAKEN_AT_ONCE: Final = 1000
"""How many rows that are on disk already are made durable together."""


@dataclass(frozen=True, slots=True)
class PartRows:
    """The rows of one part on disk, before and while they are sealed."""

    work: PartWork
    recorder: Recorder

    def open(self) -> frozenset[str]:
        """Return the ids of the rows that are here, from whatever an earlier process has left.

        A torn last row is cut off, a damaged file is renamed. Side effects: the part is on record as running.

        Raises
        ------
        PermanentError
            If the part was never submitted.
        """
        work = self.work
        if not work.has_job or work.record.job is None:
            raise PermanentError("it was never submitted", hint="select the submit step too")
        make_ready(work, self.recorder)
        leave_asked(work.answers_folder, work.asked)
        self._unseal()
        self.recorder.record(work, "running")
        return self.finished() | self.take_reused()

    def take_reused(self) -> frozenset[str]:
        """Put answers that were taken over from another run among the rows; return the ids of those that were not."""
        files = [path for _, path in Answers(self.work, self.recorder).files()]
        if not files:
            return frozenset()
        here, added = self.finished(), set[str]()
        with atomic.Appender(self.work.folder.part_rows(self.work.part.name)) as appender:
            for path in files:
                new = (line for line in jsonl.lines(path) if row_id(line) not in here)
                while lines := list(islice(new, _TAKEN_AT_ONCE)):
                    appender.append_lines(lines)
                    added.update(map(row_id, lines))
        return frozenset(added)

    def finished(self) -> frozenset[str]:
        """Return the ids of the rows that are whole; a torn last row is cut off, and damage is dealt with."""
        path = self.work.folder.part_rows(self.work.part.name)
        if cut := jsonl.repair_tail(path):
            said = f"{self.work.name}: the last row was incomplete ({cut} bytes) and is asked again"
            self.recorder.events.warn(said)
        try:
            return finished_rows(self.work)
        except ValueError:
            return self._without_damaged()

    def seal(self) -> FileRecord:
        """Give the rows their final name. What they say is for the parse phase to judge.

        Raises
        ------
        PermanentError
            If requests have no answer: a resume asks for those.
        """
        work = self.work
        missing = work.part.rows - len(self.finished())
        if missing > 0:
            raise PermanentError(f"{missing} of {work.part.rows} requests have no answer")
        target = work.folder.part_results(work.part.name)
        atomic.publish(work.folder.part_rows(work.part.name), target)
        return work.folder.run.record(target, jsonl.count(target))

    def payload(self, finished: frozenset[str]) -> PartPayload:
        """Return what is still to be asked."""
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

    def note_failure(self, error: Exception) -> str:
        """Record why the part was not finished; return that, with what to do."""
        reason = self.recorder.events.redact(error.message if isinstance(error, PromptrialError) else str(error))
        self.recorder.record(self.work, "failed", reason=reason)
        hint = error.hint if isinstance(error, PromptrialError) else None
        return f"{reason} ({self.recorder.events.redact(hint)})" if hint else reason

    def _without_damaged(self) -> frozenset[str]:
        """Set a file with a damaged row aside: all of its rows are computed again."""
        self.recorder.set_aside(self.work, "a row is damaged")
        return frozenset()

    def _unseal(self) -> None:
        """Take results that were sealed, but not recorded before a kill, for the rows that they are."""
        folder, name = self.work.folder, self.work.part.name
        sealed, rows = folder.part_results(name), folder.part_rows(name)
        if not sealed.exists():
            return
        if self.work.record.status == "downloaded" or rows.exists():
            self.recorder.set_aside(self.work, "they have changed since they were saved")
        else:
            atomic.publish(sealed, rows)


@dataclass(slots=True, eq=False)
class LocalPart:
    """The work on one part that this process computes; a ``schedule.PartTask``.

    Parameters
    ----------
    work : PartWork
    recorder : Recorder
    failures : dict
        Where an error that ends this task is noted, under the part's name.
    task : Task
        Counts rows.
    beside : CallsBeside
        Computes rows while other tasks go on.
    """

    work: PartWork
    recorder: Recorder
    failures: dict[str, str]
    task: Task
    beside: CallsBeside
    outstanding: int = field(default=0, init=False)
    """Rows that are being computed: one or none."""

    @property
    def in_flight(self) -> bool:
        """Whether a row is being computed: it is left between two rows, and what it has computed is kept."""
        return self.outstanding > 0

    def failed(self, error: Exception) -> None:
        """Note why this part was not finished."""
        self.failures[self.work.name] = PartRows(self.work, self.recorder).note_failure(error)

    def left_off(self) -> None:
        """Do nothing: its rows are on disk."""

    def steps(self) -> Steps[None]:
        """Compute the rows that are lacking and seal them.

        Raises
        ------
        PermanentError
            If requests have no answer.
        """
        rows = PartRows(self.work, self.recorder)
        finished = rows.open()
        job = JobRef(str(self.work.record.job))
        status = self.work.provider().status(job)
        if status.state is not JobState.READY:
            raise PermanentError(f"its job {job.name} is {status.state}: {status.message}")
        if len(finished) < self.work.part.rows:
            yield from self._appended(self.work.provider().results(job, rows.payload(finished)))
        self.recorder.record(self.work, "downloaded", results=rows.seal())

    def _appended(self, results: Iterator[bytes]) -> Steps[None]:
        with atomic.Appender(self.work.folder.part_rows(self.work.part.name)) as appender:
            while (row := (yield from self._computed(results))) is not None:
                appender.append(self.recorder.events.redact_row(row))
                self.task.advance()
                yield 0.0

    def _computed(self, results: Iterator[bytes]) -> Steps[bytes | None]:
        self.outstanding = 1
        try:
            row: bytes | None = yield from self.beside.made(partial(next, results, None), self.work.model.provider)
            return row
        finally:
            self.outstanding = 0


def name_job(work: PartWork, recorder: Recorder) -> None:
    """Name the job of a part that has none elsewhere; nothing is asked yet."""
    provider = work.provider()
    make_ready(work, recorder)
    recorder.record(work, "submitting", request_sha256=work.request_sha256, attempt=1)
    payload = PartRows(work, recorder).payload(frozenset())
    found = None if provider.lookup is JobLookup.NONE else provider.find(payload)
    job = found or provider.submit(payload)
    recorder.record(work, "submitted", job=job.name)


def answered_rows(work: PartWork) -> frozenset[str]:
    """Return the ids of the rows of a part without a job, sealed or not, that can be read and answer its requests."""
    name = work.part.name
    files = [path for path in (work.folder.part_results(name), work.folder.part_rows(name)) if path.exists()]
    if work.hosted or not files or work.answers_are_to != work.request_sha256:
        return frozenset()
    return frozenset[str]().union(*map(readable_ids, files))


def finished_rows(work: PartWork) -> frozenset[str]:
    """Return the ids of the rows on disk that are not sealed yet; none if there is no such file.

    Raises
    ------
    ValueError
        If a line is not a row.
    """
    path = work.folder.part_rows(work.part.name)
    return frozenset(row_id(line) for line in jsonl.lines(path)) if path.exists() else frozenset()
