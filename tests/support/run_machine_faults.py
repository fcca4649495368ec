"""What the machine does to a run from outside: faults of files, and disturbances of the process that works on them.

A disturbance replaces functions permanently, so it must run in a forked process; it writes the file ``disturbed`` when
it has happened.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, get_args

from tests.support import crash_points
from tests.support.crash_lab import RUN, in_fork
from tests.support.crash_points import Moment
from tests.support.crash_vendor import Vendor
from tests.support.project import Project

__all__ = [
    "DAMAGES",
    "STOPS",
    "UNDIGESTED",
    "Fault",
    "Stop",
    "intrude_at",
    "kill_at",
    "spoilt",
    "stop_amid",
    "stop_at",
]

Fault = Literal["flip", "truncate", "empty", "garble", "delete"]
Stop = Literal["sentinel", "SIGTERM", "SIGINT", "SIGTERM twice"]
DAMAGES: Final[tuple[Fault, ...]] = ("flip", "truncate", "empty", "garble")
STOPS: Final[tuple[Stop, ...]] = get_args(Stop)
UNDIGESTED: Final = (
    "manifest.json",
    "run_state.json",
    "jobs.journal.jsonl",
    "results.partial.jsonl",
    "/results.jsonl",
)
"""Files of which no record holds a digest (of results, once the manifest is lost): a flip that leaves them readable
could be noticed by nobody."""

kill_at = crash_points.kill_at


def spoilt(name: str, data: bytes, fault: Fault, at: int) -> bytes | None:
    """Return what a fault makes of a file; None if it is gone.

    Parameters
    ----------
    name : str
        A flip meets the first byte of a line where nothing else could be noticed, and any byte elsewhere.
    at : int
        Where the fault meets it: any number, taken modulo what there is.
    """
    if fault == "delete":
        return None
    if fault == "garble" or not data:
        return b"garbled\n"
    if fault == "empty":
        return b""
    if fault == "truncate":  # by two bytes at least: without its last newline a record is still whole
        return data[: at % max(1, len(data) - 1)]
    starts = [0, *(place + 1 for place, byte in enumerate(data[:-1]) if byte == ord("\n"))]
    place = starts[at % len(starts)] if name.endswith(UNDIGESTED) else at % len(data)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def stop_at(request: int, how: Stop) -> None:
    """Ask for a stop as soon as the vendor has answered the request with this number, counted from 1."""

    def ask() -> None:
        name, _, twice = how.partition(" ")
        if name == "sentinel":
            _touch_sentinel()
            return
        for _ in range(2 if twice else 1):
            os.kill(os.getpid(), signal.Signals[name])

    _at_request(request, ask)


def stop_amid(operation: int) -> None:
    """Leave a sentinel at the durable operation with this number, counted as the points of ``crash_points`` are."""
    left = operation

    def at(_moment: Moment, _name: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if left == 0 and RUN.is_dir():
            _disturbed()
            _touch_sentinel()
        left -= 1

    crash_points.instrument(at)


def intrude_at(request: int, look: Callable[[], object]) -> None:
    """Start a second writer, and look at the plan, as soon as the vendor has answered this request.

    The second must be refused, the plan must be given, and neither may change what ``look`` returns.
    """

    def intrude() -> None:
        before = look()
        for flags, code in ((("--resume",), 4), (("--plan_only",), 0)):
            ended = in_fork(Path.cwd(), partial(Project(Path()).run, *flags))
            assert ended.code == code, f"{flags} beside the writer ended with {ended.code}: {ended.said}"
            assert look() == before, f"{flags} beside the writer changed something"

    _at_request(request, intrude)


def _at_request(number: int, act: Callable[[], None]) -> None:
    real = Vendor.results
    left = number

    def results(self: Vendor, *arguments: Any) -> Iterator[bytes]:
        nonlocal left
        for row in real(self, *arguments):
            left -= 1
            if left == 0:
                _disturbed()
                act()
            yield row

    Vendor.results = results  # type: ignore[method-assign, assignment]


def _touch_sentinel() -> None:
    (RUN / "STOP_REQUESTED").touch()


def _disturbed() -> None:
    Path("disturbed").touch()
