"""Fetching what a job has answered until it can be believed: nothing is bought again because of one download.

A download that lacks rows may have been cut where a row ends, come from a copy that is not complete yet, or be empty by
mistake; a dataset may not be visible for a while. So what lacks rows is fetched again, from a new address and after a
wait, and what has come in any download of one job that ended is kept; a transfer that breaks off is discarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from promptrial.errors import ResultsEmptyError, ResultsGoneError, ResultsShortError, ResultsTornError
from promptrial.jobs.answers import Answers, row_ids
from promptrial.jobs.schedule import Steps
from promptrial.jobs.services import QueueServices
from promptrial.jobs.settling import Settling
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, PartPayload
from promptrial.store import atomic, jsonl
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord

__all__ = ["Fetching"]

_SPARE_ROWS: Final = 1000
"""Rows beyond one for each request that are kept of a download: for other requests, unreadable, or repeated."""


@dataclass(slots=True)
class _Draft:
    """What the downloads of one attempt have brought so far; it gets its final name once it is believed."""

    path: Path
    wanted: frozenset[str]
    ids: set[str] = field(default_factory=set)
    rows: int = 0
    dropped: int = 0

    @property
    def missing(self) -> int:
        return len(self.wanted) - len(self.ids)

    def beside(self, message: str) -> str:
        """Return why the rest cannot be fetched, and what is here."""
        return f"{message}; {len(self.ids)} of {len(self.wanted)} answers were received before that, and are kept"

    def load(self) -> None:
        """Count what an earlier process has left here."""
        if self.path.exists():
            self.ids = set(self.wanted.intersection(row_ids(jsonl.lines(self.path))))
            self.rows = jsonl.count(self.path)

    def take(self, rows: Iterable[bytes]) -> int:
        """Write the rows of another download and, of those before, what it lacks; return how many ids are new.

        Rows that answer no request of this attempt, or one that is answered, are kept up to a limit, and counted
        beyond it: a file of millions of other jobs' rows would fill the disk.
        """
        here, spare, self.dropped = set[str](), len(self.wanted) + _SPARE_ROWS, 0
        with AtomicFile(self.path) as file:
            count = 0
            for row in rows:
                ours = self.wanted.intersection(row_ids([row])) - here
                if not ours and spare <= 0:
                    self.dropped += 1
                    continue
                spare -= not ours
                here |= ours
                count += 1
                file.write(row + b"\n")
            for row in jsonl.lines(self.path) if self.ids - here else ():
                if (self.ids - here).intersection(row_ids([row])):
                    count += 1
                    file.write(row + b"\n")
        new, self.rows = len(here - self.ids), count
        self.ids |= here
        return new


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches the answers of the attempts of one part.

    Parameters
    ----------
    work : PartWork
    services : QueueServices
    answers : Answers
    """

    work: PartWork
    services: QueueServices
    answers: Answers

    def held(self, attempt: int) -> frozenset[str]:
        """Return the ids of the rows that came of an attempt whose answers were not believed yet."""
        path = self._draft_path(attempt)
        return frozenset(row_ids(jsonl.lines(path))) if path.exists() else frozenset()

    def steps(
        self,
        job: JobRef,
        payload: PartPayload,
        attempt: int,
        *,
        patient: bool = True,
        may_be_empty: bool = False,
        may_be_short: bool = False,
    ) -> Steps[FileRecord]:
        """Fetch what a job has answered.

        Parameters
        ----------
        job : JobRef
        payload : PartPayload
            What it was asked.
        attempt : int
        patient : bool
            Whether to look again at answers that are gone or lack rows; if not, there is one look.
        may_be_empty : bool
            Whether an output without a row is believed, once it was seen for the settling time.
        may_be_short : bool
            Whether rows that came are believed to be all of them, if the rest is gone after that. With permission to
            pay again they always are.

        Raises
        ------
        ResultsGoneError
            If the provider has gone on saying that they do not exist, or that there are none. Rows that had come
            before stay in the draft, and are used by the next process that fetches.
        TransientError
            If they cannot be fetched now.
        """
        draft = self._draft(payload, attempt)
        settling, looks = Settling(self.services.settings, self.services.clock), 0
        short: ResultsShortError | None = None
        while draft.missing:
            looks += 1
            try:
                new, short = yield from self._look(job, payload, draft, patient=patient)
            except ResultsGoneError as error:
                if patient and not settling.is_over():
                    yield settling.wait_s
                    continue
                if not draft.ids:
                    raise
                if not (may_be_short or self.services.settings.rebuy):
                    raise ResultsGoneError(draft.beside(error.message), hint=error.hint) from error
                short = None
                break
            if not draft.missing or not patient:
                break
            if new:
                settling = Settling(self.services.settings, self.services.clock)
            elif self._is_sure(short, settling, looks):
                break
            yield settling.wait_s
        if isinstance(short, ResultsEmptyError) and not (may_be_empty or self.services.settings.rebuy):
            said = draft.beside(short.message) if draft.ids else f"{short.message}, every time that it was fetched"
            raise ResultsGoneError(said)
        return self._believed(draft, attempt, short)

    def _draft_path(self, attempt: int) -> Path:
        return self.answers.file(attempt).with_suffix(".draft.jsonl")

    def _draft(self, payload: PartPayload, attempt: int) -> _Draft:
        """Return what has come of an attempt: what is there, or a file that a kill has left without its record."""
        path, file = self._draft_path(attempt), self.answers.file(attempt)
        if file.exists() and all(i.results is None for i in self.work.intents if i.attempt == attempt):
            atomic.move(file, path)
        draft = _Draft(path, frozenset(row.custom_id for row in payload.requests()))
        draft.load()
        return draft

    def _is_sure(self, short: ResultsShortError | None, settling: Settling, looks: int) -> bool:
        """Whether a look that brought nothing new shows what there is: the second or, in doubt, one of many."""
        over = settling.is_over()
        return over or (looks > 1 and (short is None or isinstance(short, ResultsTornError)))

    def _look(
        self, job: JobRef, payload: PartPayload, draft: _Draft, *, patient: bool
    ) -> Steps[tuple[int, ResultsShortError | None]]:
        """Fetch once, and return how many requests are answered that were not, and why rows may be missing."""

        def fetch() -> tuple[int, ResultsShortError | None]:
            shorts: list[ResultsShortError] = []

            def rows() -> Iterator[bytes]:
                try:
                    yield from self.work.provider().results(job, payload)
                except ResultsShortError as error:
                    shorts.append(error)

            return draft.take(map(self.services.recorder.events.redact_row, rows())), shorts[0] if shorts else None

        if not patient:
            new, short = fetch()
            if short is not None and draft.missing:
                raise short
            return new, short
        return (yield from self.services.calls.retried(fetch, self.work.model.provider, f"{job.name} results"))

    def _believed(self, draft: _Draft, attempt: int, short: ResultsShortError | None) -> FileRecord:
        """Give what came its final name.

        Raises
        ------
        ResultsGoneError
            Unless told to pay again, if it is less than what had come before and was lost here. What is here of that
            stays as it is then.
        """
        known = next((intent.results for intent in self.work.intents if intent.attempt == attempt), None)
        before = 0 if known is None else known.rows or 0
        by_hand = len(self.answers.ids_by_hand() - draft.ids) if before else 0
        lost = before - draft.rows - by_hand
        if lost > 0 and not self.services.settings.rebuy:
            raise ResultsGoneError(f"{lost} of the {before} answers received before are no longer available")
        if draft.dropped:
            self.services.recorder.events.warn(
                f"{self.work.name}: {draft.dropped:,} rows belong to no request of this part, or are duplicates, and "
                f"are ignored; the first {_SPARE_ROWS + len(draft.wanted):,} such rows are kept"
            )
        if isinstance(short, ResultsTornError) and draft.missing:
            self.services.recorder.events.warn(
                f"{self.work.name}: {short.message}, twice; the row counts as unanswered"
            )
        path = self.answers.file(attempt)
        atomic.move(draft.path, path)
        return self.work.folder.run.record(path, draft.rows)
