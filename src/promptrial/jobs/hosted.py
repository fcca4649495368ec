"""The life of a part that is answered elsewhere: a job, waiting for its end, its answers, and what it left over.

Answers that were paid for are kept whatever happens to their job. What a job left unanswered is asked again in a new
attempt that holds nothing else; no answer is ever asked for again because of what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from promptrial.errors import (
    NotAskedError,
    OutcomeUnknownError,
    PermanentError,
    ProviderError,
    ResultsGoneError,
    TransferStoppedError,
    TransientError,
)
from promptrial.jobs.answers import Answers, keep_others_apart
from promptrial.jobs.asked import RequestFiles
from promptrial.jobs.calls import Calls
from promptrial.jobs.fetching import Fetching
from promptrial.jobs.recording import Recorder
from promptrial.jobs.schedule import Steps
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.settling import Settling
from promptrial.jobs.submission import Submission
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, JobStatus
from promptrial.runtime.clock import Clock
from promptrial.runtime.progress import Task
from promptrial.runtime.stop import StopToken
from promptrial.store.records import FileRecord, Intent

__all__ = ["HostedPart"]

_GROWTH: Final = 1.5
_NOT_FETCHED: Final = "its answers could not be fetched"
_AT_WORK: Final = frozenset({"submitted", "running", "completed"})


@dataclass(slots=True)
class HostedPart:
    """One part of one trial; a ``schedule.Life``.

    Parameters
    ----------
    work : PartWork
    recorder : Recorder
    settings : QueueSettings
    clock : Clock
    calls : Calls
    stop : StopToken
        Once set, no further attempt is made.
    failures : dict
        Where an error that ends this life is noted, under the part's name.
    task : Task, optional
        Counts rows that came home; without one, the life ends when its job does, and nothing is fetched.
    """

    work: PartWork
    recorder: Recorder
    settings: QueueSettings
    clock: Clock
    calls: Calls
    stop: StopToken
    failures: dict[str, str]
    task: Task | None = None
    _saves: bool = field(default=False, init=False)
    _gave_up: bool = field(default=False, init=False)
    _answers: Answers = field(init=False)
    _submission: Submission = field(init=False)
    _fetching: Fetching = field(init=False)

    def __post_init__(self) -> None:
        self._answers = Answers(self.work, self.recorder)
        requests = RequestFiles(self.work, self._answers)
        self._submission = Submission(self.work, self.recorder, self.settings, self.clock, self.calls, requests)
        events = self.recorder.events
        self._fetching = Fetching(self.work, self._answers, self.settings, self.clock, self.calls, events)

    @property
    def in_flight(self) -> bool:
        """Whether it has a job that may still be answering, or has answered something that is not here yet."""
        return self.work.has_job or self._saves

    def failed(self, error: Exception) -> None:
        """Note why this part did not come home; that its answers are lost is put on record."""
        self.failures[self.work.name] = self.recorder.events.redact(_said(error))
        if isinstance(error, ResultsGoneError):
            self.recorder.record_not_here(self.work, self.recorder.events.redact(error.message), lost=True)

    def steps(self) -> Steps[None]:
        """Bring the part to a job and, if rows are to be counted, its answers home.

        Raises
        ------
        PermanentError, TransientError, OutcomeUnknownError
            If the part cannot go on now; its record says where it stands.
        """
        keep_others_apart(self.work, self.recorder)
        if self.work.downloaded:  # what a kill had left apart is back
            return
        yield from self._taken_up()
        while True:
            if not self.work.has_job:
                yield from self._earlier_answers(self.work.intents)
                self._take_by_hand()
                if self._answers.ids() and not self._answers.unanswered():
                    self._seal(frozenset())
                    return
                if self._has_failed_too_often():
                    return
                if not (yield from self._given_a_job()):
                    continue
            status = yield from self._ended(JobRef(str(self.work.record.job)))
            if self.task is None:
                self._note_the_end(status)
                return
            if (yield from self._home(status, self.task)) or self.stop.is_set():
                return

    # --- a job -----------------------------------------------------------------------------------------------------

    def _taken_up(self) -> Steps[None]:
        """Go on with the job that these requests were given last, if it is paid for and the part has lost sight of it.

        So it is when other requests were asked in between.
        """
        last = self.work.intents[-1] if self.work.intents else None
        if last is None or self.work.has_job or not _owes_answers(last):
            return
        self.recorder.events.say(
            f"{self.work.name}: job {last.job or last.key} was created for these requests, and is used"
        )
        try:
            yield from self._submission.taken_up(last)
        except ResultsGoneError as error:
            left, by_hand = self._answers.unanswered(), self._answers.ids_by_hand()
            if left and by_hand >= left:
                self._answer_by_hand(last)
            elif not self.settings.rebuy:
                hint = error.hint or self._price_of_redoing(len(left) - len(by_hand))
                raise ResultsGoneError(error.message, hint=hint) from error

    def _given_a_job(self) -> Steps[bool]:
        """Create a job, or adopt one; return whether there is one.

        If not, files by hand hold the answers of the attempt in doubt, or it was given up with leave to pay again.

        Raises
        ------
        OutcomeUnknownError
            If it cannot be found out whether there is one, and neither answers by hand nor leave to pay again settle
            it.
        """
        unanswered = self._answers.unanswered() if self._answers.ids() else None
        if self._submission.in_doubt and self._answers.ids_by_hand() >= self._answers.unanswered():
            self._answer_by_hand(self.work.intents[-1])
            return False
        try:
            yield from self._submission.steps(unanswered)
        except ResultsGoneError as error:
            if not self.settings.rebuy or self._gave_up:
                raise
            self._gave_up = True
            self._submission.give_up(error.message)
            return False
        except OutcomeUnknownError as error:
            by_hand, left = self._answers.ids_by_hand(), self._answers.unanswered()
            if self.settings.rebuy and not self._gave_up:
                if by_hand:
                    self._answer_by_hand(self.work.intents[-1])
                self._gave_up = True
                self._submission.give_up(error.message)
                return False
            else:
                again = self._price_of_redoing(len(left) - len(by_hand))
                hint = f"look for it at the provider; a resume looks first of all. If it is not there, {again}"
                raise OutcomeUnknownError(error.message, hint=hint) from error
        return True

    def _has_failed_too_often(self) -> bool:
        """Whether the requests count as unanswered now, because one job after the other failed or was cancelled.

        Raises
        ------
        ResultsGoneError
            If there were as many jobs as are allowed. With leave to pay again there is one more.
        """
        jobs, last = self._jobs(), self.work.intents[-1] if self.work.intents else None
        if last is None or last.status not in {"failed", "cancelled"} or jobs < self.settings.max_attempts:
            return False
        if not self.settings.rebuy:
            raise self._failed_too_often(last.reason or "its last job ended without answers")
        if jobs == self.settings.max_attempts:
            return False
        self._seal(self._answers.unanswered())
        return True

    def _failed_too_often(self, reason: str) -> ResultsGoneError:
        jobs, left = self._jobs(), len(self._answers.unanswered())
        once_more = f"{self._price_of_redoing(left)}; if that job ends so, too, they count as unanswered"
        if jobs > self.settings.max_attempts:
            once_more = f"let them count as unanswered: {self.work.folder.run.resume_command} --rebuy"
        return ResultsGoneError(f"{reason}; it was job {jobs} for these requests", hint=once_more)

    def _jobs(self) -> int:
        return sum(intent.job is not None for intent in self.work.intents)

    @property
    def _current(self) -> Intent:
        """The attempt that the part stands at."""
        record = self.work.record
        known = (intent for intent in self.work.intents if intent.attempt == record.attempt)
        key = f"{self.work.key}-a{record.attempt}"
        return next(known, Intent(key=key, attempt=record.attempt, status=record.status, job=record.job))

    # --- its end ---------------------------------------------------------------------------------------------------

    def _ended(self, job: JobRef) -> Steps[JobStatus]:
        """Look at a job until it has ended, or the vendor has gone on not knowing it.

        Raises
        ------
        PermanentError
            If it has not ended within the deadline.
        """
        provider, wait_s, began = self.work.provider(), self.settings.poll_s, self.clock.monotonic()
        missing: Settling | None = None
        said = ""
        while True:
            status = yield from self.calls.made(
                lambda: provider.status(job), self.work.model.provider, f"{job.name} status"
            )
            if status.state is JobState.MISSING:
                missing = missing or Settling(self.settings, self.clock)
                if missing.is_over():
                    return replace(status, message=f"the provider does not know job {job.name} any more")
                yield missing.wait_s
                continue
            if status.state is not JobState.WORKING:
                return status
            missing = None
            if self.work.record.status != "running":
                self._record("running")
            if status.message and status.message != said:
                said = status.message
                self.recorder.say_once("job", f"{self.work.name}: {said} (and so may others)")
            if self.clock.monotonic() - began > self.settings.deadline_s:
                raise PermanentError(
                    f"job {job.name} has not ended within {_duration(self.settings.deadline_s)}",
                    hint="look at it at the provider: a model that is not served may never begin. A resume waits for "
                    "it again; if you delete the job there, resume with --rebuy to ask its requests again",
                )
            yield wait_s
            wait_s = min(wait_s * _GROWTH, self.settings.longest_poll_s)

    def _note_the_end(self, status: JobStatus) -> None:
        if status.state in {JobState.FAILED, JobState.CANCELLED}:
            raise self._ended_without_answers(status)
        if self.work.record.status != "completed":
            self._record("completed", reason=status.message if status.state is JobState.MISSING else None)

    def _ended_without_answers(self, status: JobStatus) -> PermanentError:
        failed = status.state is JobState.FAILED
        word = "failed" if failed else "was cancelled"
        reason = f"its job {self.work.record.job} {word}: {status.message or 'no reason given'}"
        self._record("failed" if failed else "cancelled", reason=self.recorder.events.redact(reason))
        if self._jobs() >= self.settings.max_attempts:
            return self._failed_too_often(reason)
        return PermanentError(reason, hint="a resume asks its requests again, in a new job")

    # --- its answers -----------------------------------------------------------------------------------------------

    def _home(self, status: JobStatus, task: Task) -> Steps[bool]:
        """Fetch what a job has answered; return whether the part is home, or another attempt is due."""
        if self.work.record.status == "downloaded":
            self.recorder.set_aside(self.work, "they are not what was sealed")
        if status.state in {JobState.FAILED, JobState.CANCELLED}:
            yield from self._home_in_spite_of(self._ended_without_answers(status), task)
            return True
        self._note_the_end(status)
        earlier = [intent for intent in self.work.intents if intent.attempt < self.work.record.attempt]
        attempts = 1 + sum(intent.status == "expired" for intent in earlier)
        yield from self._earlier_answers(earlier)
        before = len(self._answers.ids())
        try:
            file = yield from self._fetched(self._current)
        except ResultsGoneError as error:
            self._require_leave_to_rebuy(status, error)
            self._record("expired", reason=error.message, results=self._answers.write_nothing(self.work.record.attempt))
        else:
            self._record("completed", results=file)
        self._take_by_hand()
        unanswered = self._answers.unanswered()
        task.advance(self.work.part.rows - len(unanswered) - before)
        if unanswered and attempts < self.settings.max_attempts:
            reason = f"{len(unanswered)} of {self.work.part.rows} requests were left unanswered"
            self._record("expired", reason=reason)
            self.recorder.events.warn(f"{self.work.name}: {reason}; only these are asked again")
            return False
        self._seal(unanswered)
        return True

    def _require_leave_to_rebuy(self, status: JobStatus, error: ResultsGoneError) -> None:
        if not self.settings.rebuy:
            said = f"{status.message}; {error.message}" if status.state is JobState.MISSING else error.message
            raise ResultsGoneError(said, hint=error.hint) from error

    def _home_in_spite_of(self, error: PermanentError, task: Task) -> Steps[None]:
        """Keep what a job had answered that ended badly; that alone may be all that was left to answer."""
        before, self._saves = len(self._answers.ids()), True
        try:
            yield from self._earlier_answers(self.work.intents)
        except ResultsGoneError:
            raise
        except ProviderError as problem:
            self.recorder.events.warn(f"{self.work.name}: what it may have answered is not here yet: {problem.message}")
            raise error from problem
        self._take_by_hand()
        task.advance(len(self._answers.ids()) - before)
        if self._answers.unanswered():
            raise error
        self._seal(frozenset())

    def _earlier_answers(self, intents: Sequence[Intent]) -> Steps[None]:
        """Have here what attempts have answered, also if it was lost here or the job ended badly: it was paid for."""
        here = {intent.attempt for intent, _ in self._answers.files()}
        for intent in intents:
            if intent.attempt in here:
                continue
            if intent.results is not None or _owes_answers(intent):
                file = yield from self._fetched_or_lost(intent)
            elif intent.status in {"failed", "cancelled"} and intent.job is not None:
                file = yield from self._salvaged(intent)
            else:
                continue
            if file != intent.results:
                self.recorder.record_intent(self.work, intent, file)

    def _take_by_hand(self) -> None:
        """Let files that a person has put there answer what jobs have left, before that is asked again.

        Not while it is in doubt whether a job asks that already: its requests are those that it was given.
        """
        last = next((intent for intent in reversed(self.work.intents) if intent.job is not None), None)
        if last is not None and not self._submission.in_doubt and self._answers.ids_by_hand():
            self._answer_by_hand(last)

    def _answer_by_hand(self, intent: Intent) -> None:
        """Let the answers of an attempt be those that a person has put there."""
        self.recorder.record_intent(self.work, intent, self._answers.write_by_hand(intent.attempt))

    def _fetched_or_lost(self, intent: Intent) -> Steps[FileRecord]:
        try:
            return (yield from self._fetched(intent))
        except ResultsGoneError:
            if not self.settings.rebuy:
                raise
            return self._answers.write_nothing(intent.attempt)

    def _salvaged(self, intent: Intent) -> Steps[FileRecord]:
        """Fetch what a job had answered that failed or was cancelled: mostly nothing, which is put on record too."""
        payload, job = self._submission.payload_of(intent.attempt), JobRef(str(intent.job))
        by_hand = self._answers.ids_by_hand()
        try:
            file = yield from self._fetching.steps(job, payload, intent.attempt, may_be_short=True)
        except TransferStoppedError:
            raise
        except (TransientError, ResultsGoneError) as error:
            if isinstance(error, TransientError):
                if not self._counts_as_lost(error, job):
                    raise
                if not self.settings.rebuy:
                    again = self._price_of_redoing(payload.rows - len(by_hand))
                    raise ResultsGoneError(f"{_NOT_FETCHED}: {error.message}", hint=again) from error
            return self._answers.write_by_hand(intent.attempt) if by_hand else self._answers.write(intent.attempt, ())
        if file.rows:
            said = f"job {job.name} {intent.status}, and had answered {file.rows} of {payload.rows} requests"
            self.recorder.events.say(f"{self.work.name}: {said}; these are kept")
        return file

    def _fetched(self, intent: Intent) -> Steps[FileRecord]:
        """Write the answers of an attempt to their file: from the provider, or else as a person fetched them.

        Files by hand that lack some of them do not do: the others would be paid for again, which only ``--rebuy`` may.
        """
        attempt = intent.attempt
        there = self._answers.known(attempt)
        if there is not None:
            return there
        payload, by_hand = self._submission.payload_of(attempt), self._answers.ids_by_hand()
        whole, job = bool(by_hand) and by_hand >= self._answers.unanswered(), None
        try:
            job = yield from self._submission.job_of(intent)
            left_out = bool(self._answers.ids())  # by an earlier job, whose answers came
            return (yield from self._fetching.steps(job, payload, attempt, patient=not whole, may_be_empty=left_out))
        except TransferStoppedError:
            raise
        except (TransientError, ResultsGoneError) as error:
            gone = isinstance(error, ResultsGoneError) or (not whole and self._counts_as_lost(error, job))
            if whole or (by_hand and gone and self.settings.rebuy):
                return self._answers.write_by_hand(attempt)
            if job is not None:
                self._say_how_to_fetch_by_hand(job)
            if not gone:
                raise
            here = by_hand | (self._fetching.held(attempt) & self._answers.unanswered())
            raise ResultsGoneError(error.message, hint=self._price_of_redoing(payload.rows - len(here))) from error

    def _counts_as_lost(self, error: TransientError, job: JobRef | None) -> bool:
        """Whether answers count as lost because only their download goes on failing, while the provider answers.

        They do once two processes have tried, so that a resume alone is not prescribed for ever: the first one puts
        that on record, so that leave to pay again is leave for what was said before.
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
        reason = self.recorder.events.redact(f"{_NOT_FETCHED}: {error.message}")
        self.recorder.record_not_here(self.work, reason, lost=False)
        return False

    def _say_how_to_fetch_by_hand(self, job: JobRef) -> None:
        commands = self.work.provider().by_hand(job, self._answers.folder)
        if commands:
            lines = "\n  ".join(commands)
            self.recorder.events.say(f"{self.work.name}: its answers can be fetched by hand, then resume:\n  {lines}")

    def _price_of_redoing(self, rows: int) -> str:
        intent = self.work.intents[-1] if self.work.intents else None
        usd = intent.estimated_usd if intent is not None else None
        price = "its price is not known" if usd is None else f"about {usd:.4g} USD"
        return (
            f"put the files, if you have them, into {self._answers.folder}; "
            f"or ask these {rows} requests again ({price}): "
            f"{self.work.folder.run.resume_command} --rebuy"
        )

    def _seal(self, unanswered: frozenset[str]) -> None:
        """Seal the answers of all attempts. What had answered these requests before may be all of them."""
        reason = None
        if unanswered:
            jobs = self._jobs()
            where = (
                "the job's results have no row for them"
                if jobs == 1
                else f"in none of the results of {jobs} jobs is a row for them"
            )
            reason = f"{len(unanswered)} of {self.work.part.rows} requests stayed unanswered: {where}"
            self.recorder.events.warn(f"{self.work.name}: {reason}; they count as missing")
        answered = [intent for intent in self.work.intents if intent.job is not None or intent.results is not None]
        last = answered[-1]  # the job of a part that was answered by hand alone may be known to nobody
        self._record(
            "downloaded",
            request_sha256=self.work.request_sha256,
            attempt=last.attempt,
            job=last.job,
            results=self._answers.seal(),
            reason=reason,
        )

    def _record(self, status: str, **fields: object) -> None:
        attempt = fields.get("attempt", self.work.record.attempt)
        key = next((intent.key for intent in self.work.intents if intent.attempt == attempt), None)
        self.recorder.record(self.work, status, key=key, **fields)  # type: ignore[arg-type]


def _owes_answers(intent: Intent) -> bool:
    """Whether an attempt was given a job that was neither given up nor ended badly, and whose answers never came."""
    return intent.results is None and intent.status in _AT_WORK


def _duration(seconds: float) -> str:
    """Return a time in the largest unit of which there are at least two, rounded to three figures.

    Examples
    --------
    >>> [_duration(seconds) for seconds in (0.5, 1, 90, 150, 93600, 172800)]
    ['0.5 seconds', '1 second', '90 seconds', '2.5 minutes', '26 hours', '48 hours']
    """
    size, unit = next(
        each
        for each in ((3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
        if seconds >= 2 * each[0] or each[0] == 1.0
    )
    count = f"{seconds / size:.3g}"
    return f"{count} {unit}{'' if count == '1' else 's'}"


def _said(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    hint = getattr(error, "hint", None)
    return f"{message} ({hint})" if hint else str(message)
