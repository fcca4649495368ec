"""Threads that make calls: as many as calls at the same time, and none of them outlives its work."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from promptrial.errors import PromptrialError
from promptrial.jobs.workers import Workers

NAME = "calls of a test"
LONG_S = 30.0
"""Longer than anything here takes; nobody waits for it."""


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(NAME)
    yield made
    made.close()


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == NAME]


def _wait(together: threading.Barrier) -> None:
    together.wait(LONG_S)


def test_calls_are_made_at_the_same_time_each_in_a_thread(workers: Workers) -> None:
    together = threading.Barrier(9)
    for _ in range(8):
        workers.begin(lambda: _wait(together))
    together.wait(LONG_S)  # all eight have started, or this would fail
    assert not together.broken


def test_closing_waits_for_no_call_and_ends_each_thread_after_its_own() -> None:
    workers, running, release, ended = Workers(NAME), threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        running.set()
        release.wait(LONG_S)
        ended.set()

    workers.begin(call)
    assert running.wait(LONG_S)
    at_work = threads()
    workers.close()
    assert not ended.is_set()
    release.set()
    for each in at_work:
        each.join(LONG_S)
    assert ended.is_set()
    assert not any(each.is_alive() for each in at_work)


def test_if_no_more_threads_can_be_started_the_existing_ones_make_the_calls(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release, made = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        release.wait(LONG_S)

    workers.begin(first)
    assert started.wait(LONG_S)
    monkeypatch.setattr(threading.Thread, "start", _no_room)
    workers.begin(made.set)
    monkeypatch.undo()
    release.set()
    assert made.wait(LONG_S)
    together = threading.Barrier(3)
    for _ in range(2):
        workers.begin(lambda: _wait(together))
    together.wait(LONG_S)  # there is room again, and as many threads as calls


def test_a_call_without_any_thread_is_refused_and_the_next_is_made(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, refused = threading.Event(), threading.Event()
    monkeypatch.setattr(threading.Thread, "start", _no_room)
    with pytest.raises(PromptrialError, match="can't start new thread"):
        workers.begin(refused.set)
    monkeypatch.undo()
    workers.begin(made.set)
    assert made.wait(LONG_S)
    assert not refused.is_set()


def _no_room(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_worker_threads_do_not_keep_the_process_alive(workers: Workers) -> None:
    running, release = threading.Event(), threading.Event()

    def call() -> None:
        running.set()
        release.wait(LONG_S)

    workers.begin(call)
    assert running.wait(LONG_S)
    assert all(each.daemon for each in threads())
    release.set()
