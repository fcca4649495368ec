"""Calls that one task waits for while others continue: in threads, in order, one at a time for each provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from promptrial.jobs.calls_beside import CallsBeside
from promptrial.jobs.schedule import Lane, Schedule, Steps
from promptrial.runtime.clock import FakeClock, SystemClock
from promptrial.runtime.stop import StopToken

PATIENCE_S = 30.0
"""How long a thread of a test waits for what must come, before the test fails."""


@dataclass(eq=False)
class Asks:
    """A task that makes calls to a provider, one after the other."""

    beside: CallsBeside
    calls: list[Callable[[], object]]
    provider: str = "vendor"
    in_flight: bool = True
    outcomes: list[object] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def steps(self) -> Steps[None]:
        for call in self.calls:
            outcome = yield from self.beside.made(call, self.provider)
            self.outcomes.append(outcome)
        self.ended.set()

    def failed(self, error: Exception) -> None:
        self.outcomes.append(error)
        self.ended.set()

    def left_off(self) -> None:
        self.outcomes.append("left off")


class Waits(Asks):
    """A task that waits half a minute after its calls."""

    def steps(self) -> Steps[None]:
        yield from super().steps()
        yield 30.0


class Beside:
    """A schedule on the real clock, and what makes calls for its tasks."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.stop = StopToken(None, self.clock)
        self.schedule = Schedule(self.clock, self.stop)
        self.delays = True
        self.calls = CallsBeside(self.schedule, lambda: self.delays)

    def asks(self, *calls: Callable[[], object], provider: str = "vendor") -> Asks:
        return Asks(self.calls, list(calls), provider)

    def run(self, *tasks: Asks) -> None:
        self.schedule.run([Lane.of(tasks, len(tasks))])


def test_a_call_is_made_immediately_if_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    beside = Beside()
    first, second = beside.asks(lambda: 1), beside.asks(lambda: 2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_room)
        beside.run(first)
    beside.run(second)
    assert (first.outcomes, second.outcomes) == ([1], [2])
    beside.calls.close()


@pytest.fixture
def beside() -> Iterator[Beside]:
    found = Beside()
    yield found
    found.calls.close()


def test_other_tasks_continue_while_a_call_is_made(beside: Beside) -> None:
    other = beside.asks(lambda: "quick", provider="another")
    waits = beside.asks(lambda: other.ended.wait(PATIENCE_S))
    beside.run(waits, other)
    assert (waits.outcomes, other.outcomes) == ([True], ["quick"])


def test_calls_to_one_provider_are_made_one_at_a_time_in_order(beside: Beside) -> None:
    made, under_way, most = list[int](), list[int](), list[int]()

    def call(number: int) -> Callable[[], None]:
        def make() -> None:
            under_way.append(number)
            most.append(len(under_way))
            made.append(number)
            under_way.remove(number)

        return make

    beside.run(*(beside.asks(call(number), call(number + 100)) for number in range(20)))
    assert made == [*range(20), *range(100, 120)]
    assert set(most) == {1}


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("late")])
def test_the_exception_of_a_call_is_raised_in_its_waiting_task(beside: Beside, error: Exception) -> None:
    def call() -> None:
        raise error

    task = beside.asks(call)
    beside.run(task)
    assert task.outcomes == [error]


def test_an_interruption_within_a_call_ends_the_schedule(beside: Beside) -> None:
    def call() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beside.run(beside.asks(call))


def test_a_call_that_delays_nothing_is_made_in_the_main_thread(beside: Beside) -> None:
    task = beside.asks(threading.get_ident)
    beside.delays = False
    beside.run(task)
    assert task.outcomes == [threading.get_ident()]
    beside.delays = True
    beside.run(again := beside.asks(threading.get_ident))
    assert again.outcomes != [threading.get_ident()]


def test_a_queued_call_of_an_abandoned_task_is_not_started_and_a_running_one_is_waited_for(
    beside: Beside,
) -> None:
    started, may_end, made = threading.Event(), threading.Event(), list[str]()

    def under_way() -> None:
        started.set()
        may_end.wait(PATIENCE_S)
        made.append("under way")

    def stops() -> None:
        started.wait(PATIENCE_S)
        beside.stop.set("asked")

    first, second = beside.asks(under_way), beside.asks(lambda: made.append("not started"))
    first.in_flight = second.in_flight = False
    beside.run(first, second, beside.asks(stops, provider="another"))
    assert (first.outcomes, second.outcomes, made) == (["left off"], ["left off"], [])
    threading.Timer(0.01, may_end.set).start()
    beside.calls.finish()
    assert made == ["under way"]
    beside.schedule.stop = StopToken(None, beside.clock)
    last = beside.asks(lambda: "the thread goes on")
    beside.run(last)
    assert (last.outcomes, made) == (["the thread goes on"], ["under way"])


def test_the_wake_up_of_a_finished_call_does_not_end_the_next_wait(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce:
        """A thread that has made its call before anybody can wait for it."""

        def begin(self, call: Callable[[], None]) -> None:
            call()

        def close(self) -> None:
            pass

    monkeypatch.setattr("promptrial.jobs.calls_beside.Workers", lambda _name, **_limit: AtOnce())
    clock = FakeClock()
    beside.schedule.clock = clock
    task = Waits(beside.calls, [lambda: "answer"])
    beside.run(task)
    assert (task.outcomes, clock.monotonic()) == (["answer"], 30.0)
