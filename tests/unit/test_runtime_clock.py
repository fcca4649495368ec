"""Time as a value."""

import datetime as dt
import re
import threading

from promptrial.runtime.clock import FakeClock, SystemClock


def test_the_time_is_utc_in_one_form() -> None:
    now = SystemClock().now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", now)
    passed = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(now)
    assert abs(passed) < dt.timedelta(minutes=1)


def test_seconds_never_go_back() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


def test_a_real_wait_ends_with_the_event_or_the_time() -> None:
    event = threading.Event()
    assert SystemClock().wait(event, 0.001) is False
    event.set()
    assert SystemClock().wait(event, 60) is True


def test_a_fake_clock_moves_only_when_told() -> None:
    clock, event = FakeClock(), threading.Event()
    assert clock.now() == clock.now() == "2026-01-01T00:00:00.000000Z"
    clock.advance(1.5)
    assert clock.wait(event, 60) is False
    assert (clock.now(), clock.monotonic()) == ("2026-01-01T00:01:01.500000Z", 61.5)
    event.set()
    assert clock.wait(event, 60) is True
    assert clock.monotonic() == 61.5
