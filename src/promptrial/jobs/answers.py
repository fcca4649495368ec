"""What is on disk of a part's answers: as they came, attempt by attempt, as a person put them there, and sealed.

No provider is asked here. Answers to other requests than the present ones are kept apart, where nothing counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from promptrial.errors import DataError
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.providers.capabilities import ReadsDownloads
from promptrial.providers.request_rows import row_id
from promptrial.store import atomic, breadcrumbs, downloads, jsonl
from promptrial.store.asked_files import Asked, leave_asked, read_asked
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord, Intent

__all__ = ["Answers", "find_again", "make_ready", "readable_ids", "row_ids"]

_CUSTOM_ID: Final = re.compile(rb'"custom_id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to the requests of one part."""

    work: PartWork
    recorder: Recorder

    @property
    def folder(self) -> Path:
        """Where they are, and where a person may put some."""
        return self.work.answers_folder

    def file(self, attempt: int) -> Path:
        """Return where the answers of an attempt are kept as they came."""
        return self.folder / f"results.a{attempt}.jsonl"

    def files(self) -> Iterator[tuple[Intent, Path]]:
        """Yield the attempts whose answers are here as they were fetched."""
        for intent in self.work.intents:
            path = self.file(intent.attempt)
            relative = self.work.folder.run.relative(path)
            if intent.results is not None and not self.work.folder.run.file_problem(relative, intent.results):
                yield intent, path

    def ids(self, before: int | None = None) -> frozenset[str]:
        """Return the ids of the requests that the attempts (before one) have answered, with an answer or an error."""
        paths = [path for intent, path in self.files() if before is None or intent.attempt < before]
        return frozenset(wire_id for path in paths for wire_id in row_ids(jsonl.lines(path)))

    def unanswered(self) -> frozenset[str]:
        """Return the ids of the requests that no attempt has answered."""
        return frozenset(row.custom_id for row in self.work.requests()) - self.ids()

    def known(self, attempt: int) -> FileRecord | None:
        """Return the answers of an attempt that are here as they came, or sealed before a kill lost their record."""
        known = next((i.results for i in self.work.intents if i.attempt == attempt and i.results is not None), None)
        sealed, run = self.work.folder.part_results(self.work.part.name), self.work.folder.run
        if known is None or known.rows == 0:  # nothing cannot be lost
            return known
        if not self.file(attempt).exists() and not run.file_problem(run.relative(sealed), known):
            atomic.publish(sealed, self.file(attempt))
        return None if run.file_problem(run.relative(self.file(attempt)), known) else known

    def write(self, attempt: int, rows: Iterable[bytes]) -> FileRecord:
        """Write the answers of an attempt as they come, without keys; all of them or, if reading them fails, none."""
        return _written(self.file(attempt), map(self.recorder.events.redact_row, rows))

    def write_nothing(self, attempt: int) -> FileRecord:
        """Record that the answers of an attempt are lost; a damaged file of them is renamed."""
        path = self.file(attempt)
        if path.exists() and path.stat().st_size:
            aside = atomic.set_aside(path)
            self.recorder.events.warn(
                f"{self.work.name}: {path.name} was renamed to {aside.name}: its answers are lost"
            )
        return self.write(attempt, ())

    def ids_by_hand(self) -> frozenset[str]:
        """Return which unanswered requests are answered by files that a person has put there.

        A file that cannot be read is said, and no reason to leave the provider unasked.
        """
        datasets = self._datasets_by_hand()
        if not downloads.files_by_hand(self.folder, datasets):
            return frozenset()
        try:
            return self.unanswered() & frozenset(row_ids(self._rows_by_hand(datasets)))
        except DataError as error:
            self.recorder.events.warn(f"{self.work.name}: {error.message}")
            return frozenset()

    def write_by_hand(self, attempt: int) -> FileRecord:
        """Take answers from files that a person has put there, beside what is here of the attempt as it came."""
        self.recorder.events.say(f"{self.work.name}: taking the answers from files in {self.folder}")
        here = [jsonl.lines(path) for intent, path in self.files() if intent.attempt == attempt]
        answered, rows = self.ids(), self._rows_by_hand(self._datasets_by_hand())
        return self.write(attempt, chain(*here, (row for row in rows if answered.isdisjoint(row_ids([row])))))

    def _rows_by_hand(self, datasets: Iterable[str]) -> Iterator[bytes]:
        """Yield the rows of the files that a person has put there, as the provider would have given them."""
        rows, provider = downloads.rows_by_hand(self.folder, datasets), self.work.provider()
        if not isinstance(provider, ReadsDownloads):
            return rows
        keys = [intent.key for intent in self.work.intents]
        return provider.plain_rows(rows, keys, lambda: (row.custom_id for row in self.work.requests()))

    def _datasets_by_hand(self) -> list[str]:
        """Return those data sets put there by a person that belong to jobs for the present requests; name the others.

        Such a folder is named as the vendor or our key names its job, or so with an ending behind a hyphen.
        """
        found = downloads.datasets_by_hand(self.folder)
        jobs = [name for intent in self.work.intents for name in (intent.key, intent.job) if name is not None]
        ours = [name for name in found if any(name == job or name.startswith(f"{job}-") for job in jobs)]
        for name in found:
            if name not in ours:
                said = f"{self.work.name}: {name}, put into {self.folder}, has answers to other requests; it is ignored"
                self.recorder.say_once(f"{self.work.name} {name}", said)
        return ours

    def seal(self) -> FileRecord:
        """Give the answers of all attempts their final name, in the order in which they came."""
        files = [path for _, path in self.files()]
        target = self.work.folder.part_results(self.work.part.name)
        if len(files) == 1:
            atomic.publish(files[0], target)
        else:
            _written(target, (line for path in files for line in jsonl.lines(path)))
        return self.work.folder.run.record(target, jsonl.count(target))


def make_ready(work: PartWork, recorder: Recorder) -> None:
    """Make a part's folder hold answers to its present requests only, and record that.

    The id of a row does not say what was asked, so no older file may stay in the folder. Earlier answers to exactly
    the present requests are brought back. The folder always belongs to the requests on record: it is emptied before
    the record changes, and filled afterwards. So this may be interrupted anywhere, and repeated for these requests or
    for the earlier ones.
    """
    on_record, present = work.record.request_sha256, work.request_sha256
    _put_others_apart(work, recorder)
    is_here = work.answers_folder.exists() or work.folder_apart(present).exists()
    if on_record != present and (on_record is not None or (is_here and not work.hosted)):
        recorder.record(work, "pending", request_sha256=present)
    if work.record.request_sha256 == present:
        _bring_back(work, recorder)


def find_again(work: PartWork, recorder: Recorder) -> None:
    """Do the same for a part without a record, if files say which requests its answers are to; record nothing."""
    if work.answers_are_to is not None or work.folder_apart(work.request_sha256).exists():
        _put_others_apart(work, recorder)
        _bring_back(work, recorder)


def row_ids(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids of rows; a garbled row was paid for too, and counts if its id can still be read."""
    for line in lines:
        try:
            yield row_id(line)
        except ValueError:
            if found := _CUSTOM_ID.search(line):
                yield found.group(1).decode()


def readable_ids(path: Path) -> frozenset[str]:
    """Return the ids of those rows of a file that can be read as a whole."""
    found = set[str]()
    for line in jsonl.lines(path):
        with suppress(ValueError):
            found.add(row_id(line))
    return frozenset(found)


def _put_others_apart(work: PartWork, recorder: Recorder) -> None:
    """Move answers to other requests away, with the note of their job, which would claim the present answers."""
    asked, note, folder = work.answers_are_to, work.job_note, work.answers_folder
    if asked == work.request_sha256:
        return
    if asked is not None and (folder.exists() or note is not None):
        if read_asked(folder) is None:  # nothing else says it when they come back
            leave_asked(folder, Asked(asked, _engine_of(work, asked)))
        if note is not None and note.request_sha256 != work.request_sha256:
            breadcrumbs.put_into(folder, work.folder.results, work.part.name)
    if folder.exists():
        target = _free(work.folder_apart(asked or "unknown"))
        atomic.move(folder, target)
        where = work.folder.run.relative(target)
        why = "its requests have changed; the answers to the previous requests are kept in"
        if asked is None:
            why = "no record says to which requests the answers on disk are; they are kept in"
        recorder.events.warn(f"{work.name}: {why} {where}")


def _bring_back(work: PartWork, recorder: Recorder) -> None:
    ours, folder = work.folder_apart(work.request_sha256), work.answers_folder
    if ours.exists() and not folder.exists():
        atomic.move(ours, folder)
        recorder.events.say(f"{work.name}: the same requests were asked before; their answers are used again")
    if read_asked(folder) is not None:
        breadcrumbs.bring_back(folder, work.folder.results, work.part.name)


def _engine_of(work: PartWork, request_sha256: str) -> dict[str, Any]:
    """Return the recorded engine that a job was sent to; empty if there is no record."""
    asked = (intent.engine for intent in work.record.intents if intent.request_sha256 == request_sha256)
    return next((engine for engine in asked if engine), {})


def _free(path: Path) -> Path:
    """Return a path, or that path with a number, at which nothing stands."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found


def _written(path: Path, rows: Iterable[bytes]) -> FileRecord:
    with AtomicFile(path) as file:
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - counted
            file.write(row + b"\n")
    return FileRecord(file.sha256(), file.size, count)
