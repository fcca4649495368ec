"""QueueManager: brings the parts of all trials from pending to downloaded, over any provider, many jobs at a time.

It owns the order of work, how much is in flight, what happens after a stop and what is said about failures. What
happens to one part is in ``hosted``, ``live`` and ``local``; the phases say which parts there are. Nothing here decides
whether a phase is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import groupby, zip_longest
from typing import Any

from promptrial.errors import ActionNeeded, PhaseFailedError, StopRequested
from promptrial.jobs.budget import Budget, next_reserve_usd
from promptrial.jobs.calls import Calls
from promptrial.jobs.calls_beside import CallsBeside
from promptrial.jobs.doubts import Doubts
from promptrial.jobs.hosted import HostedPart
from promptrial.jobs.late_jobs import LateJobs
from promptrial.jobs.live import LivePart, LiveQueue
from promptrial.jobs.local import LocalPart, finished_rows, name_job
from promptrial.jobs.pace import Pace
from promptrial.jobs.recording import Recorder
from promptrial.jobs.schedule import Lane, PartTask, Schedule
from promptrial.jobs.services import QueueServices
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.sharing import share
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobStatus
from promptrial.providers.live import LiveProvider
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog
from promptrial.runtime.open_files import room_for
from promptrial.runtime.progress import Task
from promptrial.runtime.stop import StopToken

__all__ = ["PartWork", "QueueManager", "QueueSettings"]


class QueueManager:
    """Works through parts: side by side in both arms, in turn through the trials, and all providers at the same time.

    Parameters
    ----------
    work : sequence of PartWork
    clock : Clock
    events : EventLog
    stop_event : StopToken
        Once set, no new part or request is started. A request that this process computes, or that was sent to a server,
        is finished and kept; jobs at a provider are followed to their end, and their answers fetched.
    on_progress : callable, optional
        Called with the trial and the resume key of a part that was submitted or downloaded.
    settings : QueueSettings, optional
    others : sequence of PartWork, optional
        The run's other parts, which are not worked on: no job that one of them may count on is touched.
    budget : Budget, optional
        What may be spent; without one, any amount.
    """

    def __init__(
        self,
        work: Sequence[PartWork],
        clock: Clock,
        events: EventLog,
        stop_event: StopToken,
        on_progress: Callable[[str, str], None] = lambda _slug, _resume_key: None,
        settings: QueueSettings | None = None,
        others: Sequence[PartWork] = (),
        budget: Budget | None = None,
    ) -> None:
        self._others = list(others)
        self._work = list(_in_turn(work))
        self._clock = clock
        self._events = events
        self._stop = stop_event
        self._settings = settings or QueueSettings()
        self._calls = Calls(clock, stop_event, events, self._settings.backoff, self._settings.outage_s)
        self._budget = budget or Budget()
        self._budget.count([*self._work, *self._others])
        self._recorder = Recorder(clock, events, on_progress, self._budget)
        self._failures: dict[str, str] = {}
        self._said_room = False
        self._doubts = Doubts([*self._work, *self._others])
        self._services = QueueServices(
            clock, stop_event, self._recorder, self._settings, self._calls, self._doubts, self._failures
        )

    def submit(self, task: Task) -> None:
        """Give every part a job that has none yet; a part that fails does not stop the others.

        Of one provider at most ``max_concurrent_jobs`` are in flight, or as many as its own limit says, so that this
        may have to wait for jobs to end. The answers of those are fetched by ``collect``, or here if a stop was asked
        for. If a part fails, so that ``collect`` has to wait for a resume, all that the other providers answer is
        fetched, asked for or computed here. If not all parts fit into the budget together, answers are fetched here
        too: what they cost is known then, and frees the rest of their reserves.

        Raises
        ------
        PhaseFailedError
            Naming every part that could not be submitted and why.
        StopRequested
            If a stop was asked for.
        CostCapReached
            If what is left does not fit into the budget, though nothing is in flight.
        """
        self._stop.check()
        leaders = [work for work in _leaders(self._work) if not work.submitted]
        for work in leaders:
            if not work.hosted:
                self._stop.check()
                name_job(work, self._recorder)
        in_flight = [work for work in self._work if _is_in_flight(work)]
        hosted = [work for work in leaders if work.hosted]
        if hosted:
            self._doubts.expect(hosted)
            fits = self._budget.fits(sum(map(next_reserve_usd, hosted)))
            if fits:
                self._schedule().run(self._hosted_lanes([*in_flight, *hosted]), leave_in_flight=True)
            if not self._stop.is_set() and (self._budget.refused or not fits):
                self._bring_home(task, hosted_only=True)
                self._share(task)
        if self._stop.is_set() or self._failures:
            self._drain(task)
        if self._failures and not self._stop.is_set():
            self._answer_here(task)
        self._end()
        self._end_at_the_cap()

    def collect(self, task: Task) -> None:
        """Fetch every part's answers and seal them; a part that fails does not stop the others.

        Raises
        ------
        PhaseFailedError
            Naming every part that failed and why, and the command that tries just those again.
        StopRequested
            If a stop was asked for; what was finished is on disk.
        ActionNeeded
            If nothing is left to wait for but what a person has to do.
        CostCapReached
            If what is left does not fit into the budget, though nothing is in flight.
        """
        schedule = self._bring_home(task)
        if self._stop.is_set():
            self._drain(task)
        self._share(task)
        LateJobs(self._work, self._others, self._recorder).stop()
        self._end()
        awaited = [task.awaited for task, _ in schedule.parked if isinstance(task, HostedPart)]
        self._end_for_a_person([each for each in awaited if each is not None])
        self._end_at_the_cap()

    def finished(self) -> int:
        """Return how many rows of the parts are on disk, sealed or not."""
        found = 0
        for work in self._work:
            try:
                reused = work.rows_reused if work.hosted else 0  # elsewhere they are among the rows
                found += work.part.rows if work.downloaded else len(finished_rows(work)) + reused
            except ValueError:  # a damaged row: the file is renamed when its part is worked on
                continue
        return found

    def _bring_home(self, task: Task, *, hosted_only: bool = False) -> Schedule:
        """Bring parts to their end, as far as they fit into the budget; return the schedule that did it last.

        What does not fit now may do so once the answers of other parts are here, and what they cost is known.
        """
        while True:
            leaders = [work for work in _leaders(self._work) if not work.downloaded and work.name not in self._failures]
            hosted, own = _split(leaders)
            self._doubts.expect(hosted)
            schedule = self._schedule()
            with self._answered_here([] if hosted_only else own, schedule, task) as lanes:
                schedule.run([*self._hosted_lanes(hosted, task), *lanes])
            if self._stop.is_set() or not self._budget.may_go_on():
                return schedule

    def _task_of(self, work: PartWork, task: Task | None = None) -> HostedPart:
        return HostedPart(work, self._services, task)

    def _hosted_lanes(self, work: Sequence[PartWork], task: Task | None = None) -> list[Lane[HostedPart]]:
        """Return a lane for each provider, with the limit that is its own.

        What is in doubt comes first: where nothing may be created before that is settled, the others wait for it, and
        would keep its place forever. Then jobs in flight, so that a new one waits for one of them to end.
        """
        ordered = sorted(work, key=lambda each: (not each.in_doubt, not _is_in_flight(each)))
        return [
            Lane(
                [self._task_of(each, task) for each in own],
                partial(self._has_room, own[0].limits.jobs or self._settings.max_concurrent_jobs),
            )
            for own in _by_provider(ordered).values()
        ]

    def _has_room(self, limit: int, at_work: int, part: HostedPart) -> bool:
        """Return whether a part may begin beside those at work."""
        work = part.work
        return at_work < limit and self._budget.admits(work.name, work.part.rows, next_reserve_usd(work))

    @contextmanager
    def _answered_here(self, work: Sequence[PartWork], schedule: Schedule, task: Task) -> Iterator[list[Lane[Any]]]:
        """Return the lanes of parts without jobs: one for each live provider, and one for all that is computed here."""
        lanes: list[Lane[LivePart]] = []
        computed = []
        beside = CallsBeside(schedule, lambda: any(lane.at_work or lane.has_next for lane in lanes))
        with ExitStack() as opened:
            opened.enter_context(self._calls.beside_others(beside))
            live: dict[str, LiveProvider] = {}
            by_provider = _by_provider(work)
            for name, own in by_provider.items():
                provider = own[0].provider()
                if isinstance(provider, LiveProvider):
                    live[name] = provider
                else:
                    computed += [LocalPart(each, self._recorder, self._failures, task, beside) for each in own]
            for name, most in self._in_flight(live).items():
                pace = Pace(most, self._clock, self._settings.backoff, name)
                queue = LiveQueue(live[name], name, pace, self._services, schedule.wakes)
                opened.callback(queue.close)
                parts = [LivePart(each, queue, task) for each in by_provider[name]]
                lanes.append(Lane(parts, partial(self._may_begin, queue)))
            yield [*lanes, Lane.of(computed, 1)]

    def _in_flight(self, live: Mapping[str, LiveProvider]) -> dict[str, int]:
        """Return how many requests of each provider may be in flight; says once where open files allow fewer."""
        wanted = {name: provider.in_flight for name, provider in live.items()}
        room = room_for(list(wanted.values()))
        found = dict(zip(wanted, room.in_flight, strict=True))
        if found != wanted and not self._said_room:
            self._said_room = True
            fewer = [f"{n} for {name} (instead of {wanted[name]})" for name, n in found.items() if n < wanted[name]]
            self._events.warn(
                f"requests in flight are limited to {', '.join(fewer)}, because this process may have only "
                f"{room.limit} files open; a higher hard limit (ulimit -Hn) allows more"
            )
        return found

    def _may_begin(self, queue: LiveQueue, at_work: int, part: LivePart) -> bool:
        """Return whether a live part may begin: its instance has room, and its requests fit into the budget."""
        work = part.work
        return queue.has_room(at_work, part) and self._budget.admits(work.name, work.part.rows, next_reserve_usd(work))

    def _schedule(self) -> Schedule:
        return Schedule(self._clock, self._stop, self._say_what_is_waited_for)

    def _say_what_is_waited_for(self, tasks: Sequence[PartTask]) -> None:
        requests = sum(task.outstanding for task in tasks if isinstance(task, LivePart | LocalPart))
        jobs = sum(isinstance(task, HostedPart) for task in tasks)
        if not jobs:
            self._events.say(
                f"stopping when the {requests} requests in flight are answered; a second signal, or stop --now, stops "
                "immediately; a resume repeats requests without an answer"
            )
            return
        more = f"{requests} requests and {jobs} jobs" if requests else f"{jobs} jobs"
        self._events.say(
            f"stopping when the {more} in flight have ended; a second signal, or stop --now, leaves them running "
            "and stops immediately; a resume collects them"
        )

    def _drain(self, task: Task) -> None:
        """Fetch what is in flight, and begin nothing else. What is paid for should not wait for what failed."""
        in_flight = [
            work
            for work in self._work
            if work.hosted and work.has_job and not work.downloaded and work.name not in self._failures
        ]
        self._doubts.expect(in_flight)
        schedule = self._schedule()
        schedule.drain(self._task_of(work, task) for work in in_flight)
        self._share(task)

    def _answer_here(self, task: Task) -> None:
        """Ask for, or compute, the answers of all parts that need no job: no provider waits for one that is down."""
        schedule = self._schedule()
        own = [work for work in _leaders(self._work) if not work.hosted and not work.downloaded]
        with self._answered_here(own, schedule, task) as lanes:
            schedule.run(lanes)
        self._share(task)

    def _share(self, task: Task) -> None:
        """Give the answers of each downloaded part to its duplicates, which ask exactly the same."""
        for work in self._work:
            source = next((duplicate for duplicate in work.duplicates if duplicate.downloaded), None)
            if source is None or work.downloaded or _is_in_flight(work):
                continue
            share(work, source, self._recorder)
            task.advance(work.part.rows)

    def _end(self) -> None:
        if self._failures:
            count = f"{len(self._failures)} of {len(self._work)} parts failed"
            error = PhaseFailedError(
                f"{count}:\n  " + "\n  ".join(f"{name}: {reason}" for name, reason in self._failures.items()),
                hint=self._work[0].folder.run.resume_command,
            )
            if not self._stop.is_set():
                raise error
            self._events.warn(error.message)
        if self._stop.is_set():
            raise StopRequested(self._stop.reason)

    def _end_at_the_cap(self) -> None:
        if self._budget.refused:
            left = [work for work in _leaders(self._work) if not work.downloaded]
            raise self._budget.reached(sum(map(next_reserve_usd, left)))

    def _end_for_a_person(self, awaited: Sequence[JobStatus]) -> None:
        if awaited:
            first, *more = sorted(awaited, key=lambda each: each.message)  # in one order, whichever was looked at first
            others = f"{len(more)} other job{' is' if len(more) == 1 else 's are'} waiting too"
            steps = (step for each in (first, *more) for step in each.steps)
            raise ActionNeeded(f"{first.message}, and {others}" if more else first.message, steps)


def _split(work: Sequence[PartWork]) -> tuple[list[PartWork], list[PartWork]]:
    """Return the parts that are answered in jobs, and the others."""
    return [each for each in work if each.hosted], [each for each in work if not each.hosted]


def _is_in_flight(work: PartWork) -> bool:
    """Whether, as far as is known, a job for its requests is at work at a provider."""
    return work.hosted and work.has_job and work.record.status in {"submitted", "running"}


def _by_provider(work: Sequence[PartWork]) -> dict[str, list[PartWork]]:
    """Return parts by the instance that answers them, each kind in its order."""
    found: dict[str, list[PartWork]] = {}
    for each in work:
        found.setdefault(each.model.provider, []).append(each)
    return found


def _in_turn(work: Iterable[PartWork]) -> Iterator[PartWork]:
    """Yield the parts shard by shard, the arms of a shard side by side, and the trials in turn."""
    by_trial: dict[str, list[PartWork]] = {}
    for each in work:
        by_trial.setdefault(each.folder.slug, []).append(each)
    shards = ([list(shard) for _, shard in groupby(parts, key=lambda each: each.shard)] for parts in by_trial.values())
    for turn in zip_longest(*shards):
        for shard in turn:
            yield from shard or ()


def _leaders(work: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield one part of each group of duplicates, the one with most progress; none if one is downloaded.

    Others of the group that have a job are yielded too: it was created before answers were shared, and is paid for.
    """
    seen: set[str] = set()
    members = set(work)
    for each in work:
        if each.request_sha256 in seen and each.duplicates:
            continue
        seen.add(each.request_sha256)
        group = [each, *(duplicate for duplicate in each.duplicates if duplicate in members)]
        leader = max(group, key=lambda member: (member.has_job, bool(member.intents), bool(member.live)))
        if not any(duplicate.downloaded for duplicate in each.duplicates):
            yield leader
            group.remove(leader)
        yield from filter(_is_in_flight, group)
