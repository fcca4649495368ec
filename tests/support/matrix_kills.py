"""Changes inside a process that runs the experiment of the matrix: record HTTP calls, kill the process, skip waits.

Everything here changes this process permanently.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import httpx

from promptrial.providers import access, http
from promptrial.providers.http_service import Timeouts
from promptrial.runtime.clock import SystemClock
from promptrial_emulator.apis import APIS
from tests.support import crash_points
from tests.support.certificates import read_certificates_once
from tests.support.matrix_cases import Kill, Step

__all__ = ["arrange", "hurry", "watch_calls"]

_READ_S: Final = 0.4
"""A silent server costs a real wait; much longer than an answer takes on a busy machine."""
_FILE_S: Final = 1.0
"""A file that comes a byte at a time costs a real wait, too."""
_OPERATIONS: Final = [
    (name, kind.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", kind.path.replace("{id:path}", ".+"))))
    for api in APIS.values()
    for name, kind in api.operations.items()
]
"""Of calls at one path in several APIs, the name is that of the first: only one vendor is asked in a run."""
_JOURNAL: Final = "jobs.journal.jsonl"
At = Callable[[str, Step, str], None]


def hurry() -> None:
    """Let waits take no time, but on the clock by which they are measured; and give up soon on a silent server."""
    skipped = 0.0

    def wait(self: SystemClock, event: threading.Event, seconds: float) -> bool:  # noqa: ARG001 - a method to be
        nonlocal skipped
        skipped += 0.0 if event.is_set() else seconds
        return event.is_set()

    SystemClock.wait = wait  # type: ignore[method-assign]
    SystemClock.monotonic = lambda self: time.monotonic() + skipped  # type: ignore[method-assign]  # noqa: ARG005
    read_certificates_once()
    hasty = partial(Timeouts, read_s=_READ_S, transfer_s=_READ_S, file_s=_FILE_S)
    for module in (http, access):
        vars(module)["Timeouts"] = hasty


def watch_calls(at: At) -> None:
    """Call ``at`` with the moment, the step and the path before each call is sent and once it is answered, or fails."""
    seen: Counter[str] = Counter()
    real = httpx.Client.send

    def send(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        operation = _operation(request)
        seen[operation] += 1
        step = Step(operation, seen[operation])
        at("before", step, request.url.path)
        try:
            return real(self, request, **options)
        finally:
            at("after", step, request.url.path)

    httpx.Client.send = send  # type: ignore[method-assign]


def arrange(kill: Kill) -> None:
    """Have this process killed."""
    armed = False

    def at_call(moment: str, step: Step, _path: str) -> None:
        nonlocal armed
        if step == kill.step and kill.moment == f"{moment} the call":
            os.kill(os.getpid(), signal.SIGKILL)
        armed = armed or (step == kill.step and moment == "after")

    def at_line(moment: crash_points.Moment, name: str, arguments: tuple[Any, ...]) -> None:
        if armed and name == "_append" and kill.moment == f"{moment} the line after" and _is_journal(arguments):
            os.kill(os.getpid(), signal.SIGKILL)

    watch_calls(at_call)
    if kill.moment.endswith("the line after"):
        crash_points.instrument(at_line)


def _operation(request: httpx.Request) -> str:
    """Return what the emulator calls a request."""
    for name, method, path in _OPERATIONS:
        if request.method == method and path.fullmatch(request.url.path):
            return name
    raise LookupError(request.url.path)


def _is_journal(arguments: tuple[Any, ...]) -> bool:
    return crash_points._place(arguments).endswith(_JOURNAL)
