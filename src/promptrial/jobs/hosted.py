"""The task of a part that a provider answers: give it a job, wait for its end, get its answers, ask the rest again.

What a job left unanswered is asked again in a new attempt that holds nothing else; no answer is ever asked for again
because of what it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from promptrial.errors import (
    FencedError,
    NotOursError,
    OutcomeUnknownError,
    OverCapError,
    PermanentError,
    ProviderError,
    ResultsGoneError,
)
from promptrial.jobs.answers import Answers, make_ready
from promptrial.jobs.collection import Collection, owes_answers
from promptrial.jobs.fetching import Fetching
from promptrial.jobs.request_files import RequestFiles
from promptrial.jobs.schedule import Steps
from promptrial.jobs.services import QueueServices
from promptrial.jobs.submission import Submission
from promptrial.jobs.watching import JobWatch
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, JobStatus
from promptrial.runtime.progress import Task
from promptrial.store.part_records import BilledTokens, Intent, PartStatus

__all__ = ["HostedPart"]


@dataclass(slots=True)
class HostedPart:
    """One part of one trial; a ``schedule.PartTask``.

    Parameters
    ----------
    work : PartWork
    services : QueueServices
    task : Task, optional
        Counts rows that were fetched; without one, this ends when its job does, and nothing is fetched.
    """

    work: PartWork
    services: QueueServices
    task: Task | None = None
    _is_salvaging: bool = field(default=False, init=False)
    _gave_up: bool = field(default=False, init=False)
    _answers: Answers = field(init=False)
    _submission: Submission = field(init=False)
    _watch: JobWatch = field(init=False)
    _collection: Collection = field(init=False)

    def __post_init__(self) -> None:
        self._answers = Answers(self.work, self.services.recorder)
        requests = RequestFiles(self.work, self._answers)
        self._submission = Submission(self.work, self.services, requests)
        fetching = Fetching(self.work, self.services, self._answers)
        self._watch = JobWatch(self.work, self.services, patient=self.task is not None)
        self._collection = Collection(self.work, self.services, self._answers, self._submission, fetching)

    @property
    def in_flight(self) -> bool:
        """Whether it has a job that may still be answering, or has answered something that is not here yet.

        One that waits for a person does not: a stop of the run need not wait for that.
        """
        return (self.work.has_job and self._watch.awaited is None) or self._is_salvaging

    @property
    def awaited(self) -> JobStatus | None:
        """What a person has to do before it can go on."""
        return self._watch.awaited

    def failed(self, error: Exception) -> None:
        """Note why this part was not finished; that its answers are lost is recorded."""
        if isinstance(error, OverCapError):  # the budget knows
            return
        self.services.failures[self.work.name] = self.services.recorder.events.redact(_message(error))
        if isinstance(error, ResultsGoneError):
            self.services.recorder.record_not_here(self.work, error.message, lost=True)

    def left_off(self) -> None:
        """Do nothing: its record has its status."""

    def steps(self) -> Steps[None]:
        """Give the part a job and, if rows are to be counted, fetch its answers.

        Raises
        ------
        PermanentError, TransientError, OutcomeUnknownError
            If the part cannot continue now; its record has its status.
        """
        try:
            yield from self._steps()
        finally:
            self.services.doubts.done(self.work)  # nobody need wait for it, whatever its end was
            self.services.recorder.budget.release(self.work.name)

    def _steps(self) -> Steps[None]:
        make_ready(self.work, self.services.recorder)
        if self.work.downloaded:  # what a kill had left apart is back
            return
        yield from self._adopt_earlier_job()
        is_over = False
        while not is_over:
            try:
                is_over = yield from self._advanced()
            except NotOursError as error:
                self._submission.disown(error.message)
                self.services.recorder.events.warn(f"{self.work.name}: {error.message}; looking for its own job")

    def _advanced(self) -> Steps[bool]:
        """Give the part a job if it has none, and follow that to its end; return whether there is nothing left to do.

        Raises
        ------
        NotOursError
            If a job of the part turns out to be somebody else's.
        """
        if self.work.only_reused and not self.work.downloaded:  # sealed, and not as it was
            self.services.recorder.set_aside(self.work, "they have changed since they were saved")
            self.services.recorder.record(self.work, "pending", request_sha256=self.work.request_sha256)
        if not self.work.has_job:
            if (yield from self._is_settled()):
                return True
            if not (yield from self._obtain_job()):
                return False
        status = yield from self._ended()
        if status is None:
            return False
        if self.task is None:
            self._note_the_end(status)
            return True
        return (yield from self._collect(status, self.task)) or self.services.stop.is_set()

    def _is_settled(self) -> Steps[bool]:
        """Whether no further job is needed: earlier ones have answered everything, or were as many as are allowed."""
        yield from self._collection.earlier_answers(self.work.intents)
        self._collection.take_by_hand()
        if self._answers.ids() and not self._answers.unanswered():
            self._collection.seal(frozenset())
            return True
        return self._has_failed_too_often()

    def _ended(self) -> Steps[JobStatus | None]:
        """Follow the job to its end; return None if the vendor had no room for it, once that may have changed."""
        status = yield from self._watch.until_end(JobRef(str(self.work.record.job)))
        if status.state is not JobState.NO_ROOM:
            return status
        yield from self._submission.wait_for_room(status.message)
        return None

    def _record(self, status: PartStatus, **fields: object) -> None:
        self.services.recorder.record_attempt(self.work, status, **fields)

    # --- a job -----------------------------------------------------------------------------------------------------

    def _adopt_earlier_job(self) -> Steps[None]:
        """Return to the job that these requests were given last, if its answers are owed and the part has another job.

        That happens when other requests were asked in between.
        """
        last = self.work.latest
        if last is None or self.work.has_job or not owes_answers(last):
            return
        self.services.recorder.events.say(
            f"{self.work.name}: job {last.job or last.key} was already created for these requests, and is used"
        )
        try:
            yield from self._submission.adopt(last)
        except ResultsGoneError as error:
            left, by_hand = self._answers.unanswered(), self._answers.ids_by_hand()
            if left and by_hand >= left:
                self._collection.answer_by_hand(last)
            elif not self.services.settings.rebuy:
                hint = error.hint or self._collection.price_of_redoing(len(left) - len(by_hand))
                raise ResultsGoneError(error.message, hint=hint) from error

    def _obtain_job(self) -> Steps[bool]:
        """Create a job, or adopt one; return whether there is one.

        If not, files by hand hold the answers of the attempt in doubt, or it was given up with permission to pay again.

        Raises
        ------
        OutcomeUnknownError
            If it cannot be found out whether there is one, and neither answers by hand nor permission to pay again
            settle it.
        """
        unanswered = self._answers.unanswered() if self._answers.ids() else None
        if self.work.in_doubt and self._answers.ids_by_hand() >= self._answers.unanswered():
            self._collection.answer_by_hand(self.work.intents[-1])
            return False
        try:
            yield from self._submission.steps(unanswered)
        except ResultsGoneError as error:
            if not self.services.settings.rebuy or self._gave_up:
                raise
            self._gave_up = True
            self._submission.give_up(error.message)
            return False
        except FencedError as error:
            self._submission.give_up(error.message, billed=BilledTokens())
            self.services.recorder.events.warn(f"{self.work.name}: {error.message}")
            return False
        except OutcomeUnknownError as error:
            by_hand, left = self._answers.ids_by_hand(), self._answers.unanswered()
            if self.services.settings.rebuy and not self._gave_up:
                if by_hand:
                    self._collection.answer_by_hand(self.work.intents[-1])
                self._gave_up = True
                self._submission.give_up(error.message)
                return False
            again = self._collection.price_of_redoing(len(left) - len(by_hand))
            hint = f"look for it at the provider; a resume also looks for it first. If it does not exist, {again}"
            raise OutcomeUnknownError(error.message, hint=hint) from error
        return True

    def _has_failed_too_often(self) -> bool:
        """Whether the requests count as unanswered now, because one job after the other failed or was cancelled.

        Raises
        ------
        ResultsGoneError
            If there were as many jobs as are allowed. With permission to pay again there is one more.
        """
        jobs, last = self._collection.jobs, self.work.latest
        if last is None or last.status not in {"failed", "cancelled"} or jobs < self.services.settings.max_attempts:
            return False
        if not self.services.settings.rebuy:
            raise self._failed_too_often(last.reason or "its last job ended without answers")
        if jobs == self.services.settings.max_attempts:
            return False
        self._collection.seal(self._answers.unanswered())
        return True

    def _failed_too_often(self, reason: str) -> ResultsGoneError:
        jobs, left = self._collection.jobs, len(self._answers.unanswered())
        once_more = (
            f"{self._collection.price_of_redoing(left)}; if that job ends the same way, they count as unanswered"
        )
        if jobs > self.services.settings.max_attempts:
            once_more = f"to count them as unanswered: {self.work.folder.run.resume_command} --rebuy"
        return ResultsGoneError(f"{reason}; it was job {jobs} for these requests", hint=once_more)

    @property
    def _current(self) -> Intent:
        """The current attempt of the part."""
        record = self.work.record
        known = (intent for intent in self.work.intents if intent.attempt == record.attempt)
        key = f"{self.work.key}-a{record.attempt}"
        return next(known, Intent(key=key, attempt=record.attempt, status=record.status, job=record.job))

    # --- its end ---------------------------------------------------------------------------------------------------

    def _note_the_end(self, status: JobStatus) -> None:
        if status.state in {JobState.FAILED, JobState.CANCELLED}:
            raise self._ended_without_answers(status)
        if self.work.record.status != "completed":
            self.services.recorder.record_attempt(
                self.work, "completed", reason=status.message if status.state is JobState.MISSING else None
            )

    def _ended_without_answers(self, status: JobStatus) -> PermanentError:
        failed = status.state is JobState.FAILED
        word = "failed" if failed else "was cancelled"
        reason = f"its job {self.work.record.job} {word}: {status.message or 'no reason given'}"
        self.services.recorder.record_attempt(self.work, "failed" if failed else "cancelled", reason=reason)
        if self._collection.jobs >= self.services.settings.max_attempts:
            return self._failed_too_often(reason)
        return PermanentError(reason, hint="a resume asks its requests again, in a new job")

    # --- its answers -----------------------------------------------------------------------------------------------

    def _collect(self, status: JobStatus, task: Task) -> Steps[bool]:
        """Fetch what a job has answered; return whether the part is finished; if not, another attempt is due."""
        if self.work.record.status == "downloaded":
            self.services.recorder.set_aside(self.work, "they have changed since they were saved")
        if status.state in {JobState.FAILED, JobState.CANCELLED}:
            yield from self._salvage_results(self._ended_without_answers(status), task)
            return True
        self._note_the_end(status)
        earlier = [intent for intent in self.work.intents if intent.attempt < self.work.record.attempt]
        attempts = 1 + sum(intent.status == "expired" for intent in earlier)
        yield from self._collection.earlier_answers(earlier)
        before = len(self._answers.ids())
        try:
            file = yield from self._collection.fetched(self._current)
        except ResultsGoneError as error:
            self._require_leave_to_rebuy(status, error)
            self.services.recorder.record_attempt(
                self.work,
                "expired",
                reason=error.message,
                results=self._answers.write_nothing(self.work.record.attempt),
            )
        else:
            billed = self._collection.billed(self._current, file, whole=status.state is not JobState.EXPIRED)
            self._record("completed", results=file, billed=billed)
        self._collection.take_by_hand()
        unanswered = self._answers.unanswered()
        task.advance(self.work.part.rows - len(unanswered) - before)
        if unanswered and attempts < self.services.settings.max_attempts:
            reason = f"{len(unanswered)} of {self.work.part.rows} requests have no answer"
            self._record("expired", reason=reason)
            self.services.recorder.events.warn(f"{self.work.name}: {reason}; only these are asked again")
            return False
        self._collection.seal(unanswered)
        return True

    def _require_leave_to_rebuy(self, status: JobStatus, error: ResultsGoneError) -> None:
        if not self.services.settings.rebuy:
            said = f"{status.message}; {error.message}" if status.state is JobState.MISSING else error.message
            raise ResultsGoneError(said, hint=error.hint) from error

    def _salvage_results(self, error: PermanentError, task: Task) -> Steps[None]:
        """Keep what a job that ended badly had answered; that may have been all that was still unanswered."""
        before, self._is_salvaging = len(self._answers.ids()), True
        try:
            yield from self._collection.earlier_answers(self.work.intents)
        except (ResultsGoneError, NotOursError):
            raise
        except ProviderError as problem:
            self.services.recorder.events.warn(
                f"{self.work.name}: its answers, if any, have not been fetched: {problem.message}"
            )
            raise error from problem
        self._collection.take_by_hand()
        task.advance(len(self._answers.ids()) - before)
        if self._answers.unanswered():
            raise error
        self._collection.seal(frozenset())


def _message(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    hint = getattr(error, "hint", None)
    return f"{message} ({hint})" if hint else str(message)
