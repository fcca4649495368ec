"""Calls with transient errors: when they are retried, for how long, and how an outage is reported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from promptrial.errors import (
    NotAskedError,
    OutcomeUnknownError,
    PermanentError,
    QuotaReachedError,
    TransferStoppedError,
    TransientError,
)
from promptrial.jobs.calls import Calls
from promptrial.jobs.calls_beside import CallsBeside
from promptrial.jobs.schedule import Steps
from promptrial.runtime.clock import FakeClock
from promptrial.runtime.events import EventLog, Redactor
from promptrial.runtime.retry import Backoff
from promptrial.runtime.stop import StopToken

PATIENCE_S = 600.0


@dataclass
class Lab:
    """Calls on a fake clock, and what they lead to being said."""

    said: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    stop: StopToken = field(default_factory=StopToken)
    calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        events = EventLog(self.clock.now, Redactor({}), self.said.append)
        self.calls = Calls(self.clock, self.stop, events, Backoff(first_s=2.0), PATIENCE_S)

    def made(self, call: Callable[[], str], provider: str = "vendor") -> str:
        return self.live(self.calls.retried(call, provider, "key"))

    def live(self, steps: Steps[str]) -> str:
        while True:
            try:
                self.clock.advance(next(steps))
            except StopIteration as end:
                return str(end.value)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def script(*outcomes: str | Exception) -> Callable[[], str]:
    """Return a call with these outcomes in order; the last one repeats forever."""
    left = list(outcomes)

    def call() -> str:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call


def test_a_call_is_retried_with_growing_waits_until_it_works(lab: Lab) -> None:
    steps = lab.calls.retried(
        script(TransientError("1"), TransientError("2", retry_after_s=30.0), "done"), "vendor", "key"
    )
    assert 1 <= next(steps) <= 2
    assert next(steps) == 30
    assert lab.live(steps) == "done"
    assert lab.said == [], "that is too common to be spoken of"


@pytest.mark.parametrize(
    ("asked_s", "said"),
    [
        (90.0, "vendor asks to wait 90 s before the next call"),
        (1e6, "vendor asks to wait 1,000,000 s before the next call; the next call is in 300 s, the longest wait"),
        (1e300, "vendor asks to wait more than a month before the next call; the next call is in 300 s, the"),
        (
            float("inf"),
            "vendor asks to wait more than a month before the next call; the next call is in 300 s, the",
        ),
        (60.0, None),
        (-5.0, None),
    ],
)
def test_a_long_wait_requested_by_a_provider_is_limited_and_reported_once(
    lab: Lab, asked_s: float, said: str | None
) -> None:
    steps = lab.calls.retried(script(*[TransientError("429", retry_after_s=asked_s)] * 3, "done"), "vendor", "key")
    waits = []
    with suppress(StopIteration):
        while True:
            waits.append(next(steps))
    assert waits[-1] == min(max(asked_s, waits[-1] if asked_s < 0 else 0.0), 300.0)
    assert max(waits) <= 300.0
    assert len(lab.said) == (said is not None)
    assert said is None or lab.said[0].startswith(said)


def test_a_transfer_ended_by_a_stop_is_not_retried(lab: Lab) -> None:
    steps = lab.calls.retried(script(TransferStoppedError("stopped"), "done"), "vendor", "key")
    with pytest.raises(TransferStoppedError):
        next(steps)


@pytest.mark.parametrize("error", [PermanentError("no"), ValueError("odd"), OutcomeUnknownError("?")])
def test_an_error_that_is_not_transient_is_raised_immediately(lab: Lab, error: Exception) -> None:
    with pytest.raises(type(error)):
        next(lab.calls.retried(script(error), "vendor", "key"))


def test_a_call_that_keeps_failing_is_given_up_after_the_limit_and_the_outage_is_reported_once(lab: Lab) -> None:
    began = lab.clock.monotonic()
    with pytest.raises(TransientError, match="down"):
        lab.made(script(TransientError("down")))
    assert PATIENCE_S <= lab.clock.monotonic() - began <= PATIENCE_S + 60
    assert len(lab.said) == 1
    assert "vendor is not responding properly (down)" in lab.said[0]
    assert "up to 600 s" in lab.said[0]


def test_after_an_outage_lasted_too_long_no_other_part_waits_for_it(lab: Lab) -> None:
    down = script(TransientError("down"))
    with pytest.raises(TransientError):
        lab.made(down)
    with pytest.raises(TransientError, match="down"):  # for a minute nothing is asked at all: it may take long to fail
        next(lab.calls.retried(script("done"), "vendor", "another"))
    lab.clock.advance(60)
    with pytest.raises(TransientError, match="still"):
        next(lab.calls.retried(script(TransientError("still")), "vendor", "another"))
    assert next(lab.calls.retried(down, "another vendor", "key")) > 0, "an outage is a provider's"


def test_an_interrupted_call_is_retried_even_if_it_took_longer_than_an_outage_may(lab: Lab) -> None:
    outcomes = ["cut off", "done"]

    def long_transfer() -> str:
        lab.clock.advance(2 * PATIENCE_S)
        outcome = outcomes.pop(0)
        if outcome == "cut off":
            raise TransientError(outcome)
        return outcome

    assert lab.made(long_transfer) == "done"


@pytest.mark.parametrize("answer", ["done", PermanentError("no"), QuotaReachedError("full")])
def test_any_answer_ends_an_outage(lab: Lab, answer: str | Exception) -> None:
    down = script(TransientError("down"))
    with pytest.raises(TransientError):
        lab.made(down)
    lab.clock.advance(60)
    with suppress(PermanentError, QuotaReachedError):
        lab.made(script(answer))
    assert lab.said[-1] == "vendor is responding again"
    assert next(lab.calls.retried(down, "vendor", "key")) > 0


def test_a_single_call_that_keeps_failing_is_given_up_too(lab: Lab) -> None:
    def others_work() -> str:
        lab.made(script("done"))
        raise TransientError("this one")

    with pytest.raises(TransientError, match="this one"):
        lab.made(others_work)
    assert PATIENCE_S <= lab.clock.monotonic() <= PATIENCE_S + 120


def test_after_a_stop_an_outage_is_not_waited_for(lab: Lab) -> None:
    lab.stop.set("asked")
    began = lab.clock.monotonic()
    with pytest.raises(TransientError):
        lab.made(script(TransientError("down")))
    assert lab.clock.monotonic() - began <= 120


# --- beside other tasks ----------------------------------------------------------------------------------------------


class Diary(CallsBeside):
    """What makes calls beside other tasks, and writes down how; it has no thread."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def made(self, call: Callable[[], str], provider: str) -> Steps[str]:  # type: ignore[override]
        self.lines.append(f"beside, {provider}")
        yield 1.0
        return call()

    def finish(self) -> None:
        self.lines.append("finished")

    def close(self) -> None:
        self.lines.append("closed")


def test_calls_run_beside_other_tasks_only_within_the_block(lab: Lab) -> None:
    diary = Diary()

    def call() -> str:
        diary.lines.append("called")
        return "answer"

    with lab.calls.beside_others(diary):
        assert lab.live(lab.calls.retried(call, "vendor", "key", beside=True)) == "answer"
        assert lab.live(lab.calls.retried(call, "another", "key")) == "answer"
    assert lab.live(lab.calls.retried(call, "vendor", "key", beside=True)) == "answer"
    assert diary.lines == ["beside, vendor", "called", "called", "finished", "closed", "called"]


def test_calls_in_threads_are_not_waited_for_after_an_interruption(lab: Lab) -> None:
    diary = Diary()
    with pytest.raises(KeyboardInterrupt), lab.calls.beside_others(diary):
        raise KeyboardInterrupt
    assert diary.lines == ["closed"]


def test_a_queued_call_to_a_provider_that_was_given_up_is_not_made(lab: Lab) -> None:
    down = TransientError("no connection")

    def given_up_meanwhile() -> None:
        with pytest.raises(TransientError):
            lab.made(script(down))

    class Late(Diary):
        def made(self, call: Callable[[], str], provider: str) -> Steps[str]:  # type: ignore[override]
            given_up_meanwhile()
            return (yield from super().made(call, provider))

    calls = ["not taken"]
    with lab.calls.beside_others(Late()), pytest.raises(NotAskedError, match="no connection"):
        lab.live(lab.calls.retried(calls.pop, "vendor", "key", beside=True))
    assert calls == ["not taken"]
