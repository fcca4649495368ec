"""Progress in words."""

import pytest

from promptrial.model.units import RUN, Unit
from promptrial.runtime.clock import FakeClock
from promptrial.runtime.progress import LineProgress, NoProgress, duration, rate_text


@pytest.mark.parametrize(
    ("done", "seconds", "left", "text"),
    [
        (0, 10.0, 5, ""),
        (5, 0.0, 5, ""),
        (42, 10.0, 147, ", 4.2/s, 35 s left"),
        (10, 10.0, 0, ", 1.0/s"),
        (10, 10.0, None, ", 1.0/s"),
        (10, 10.0, 60, ", 1.0/s, 60 s left"),
        (10, 10.0, 59, ", 1.0/s, 59 s left"),
        (10, 10.0, 3723, ", 1.0/s, 62 min left"),
        (12_345, 1.0, 5, ", 12,345.0/s, 1 s left"),
        (1, 100.0, 9, ", 0.01/s, 15 min left"),
        (1, 4000.0, None, ", 0.00025/s"),
        (10, 10.0, -3, ", 1.0/s"),
    ],
)
def test_rate_and_time_left_are_shown_once_they_are_known(
    done: int, seconds: float, left: int | None, text: str
) -> None:
    assert rate_text(done, seconds, left) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (420, "7 min"), (3600, "60 min"), (12_600, "3.5 h"), (400_000, "4.6 d")],
)
def test_a_time_is_given_in_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_line_is_shown_every_ten_seconds_and_includes_the_work_of_an_earlier_process() -> None:
    clock, said = FakeClock(), list[str]()
    with LineProgress(clock, said.append).task("poll", RUN, 100, done=40) as task:
        for _ in range(25):
            clock.advance(1)
            task.advance(2)
    assert said == ["  poll: 60/100, 2.0/s, 20 s left", "  poll: 80/100, 2.0/s, 10 s left"]


def test_without_a_total_there_is_no_time_left() -> None:
    clock, said = FakeClock(), list[str]()
    with LineProgress(clock, said.append).task("parse", Unit("m1-main"), None) as task:
        clock.advance(10)
        task.advance(5)
    assert said == ["  parse m1-main: 5, 0.5/s"]


def test_quick_work_shows_no_progress() -> None:
    said = list[str]()
    with LineProgress(FakeClock(), said.append).task("build", RUN, 10) as task:
        task.advance(10)
    assert said == []


def test_a_quiet_task_accepts_every_call() -> None:
    with NoProgress().task("x", RUN, None) as task:
        task.advance()
        task.advance(5)
