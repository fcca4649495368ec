"""How many requests are in flight at a server, and when: reduced, raised, paused and retried. On a fake clock."""

from __future__ import annotations

import pytest

from promptrial.jobs.pace import Pace
from promptrial.runtime.clock import FakeClock
from promptrial.runtime.retry import Backoff


@pytest.fixture
def pace() -> Pace:
    return Pace(8, FakeClock(), Backoff(), "here")


def sent(pace: Pace, count: int) -> int:
    """Send a number of requests; return the round of the last."""
    rounds = [pace.sent() for _ in range(count)]
    return rounds[-1]


def come_back(pace: Pace, count: int) -> None:
    pace.in_flight -= count


def test_the_pace_starts_at_the_limit_and_never_exceeds_it(pace: Pace) -> None:
    count = 0
    while pace.may_send():
        pace.sent()
        count += 1
    assert count == 8
    for _ in range(100):
        pace.answered(0)
    assert pace.room == 8


def test_a_server_that_asks_for_fewer_requests_gets_half_and_then_one_more_each_round(pace: Pace) -> None:
    now = sent(pace, 8)
    assert pace.asked_to_slow_down(now, None)
    come_back(pace, 8)
    pace.clock.advance(2)  # type: ignore[attr-defined]
    now = sent(pace, 1)
    pace.answered(now)
    assert 4 <= pace.room < 4.5
    for _ in range(5):
        pace.answered(now)
    assert 5 <= pace.room < 6


def test_answers_to_earlier_requests_do_not_raise_the_pace_again(pace: Pace) -> None:
    now = sent(pace, 8)
    pace.asked_to_slow_down(now, None)
    for _ in range(7):
        pace.answered(now)
    assert pace.room == 4
    assert pace.failures == 0


def test_refusals_of_requests_sent_together_halve_the_pace_once(pace: Pace) -> None:
    now = sent(pace, 8)
    news = [pace.asked_to_slow_down(now, None) for _ in range(8)]
    assert news == [True] + [False] * 7
    assert pace.room == 4


def test_the_pace_never_falls_below_one(pace: Pace) -> None:
    for _ in range(20):
        pace.asked_to_slow_down(pace.sent(), None)
        come_back(pace, 1)
    assert pace.room == 1
    pace.clock.advance(1000)  # type: ignore[attr-defined]
    assert pace.may_send()


def test_after_a_failure_sending_pauses_and_then_one_request_goes_first(pace: Pace) -> None:
    now = sent(pace, 8)
    pace.failed(now, None)
    come_back(pace, 8)
    assert not pace.may_send()
    wait_s = pace.wait_s()
    assert 0.5 <= wait_s <= 1.0
    pace.clock.advance(wait_s)  # type: ignore[attr-defined]
    assert pace.may_send()
    again = pace.sent()
    assert not pace.may_send(), "the first one has to come back"
    pace.failed(again, None)
    assert 1.0 <= pace.wait_s() <= 2.0
    assert pace.room == 8, "a failure says nothing of how many it can take"
    pace.answered(again)
    come_back(pace, 1)
    pace.clock.advance(2)  # type: ignore[attr-defined]
    assert sum(1 for _ in iter(lambda: pace.may_send() and pace.sent() >= 0, False)) == 8


def test_a_server_without_failures_causes_no_wait(pace: Pace) -> None:
    assert pace.wait_s() == 0
    pace.failed(pace.sent(), 20.0)
    pace.clock.advance(21)  # type: ignore[attr-defined]
    assert pace.wait_s() == 0


@pytest.mark.parametrize(("asked_s", "expected_s"), [(30.0, 30.0), (1e9, 300.0), (0.0, None)])
def test_the_wait_requested_by_a_server_is_respected_up_to_five_minutes(
    pace: Pace, asked_s: float, expected_s: float | None
) -> None:
    pace.asked_to_slow_down(pace.sent(), asked_s)
    if expected_s is None:
        assert 0.5 <= pace.wait_s() <= 1.0
    else:
        assert pace.wait_s() == expected_s


def test_a_late_refusal_can_only_lengthen_the_wait(pace: Pace) -> None:
    now = sent(pace, 2)
    pace.failed(now, None)
    pace.failed(now, 20.0)
    assert pace.wait_s() == 20.0
    assert pace.failures == 1


def test_the_start_of_an_outage_is_known_until_the_server_answers(pace: Pace) -> None:
    pace.clock.advance(5)  # type: ignore[attr-defined]
    pace.failed(pace.sent(), None)
    pace.clock.advance(60)  # type: ignore[attr-defined]
    pace.failed(pace.sent(), None)
    assert pace.failing_since == 5
    pace.answered(0)
    assert pace.failing_since is None
