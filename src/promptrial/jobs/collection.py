"""Getting the answers of a part's attempts: from the provider, or from files that a person has put there; and sealing.

Answers that were paid for are kept whatever happened to their job. What cannot be fetched counts as lost only after
everything that is free was tried, and is paid for again only with ``--rebuy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from promptrial.errors import NotAskedError, ProviderError, ResultsGoneError, TransferStoppedError, TransientError
from promptrial.jobs.answers import Answers, row_ids
from promptrial.jobs.billing import count_billed, larger, with_unanswered
from promptrial.jobs.fetching import Fetching
from promptrial.jobs.schedule import Steps
from promptrial.jobs.services import QueueServices
from promptrial.jobs.submission import Submission
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState
from promptrial.store import jsonl
from promptrial.store.part_records import BilledTokens, FileRecord, Intent, ReusedAnswers

__all__ = ["Collection", "owes_answers"]

_NOT_FETCHED: Final = "its answers could not be fetched"
_WITH_JOB: Final = frozenset({"submitted", "running", "completed"})
_ANSWERED_IN_PART: Final = frozenset({"expired", "failed", "cancelled"})
"""Of jobs that ended so, vendors bill what was answered."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Collects the answers of one part.

    Parameters
    ----------
    work : PartWork
    services : QueueServices
    answers : Answers
    submission : Submission
    fetching : Fetching
    """

    work: PartWork
    services: QueueServices
    answers: Answers
    submission: Submission
    fetching: Fetching

    @property
    def jobs(self) -> int:
        """How many jobs the present requests were given."""
        return sum(intent.job is not None for intent in self.work.intents)

    def earlier_answers(self, intents: Sequence[Intent]) -> Steps[None]:
        """Fetch answers of attempts that are not here, also lost ones and those of a job that ended badly."""
        here = {intent.attempt for intent, _ in self.answers.files()}
        for intent in intents:
            if intent.attempt in here:
                continue
            if isinstance(intent.reused, ReusedAnswers):
                file = self.answers.known(intent.attempt)
                if file is None:
                    self._require_leave_to_lose(intent, intent.reused)
            elif intent.results is not None or owes_answers(intent):
                file = yield from self._fetched_or_lost(intent)
            elif intent.status in {"failed", "cancelled"} and intent.job is not None:
                file = yield from self._salvaged(intent)
            else:
                continue
            if file is None:
                self.services.recorder.record_intent(self.work, intent, self.answers.write_nothing(intent.attempt))
            elif file != intent.results:
                whole = intent.status not in _ANSWERED_IN_PART
                self.services.recorder.record_intent(self.work, intent, file, self.billed(intent, file, whole=whole))

    def take_by_hand(self) -> None:
        """Let files that a person has put there answer what jobs have left, before that is asked again.

        Not while it is in doubt whether a job asks that already: its requests are those that it was given.
        """
        last = next((intent for intent in reversed(self.work.intents) if intent.job is not None), None)
        if last is not None and not self.work.in_doubt and self.answers.ids_by_hand():
            self.answer_by_hand(last)

    def answer_by_hand(self, intent: Intent) -> None:
        """Let the answers of an attempt be those that a person has put there."""
        file = self.answers.write_by_hand(intent.attempt)
        self.services.recorder.record_intent(self.work, intent, file, self.billed(intent, file, whole=True))

    def billed(self, intent: Intent, file: FileRecord, *, whole: bool) -> BilledTokens | None:
        """Return what the answers of an attempt, which are here now, report; None if more is on record already.

        Of a job that carried out all of its requests (``whole``), those without a row were billed, too.
        """
        if intent.results == file and not isinstance(intent.billed, msgspec.UnsetType):
            return None
        requests = jsonl.lines(self.work.folder.requests(self.work.part.name))
        wanted = frozenset(row_ids(requests)) - self.answers.ids(before=intent.attempt)
        found = count_billed(jsonl.lines(self.answers.file(intent.attempt)), wanted, self.work.provider().parse_row)
        return larger(with_unanswered(found, intent.rows) if whole else found, intent.billed)

    def _require_leave_to_lose(self, intent: Intent, reused: ReusedAnswers) -> None:
        """Refuse to ask again, unasked, for answers that were taken over and are not here as they were.

        Raises
        ------
        ResultsGoneError
            Without permission to pay again.
        """
        if not self.services.settings.rebuy:
            runs = ", ".join(dict.fromkeys(source.run_id for source in reused.sources))
            raise ResultsGoneError(
                f"{self.answers.file(intent.attempt).name}, with {reused.rows} answers reused from run {runs}, is "
                "missing or damaged",
                hint=(
                    "a resume reuses them again if that run still has them; otherwise "
                    f"{self.price_of_redoing(reused.rows)}"
                ),
            )

    def _fetched_or_lost(self, intent: Intent) -> Steps[FileRecord | None]:
        """Fetch the answers of an attempt; None if they are lost, with permission to pay for them again."""
        try:
            return (yield from self.fetched(intent))
        except ResultsGoneError:
            if not self.services.settings.rebuy:
                raise
            return None

    def _salvaged(self, intent: Intent) -> Steps[FileRecord | None]:
        """Fetch what a job had answered that failed or was cancelled: mostly nothing, which is recorded too.

        None if it is lost, with permission to pay for it again.
        """
        payload, job = self.submission.payload_of(intent.attempt), JobRef(str(intent.job))
        by_hand = self.answers.ids_by_hand()
        try:
            file = yield from self.fetching.steps(job, payload, intent.attempt, may_be_short=True)
        except TransferStoppedError:
            raise
        except (TransientError, ResultsGoneError) as error:
            if isinstance(error, TransientError):
                if not self._counts_as_lost(error, job):
                    raise
                if not self.services.settings.rebuy:
                    again = self.price_of_redoing(payload.rows - len(by_hand))
                    raise ResultsGoneError(f"{_NOT_FETCHED}: {error.message}", hint=again) from error
            return self.answers.write_by_hand(intent.attempt) if by_hand else None
        if file.rows:
            said = f"job {job.name} {intent.status}, and had answered {file.rows} of {payload.rows} requests"
            self.services.recorder.events.say(f"{self.work.name}: {said}; these are kept")
        return file

    def fetched(self, intent: Intent) -> Steps[FileRecord]:
        """Write the answers of an attempt to their file: from the provider, or else as a person fetched them.

        Files by hand that lack some of them do not do: the others would be paid for again, which only ``--rebuy`` may.
        """
        attempt = intent.attempt
        there = self.answers.known(attempt)
        if there is not None:
            return there
        payload, by_hand = self.submission.payload_of(attempt), self.answers.ids_by_hand()
        whole, job = bool(by_hand) and by_hand >= self.answers.unanswered(), None
        try:
            job = yield from self.submission.job_of(intent)
            left_out = bool(self.answers.ids())  # by an earlier job, whose answers came
            return (yield from self.fetching.steps(job, payload, attempt, patient=not whole, may_be_empty=left_out))
        except TransferStoppedError:
            raise
        except (TransientError, ResultsGoneError) as error:
            gone = isinstance(error, ResultsGoneError) or (not whole and self._counts_as_lost(error, job))
            if whole or (by_hand and gone and self.services.settings.rebuy):
                return self.answers.write_by_hand(attempt)
            if job is not None:
                self._say_how_to_fetch_by_hand(job)
            if not gone:
                raise
            here = by_hand | (self.fetching.held(attempt) & self.answers.unanswered())
            raise ResultsGoneError(error.message, hint=self.price_of_redoing(payload.rows - len(here))) from error

    def _counts_as_lost(self, error: TransientError, job: JobRef | None) -> bool:
        """Whether answers count as lost because only their download fails again and again, while the provider answers.

        They do once two processes have tried, so that a resume alone is not prescribed forever: the first one puts
        that on record, so that permission to pay again is permission for what was said before.
        """
        if job is None or isinstance(error, NotAskedError):
            return False
        try:
            if self.work.provider().status(job).state is JobState.WORKING:
                return False
        except ProviderError:
            return False
        known = self.work.record
        if known.lost is True or (known.reason or "").startswith(_NOT_FETCHED):
            return True
        self.services.recorder.record_not_here(self.work, f"{_NOT_FETCHED}: {error.message}", lost=False)
        return False

    def _say_how_to_fetch_by_hand(self, job: JobRef) -> None:
        commands = self.work.provider().by_hand(job, self.answers.folder)
        if commands:
            lines = "\n  ".join(commands)
            self.services.recorder.events.say(f"{self.work.name}: fetch its answers by hand, then resume:\n  {lines}")

    def price_of_redoing(self, rows: int) -> str:
        """Return what a person can do about requests without answers, and what asking them again would cost."""
        intent = self.work.latest
        usd = intent.estimated_usd if intent is not None else None
        price = "at an unknown price" if usd is None else f"about {usd:.4g} USD"
        return (
            f"if you have the files, put them in {self.answers.folder}; "
            f"or ask these {rows} requests again ({price}): "
            f"{self.work.folder.run.resume_command} --rebuy"
        )

    def seal(self, unanswered: frozenset[str]) -> None:
        """Seal the answers of all attempts. What had answered these requests before may be all of them."""
        reason = None
        if unanswered:
            jobs = self.jobs
            where = (
                "the job's results have no row for them"
                if jobs == 1
                else f"the results of {jobs} jobs have no row for them"
            )
            reason = f"{len(unanswered)} of {self.work.part.rows} requests have no answer: {where}"
            self.services.recorder.events.warn(f"{self.work.name}: {reason}; they count as missing")
        answered = [intent for intent in self.work.intents if intent.job is not None or intent.results is not None]
        last = answered[-1]  # the job of a part that was answered by hand alone may be known to nobody
        self.services.recorder.record_attempt(
            self.work,
            "downloaded",
            request_sha256=self.work.request_sha256,
            attempt=last.attempt,
            job=last.job,
            results=self.answers.seal(),
            reason=reason,
        )


def owes_answers(intent: Intent) -> bool:
    """Whether an attempt was given a job that was neither given up nor ended badly, and whose answers never came."""
    return intent.results is None and intent.status in _WITH_JOB
