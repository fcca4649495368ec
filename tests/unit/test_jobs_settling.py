"""How long something may be hidden before it counts as missing. On a fake clock."""

from __future__ import annotations

import pytest

from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.settling import Settling
from promptrial.runtime.clock import FakeClock


@pytest.mark.parametrize("times", [1, 2])
def test_settling_needs_both_a_number_of_checks_and_a_time(times: int) -> None:
    clock = FakeClock()
    settling = Settling(QueueSettings(settle_s=60.0, settle_looks=3), clock, times)
    looks = 1
    while not settling.is_over():
        clock.advance(settling.wait_s)
        looks += 1
    assert looks == 3 * times + 1
    assert clock.monotonic() == pytest.approx(60 * times)


def test_neither_many_quick_checks_nor_one_late_check_settles() -> None:
    clock = FakeClock()
    settings = QueueSettings(settle_s=60.0, settle_looks=3)
    hurried, late = Settling(settings, clock, 2), Settling(settings, clock, 2)
    assert not any(hurried.is_over() for _ in range(20))
    clock.advance(1000)
    assert [late.is_over() for _ in range(6)] == [False] * 5 + [True]
