"""Parts whose answers are asked for one by one: many requests in flight, each row durable as it comes.

All parts of one instance share a ``LiveQueue``: it says which request is sent next, when, and what its outcome means.
``LivePart`` writes the rows of one part. Calls are made in other threads (``workers``); everything that is written is
written in the thread of the schedule.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from promptrial.errors import (
    OverCapError,
    PermanentError,
    ProviderError,
    ResultsGoneError,
    SlowDownError,
    TransientError,
    UncertainError,
)
from promptrial.jobs.failing import Failing
from promptrial.jobs.pace import Pace
from promptrial.jobs.paid_rows import PaidRows
from promptrial.jobs.request_order import in_order
from promptrial.jobs.schedule import UNTIL_WOKEN_S, Steps, Wakes
from promptrial.jobs.services import QueueServices
from promptrial.jobs.work import PartWork
from promptrial.jobs.workers import Workers
from promptrial.providers.http_outcomes import UnusableBodyError
from promptrial.providers.live import LiveAnswer, LiveProvider, Note, error_row
from promptrial.providers.request_rows import RequestRow
from promptrial.runtime.progress import Task
from promptrial.store import atomic

__all__ = ["LivePart", "LiveQueue"]

_SAID_AFTER: Final = 4
"""Rounds of failures that are too common to be spoken of."""
_SHORTEST_S: Final = 0.001


@dataclass(slots=True, eq=False)
class _Asked:
    """One request on its way, of a part; it is not sent again before a moment of the clock."""

    part: LivePart
    request: RequestRow
    failing: Failing = field(default_factory=Failing)
    not_before: float = 0.0
    of_round: int = 0


@dataclass(slots=True, eq=False)
class LiveQueue:
    """The requests of all parts that one instance answers.

    Parameters
    ----------
    provider : LiveProvider
    name : str
        The name of the instance.
    pace : Pace
        How many requests may be in flight, and when the next one may be sent.
    services : QueueServices
    wakes : Wakes
        Where a part is woken when one of its answers has come.
    """

    provider: LiveProvider
    name: str
    pace: Pace
    services: QueueServices
    wakes: Wakes
    error: Exception | None = field(default=None, init=False)
    """Why the instance is no longer asked."""
    _workers: Workers = field(init=False)
    _parts: deque[LivePart] = field(default_factory=deque, init=False)
    _came: deque[tuple[_Asked, LiveAnswer | Exception]] = field(default_factory=deque, init=False)
    _again: list[_Asked] = field(default_factory=list, init=False)
    _shard: tuple[object, ...] = field(default=(), init=False)
    _notes: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        self._workers = Workers(f"{self.name} requests")

    def has_room(self, _at_work: int, part: LivePart) -> bool:
        """Return whether a part should begin: with the other arms of its shard, or if there is too little to send."""
        is_due = part.shard == self._shard or sum(each.unsent for each in self._parts) < self.pace.most
        self._shard = part.shard if is_due else self._shard
        return is_due

    @contextmanager
    def entered(self, part: LivePart) -> Iterator[None]:
        """Within the block the requests of a part are sent."""
        self._parts.append(part)
        try:
            yield
        finally:
            self._parts.remove(part)
            self.pace.in_flight -= len(part.rows)  # rows that could not be written
            part.unsaved, part.rows = len(part.rows), []
            self._again = [asked for asked in self._again if asked.part is not part]

    def wait_s(self) -> float:
        """Return after how many seconds there may be something to send, though no answer has come."""
        now, held = self.services.clock.monotonic(), self.pace.wait_s()
        moments = [max(held, asked.not_before - now) for asked in self._again]
        if any(part.unsent for part in self._parts):
            moments.append(held)
        return max(_SHORTEST_S, min((moment for moment in moments if moment > 0), default=UNTIL_WOKEN_S))

    def settle(self) -> None:
        """Take what has come: give the rows to their parts, and note what each outcome says about the server.

        Like ``fill`` it raises nothing: who calls it is one part, and what comes may be of another. Whatever goes wrong
        is the reason why nothing more is asked of the instance.
        """
        while self._came:
            asked, outcome = self._came.popleft()
            asked.part.outstanding -= 1
            try:
                self._settle(asked, outcome)
            except Exception as error:  # noqa: BLE001 - see above
                self._give_up(error)

    def _settle(self, asked: _Asked, outcome: LiveAnswer | Exception) -> None:
        if isinstance(outcome, LiveAnswer):
            self.pace.answered(asked.of_round)
            if asked.part in self._parts:
                asked.part.rows.append(outcome.row)
            else:
                self.pace.in_flight -= 1
            self._note(outcome.notes)
            return
        self.pace.in_flight -= 1
        if asked.part not in self._parts:
            return
        if isinstance(outcome, TransientError):
            self._failed(asked, outcome)
            return
        if isinstance(outcome, UnusableBodyError):  # an answer, which was paid for
            asked.part.count_unsure()
        self._give_up(outcome)

    def kept(self, rows: int) -> None:
        """Note that so many rows are on disk: their requests are no longer in flight."""
        self.pace.in_flight -= rows

    def fill(self) -> None:
        """Send what may be sent now, in turn through the parts."""
        if self.error is not None or self.services.stop.is_set():
            return
        try:
            while self.pace.may_send() and (asked := self._next()) is not None:
                self._workers.begin(partial(self._ask, asked))
                asked.of_round = self.pace.sent()
                asked.part.outstanding += 1
        except Exception as error:  # noqa: BLE001 - see ``settle``
            self._give_up(error)

    def close(self) -> None:
        """End the threads, and say how often what was said once was true."""
        self._workers.close()
        for kind, count in self._notes.items():
            if count > 1:
                self.services.recorder.events.say(f"{self.name}: {count} answers in all: {kind}")

    def _next(self) -> _Asked | None:
        now = self.services.clock.monotonic()
        due = next((asked for asked in self._again if asked.not_before <= now), None)
        if due is not None:
            self._again.remove(due)
            return due
        for _ in range(len(self._parts)):
            part = self._parts[0]
            self._parts.rotate(-1)
            request = part.next_request()
            if request is not None:
                return _Asked(part, request)
        return None

    def _ask(self, asked: _Asked) -> None:
        """Make the call; run by other threads."""
        outcome: LiveAnswer | Exception
        try:
            outcome = self.provider.answer(asked.request, asked.part.work.model)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: what it is decides the part's thread
            outcome = error
        self._came.append((asked, outcome))
        self.wakes.wake(asked.part)

    def _failed(self, asked: _Asked, error: TransientError) -> None:
        if isinstance(error, UncertainError) and not asked.part.count_unsure():
            self._give_up(OverCapError("requests that may have been billed without an answer have used up the cap"))
        now, slow = self.services.clock.monotonic(), isinstance(error, SlowDownError)
        note = self.pace.asked_to_slow_down if slow else self.pace.failed
        if note(asked.of_round, error.retry_after_s):
            self._say(error, slow=slow)
        outage_s, since = self.services.settings.outage_s, self.pace.failing_since
        asked.failing.note(now, self.pace.last_answer)
        may_end = self.services.settings.rebuy and error.has_arrived
        if since is not None and now - since >= outage_s and not may_end:
            self._give_up(error)
        if why := asked.failing.counts_as_unanswered(now, outage_s, with_leave=may_end):
            asked.part.rows.append(error_row(asked.request.custom_id, "not_answered", f"{why}: {error.message}"))
            self.pace.in_flight += 1  # until that is on disk
            return
        asked.not_before = now + self.services.settings.backoff.delay_s(
            asked.failing.failures, asked.request.custom_id, error.retry_after_s
        )
        self._again.append(asked)

    def _give_up(self, error: Exception) -> None:
        """Ask the instance for nothing more, and let every part know."""
        self.error = self.error or error
        for part in self._parts:
            self.wakes.wake(part)

    def _say(self, error: TransientError, *, slow: bool) -> None:
        if slow:
            text = f"{self.name} asks for fewer requests; at most {int(self.pace.room)} are sent at once from now on"
            self.services.recorder.events.event("info", "debug", text)
        elif self.pace.failures == _SAID_AFTER:
            self.services.recorder.events.warn(
                f"{self.name} is not responding properly ({error.message}); requests are repeated for up to "
                f"{self.services.settings.outage_s:,.0f} s"
            )

    def _note(self, notes: tuple[Note, ...]) -> None:
        for note in notes:
            self._notes[note.kind] += 1
            if self._notes[note.kind] == 1:
                self.services.recorder.events.warn(f"{self.name}: {note.text} (other parts may be affected too)")


@dataclass(slots=True, eq=False)
class LivePart:
    """The work on one part; a ``schedule.PartTask``.

    Parameters
    ----------
    work : PartWork
    queue : LiveQueue
    task : Task
        Counts rows.
    """

    work: PartWork
    queue: LiveQueue
    task: Task
    outstanding: int = field(default=0, init=False)
    """Requests that were sent and have not come back."""
    unsent: int = field(default=0, init=False)
    rows: list[bytes] = field(default_factory=list, init=False)
    """Rows that came and are not on disk yet."""
    unsaved: int = field(default=0, init=False)
    """Rows that came and could not be written."""
    _is_started: bool = field(default=False, init=False)
    _requests: Iterator[RequestRow] = field(default_factory=lambda: iter(()), init=False)

    @property
    def shard(self) -> tuple[object, ...]:
        """What the arms of the same questions have in common."""
        return self.work.shard

    @property
    def in_flight(self) -> bool:
        """Whether a request of it has not come back, or its answer is not on disk."""
        return self.outstanding > 0 or bool(self.rows)

    def failed(self, error: Exception) -> None:
        """Note why this part was not finished; that its answers are lost is recorded."""
        self.queue.services.recorder.budget.release(self.work.name)
        if isinstance(error, OverCapError):  # the budget knows
            return
        if isinstance(error, ResultsGoneError):
            reason = self.queue.services.recorder.events.redact(error.message)
            self.queue.services.recorder.record_not_here(self.work, reason, lost=True)
            self.queue.services.failures[self.work.name] = (
                f"{reason} ({self.queue.services.recorder.events.redact(str(error.hint))})"
            )
        else:
            self.queue.services.failures[self.work.name] = self._rows_here.note_failure(error)

    def left_off(self) -> None:
        """Record that nothing of it is in flight, if that is so and its requests were started."""
        if self._is_started and not (self.outstanding or self.unsaved):
            self._rows_here.pause()

    def count_unsure(self) -> bool:
        """Count a request that may have been billed without an answer; return whether it may be sent again."""
        return self._rows_here.count_unsure(1)

    def next_request(self) -> RequestRow | None:
        """Return the next request that was not sent yet."""
        request = next(self._requests, None)
        self.unsent = 0 if request is None else max(0, self.unsent - 1)
        return request

    def steps(self) -> Steps[None]:
        """Ask for the rows that are lacking, and seal all of them in the order of the requests.

        After a stop it ends as soon as what was sent has come back.

        Raises
        ------
        PermanentError, TransientError
            Why the instance is no longer asked.
        OverCapError
            If what is left does not fit into the cap.
        ResultsGoneError
            If answers that were sealed are lost, without permission to pay for them again.
        """
        part = self._rows_here
        finished = part.open()
        left = self.work.part.rows - len(finished)
        if left > 0:
            part.begin(len(finished), self.queue.pace.most)
            self._is_started = True
            self._requests, self.unsent = part.payload(finished).requests(), left
            try:
                is_whole = yield from self._asked(left)
            except Exception:
                self.left_off()
                raise
            if not is_whole:
                self.left_off()
                return
        self.queue.services.recorder.budget.release(self.work.name)
        in_order(self.work)
        part.finish()

    @property
    def _rows_here(self) -> PaidRows:
        return PaidRows(self.work, self.queue.services.recorder, self.queue.services.settings.rebuy)

    def _asked(self, left: int) -> Steps[bool]:
        """Ask for so many rows; return whether all of them came, and no stop was asked for before."""
        queue = self.queue
        path = self.work.folder.part_rows(self.work.part.name)
        with atomic.Appender(path) as appender, queue.entered(self):
            yield 0.0  # the other arms of the shard begin before the first request is sent
            while left > 0:
                queue.settle()
                if self.rows:
                    left -= self._keep(appender)
                queue.fill()
                if not self.in_flight and (queue.error is not None or queue.services.stop.is_set()):
                    break
                if left > 0:
                    yield 0.0 if self.rows else queue.wait_s()
        if left > 0 and queue.error is not None:
            raise _unanswered(queue.error, left, self.work.part.rows, self.work.folder.run.resume_command)
        return left == 0

    def _keep(self, appender: atomic.Appender) -> int:
        """Write the rows that came, durable together; returns how many."""
        rows = self.rows
        appender.append_lines(map(self.queue.services.recorder.events.redact_row, rows))
        self.rows = []
        self.queue.kept(len(rows))
        self.task.advance(len(rows))
        return len(rows)


def _unanswered(error: Exception, left: int, rows: int, resume: str) -> Exception:
    """Return the error of a part, by its kind: what a resume may bring, and what has to be corrected first."""
    if not isinstance(error, ProviderError):
        return error
    kind = TransientError if isinstance(error, TransientError) else PermanentError
    leave = f"; if the server fails at these requests alone, this counts them as unanswered: {resume} --rebuy"
    more = leave if isinstance(error, TransientError) and error.has_arrived else ""
    return kind(f"{left} of {rows} requests have no answer: {error.message}{more}", hint=error.hint)
