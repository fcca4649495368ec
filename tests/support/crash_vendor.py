"""A provider that records what it was asked, outside the run, so that the record survives the client.

``vendor/jobs.log`` has a line for each job created, ``vendor/answers.log`` one for each answer given, and
``vendor/promises.log`` one for each record of the program that became durable: from then on the program may neither
create that job nor ask for that answer again. The folder is beside the experiments, in the current folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from promptrial.errors import PermanentError
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload
from promptrial.store.atomic import Appender
from promptrial.store.journal import Journal, PartEvent
from tests.support.fake_provider import FakeProvider, answer

FOLDER = Path("vendor")


class Ledger(NamedTuple):
    """What the vendor and the promises say, line by line."""

    jobs: tuple[str, ...]
    answers: tuple[str, ...]
    promises: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """Read the ledger below a folder; a missing file has no lines."""
        paths = (folder / FOLDER / f"{name}.log" for name in cls._fields)
        return cls(*(tuple(path.read_text().splitlines()) if path.exists() else () for path in paths))

    def write(self, folder: Path) -> None:
        """Write the ledger below a folder."""
        (folder / FOLDER).mkdir()
        for name, lines in zip(self._fields, self, strict=True):
            (folder / FOLDER / f"{name}.log").write_text("".join(line + "\n" for line in lines))

    def cut(self, lengths: tuple[int, ...]) -> Ledger:
        """Return the ledger as it was when it had these numbers of lines."""
        return Ledger(*(lines[:length] for lines, length in zip(self, lengths, strict=True)))

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many lines of each kind there are."""
        return tuple(len(lines) for lines in self)


class Vendor(FakeProvider):
    """Answers immediately, knows its jobs, and puts the job's name into each row.

    Unless our key is the name (``lookup``), it gives its jobs names that show nothing of it.
    """

    def find(self, payload: PartPayload) -> JobRef | None:
        name = self._name_of(payload)
        return JobRef(name) if name in Ledger.read(Path()).jobs else None

    def submit(self, payload: PartPayload) -> JobRef:
        name = self._name_of(payload)
        _note("jobs", name)
        return JobRef(name)

    def status(self, job: JobRef) -> JobStatus:
        if job.name not in Ledger.read(Path()).jobs:
            return JobStatus(JobState.FAILED, message="no such job")
        return JobStatus(JobState.READY)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        if self._name_of(payload) != job.name:
            raise PermanentError(f"job {job.name} was not made for {payload.key}")
        for row in payload.requests():
            _note("answers", f"{job.name}/{row.custom_id}")
            yield json.dumps({**json.loads(answer(row)), "job": job.name}).encode()

    def _name_of(self, payload: PartPayload) -> str:
        if self.lookup is JobLookup.KEY_IS_NAME:
            return payload.key
        return f"batch_{hashlib.sha256(payload.key.encode()).hexdigest()[:12]}"


def note_promises() -> None:
    """From now on note every row and every job whose durable record was made, after it was made."""
    append_row: Callable[[Appender, bytes], None] = Appender.append
    append_event: Callable[[Journal, PartEvent], None] = Journal.append

    def noted_row(self: Appender, line: bytes) -> None:
        append_row(self, line)
        row: dict[str, Any] = json.loads(line)
        if "custom_id" in row:
            _note("promises", f"{row['job']}/{row['custom_id']}")

    def noted_event(self: Journal, event: PartEvent) -> None:
        append_event(self, event)
        if event.status == "submitted":
            _note("promises", str(event.job))

    Appender.append = noted_row  # type: ignore[method-assign]
    Journal.append = noted_event  # type: ignore[method-assign]


def _note(name: str, line: str) -> None:
    fd = os.open(FOLDER / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)
