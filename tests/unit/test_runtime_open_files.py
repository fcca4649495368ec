"""How many requests may be in flight, by the files that a process may have open."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from promptrial.runtime import open_files
from promptrial.runtime.open_files import Room, room_for

INFINITE = resource.RLIM_INFINITY
OPEN = 10
OTHERS = OPEN + open_files._SPARE
EACH = open_files._EACH

Limited = Callable[..., list[tuple[int, int]]]


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Give this process limits; returns where those are noted that it sets. More than ``most`` is refused."""

    def give(soft: int, hard: int, most: int = 10**9) -> list[tuple[int, int]]:
        now = [soft, hard]
        made: list[tuple[int, int]] = []

        def raised(_kind: int, limits: tuple[int, int]) -> None:
            if limits[0] > most:
                raise ValueError("current limit exceeds maximum limit")
            made.append(limits)
            now[:] = limits

        monkeypatch.setattr(resource, "getrlimit", lambda _kind: tuple(now))
        monkeypatch.setattr(resource, "setrlimit", raised)
        monkeypatch.setattr(open_files.os, "listdir", lambda _path: ["0"] * OPEN)  # type: ignore[attr-defined]
        return made

    return give


@pytest.mark.parametrize("soft", [OTHERS + 100 * EACH, 10**6, INFINITE])
def test_a_sufficient_limit_is_unchanged(limited: Limited, soft: int) -> None:
    made = limited(soft, INFINITE)
    assert room_for([60, 40]) == Room((60, 40), None)
    assert made == []


@pytest.mark.parametrize("hard", [4096, OTHERS + 100 * EACH, INFINITE])
def test_the_soft_limit_is_raised_as_far_as_is_needed(limited: Limited, hard: int) -> None:
    made = limited(64, hard)
    assert room_for([100]) == Room((100,), None)
    assert made == [(OTHERS + 100 * EACH, hard)]


def test_a_hard_limit_that_is_too_low_bounds_the_requests_in_flight(limited: Limited) -> None:
    hard = OTHERS + 20 * EACH + 1
    made = limited(64, hard)
    assert room_for([100]) == Room((20,), hard)
    assert made == [(hard, hard)]


def test_if_the_system_refuses_a_higher_limit_its_usual_maximum_is_used(limited: Limited) -> None:
    made = limited(256, INFINITE, most=10_240)
    assert room_for([2500]) == Room((2500,), None)
    found = room_for([5000])
    assert found == Room(((10_240 - OTHERS) // EACH,), 10_240)
    assert made[-1] == (10_240, INFINITE)


def test_a_limit_that_cannot_be_raised_is_used_unchanged(limited: Limited) -> None:
    limited(OTHERS + 8 * EACH, INFINITE, most=0)
    assert room_for([100]) == Room((8,), OTHERS + 8 * EACH)


@pytest.mark.parametrize(
    ("wanted", "shares"),
    [([100, 100], (10, 10)), ([100, 4], (16, 4)), ([4, 100, 6], (4, 10, 6)), ([1] * 30, (1,) * 30), ([], ())],
)
def test_servers_share_the_open_files_and_none_gets_more_than_it_needs(
    limited: Limited, wanted: list[int], shares: tuple[int, ...]
) -> None:
    limited(OTHERS + 20 * EACH, OTHERS + 20 * EACH)
    assert room_for(wanted).in_flight == shares


def test_if_the_system_does_not_list_open_files_a_default_number_is_assumed(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: str) -> list[str]:
        raise FileNotFoundError

    made = limited(1, 10**6)
    monkeypatch.setattr(open_files.os, "listdir", refused)  # type: ignore[attr-defined]
    room_for([1])
    assert made == [(open_files._USUAL + open_files._SPARE + EACH, 10**6)]
