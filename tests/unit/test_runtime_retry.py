"""The waits between repeated calls: they double, are spread, and keep to what a vendor asks for within reason."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.runtime.retry import Backoff

SECONDS = st.floats(min_value=0, max_value=1e12)


@given(failures=st.integers(1, 10_000), key=st.text(max_size=20))
def test_a_wait_is_between_half_and_all_of_the_doubled_wait(failures: int, key: str) -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    whole = min(2.0 ** min(failures - 1, 100), 60.0)
    assert whole / 2 <= backoff.delay_s(failures, key) <= whole


@given(failures=st.integers(1, 100), asked=st.one_of(SECONDS, st.just(math.inf), st.floats(max_value=0)))
def test_a_vendors_wait_is_between_our_own_and_the_maximum(failures: int, asked: float) -> None:
    backoff = Backoff(longest_asked_s=300.0)
    own = backoff.delay_s(failures, "key")
    waited = backoff.delay_s(failures, "key", asked)
    assert own <= waited <= 300
    assert waited == max(own, min(max(asked, 0), 300))


def test_the_same_call_always_waits_equally_long_and_two_calls_do_not() -> None:
    backoff = Backoff()
    first = [backoff.delay_s(n, "job-1") for n in range(1, 9)]
    assert first == [backoff.delay_s(n, "job-1") for n in range(1, 9)]
    assert all(a != b for a, b in zip(first, (backoff.delay_s(n, "job-2") for n in range(1, 9)), strict=True))


def test_clients_that_fail_together_retry_spread_over_the_wait() -> None:
    waits = sorted(Backoff(first_s=10.0).delay_s(1, f"job-{n}") for n in range(1000))
    assert waits[0] == pytest.approx(5, abs=0.1)
    assert waits[500] == pytest.approx(7.5, abs=0.3)
    assert waits[-1] == pytest.approx(10, abs=0.1)


def test_an_invalid_wait_of_a_vendor_is_replaced_by_our_own() -> None:
    assert Backoff().delay_s(1, "key", math.nan) == Backoff().delay_s(1, "key")
