"""How faults F1 to F6, F17 and those with a file of their own look on the wire: before a call is applied, or after."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable
from email.utils import format_datetime
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from promptrial.runtime.clock import SystemClock
from promptrial_emulator.faults.rules import FAULTS, Fault, Injected
from promptrial_emulator.wire import Raw, Reset, Stall

__all__ = ["ErrorReply", "after_commit", "before_commit", "unanswered"]

ErrorReply = Callable[[int, str], Response]
"""How an API words an error: ``(status, message)`` -> its answer."""
_HUGE_S: Final = 10_000_000
_HTML: Final = "<html><head><title>{0}</title></head><body><h1>{0} Server Error</h1></body></html>"
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def before_commit(faults: Injected, error: ErrorReply) -> ASGIApp | None:
    """Return what a call is answered instead of being applied, or None."""
    if fault := faults.get("F4"):
        return unanswered(fault, error)
    if fault := faults.get("F1"):
        return _too_many(fault, error)
    if fault := faults.get("F2"):
        return _server_error(fault, error)
    if faults.get("F17", "no_access"):
        return error(403, "the key has lost its access")
    if faults.get("F17", "hidden"):
        return error(404, "resource not found")
    return next((_own_answer(fault, error) for fault in faults.all() if FAULTS[fault.name].answer), None)


def _own_answer(fault: Fault, error: ErrorReply) -> ASGIApp:
    """Return the answer of a fault that has a file of its own."""
    module, _, attribute = FAULTS[fault.name].answer.partition(":")
    answer: Callable[[Fault, ErrorReply], ASGIApp] = getattr(importlib.import_module(module), attribute)
    return answer(fault, error)


def after_commit(faults: Injected, response: ASGIApp, error: ErrorReply) -> ASGIApp:
    """Return what a call that was applied is answered: its response, if no fault is met."""
    if fault := faults.get("F5"):
        return unanswered(fault, error)
    if (fault := faults.get("F6")) and isinstance(response, Response):
        return _unreadable(fault, bytes(response.body))
    return response


def unanswered(fault: Fault, error: ErrorReply) -> ASGIApp:
    """Return one of the ways of not saying what became of a call: reset, silence, an error."""
    if fault.variant == "reset":
        return Reset()
    if fault.variant == "stall":
        return Stall()
    return error(fault.options["status"], "internal error")


def _too_many(fault: Fault, error: ErrorReply) -> Response:
    response = error(429, "too many requests")
    seconds = _HUGE_S if fault.variant == "huge" else fault.options["seconds"]
    if fault.variant == "date":  # the client's clock is the machine's, not the virtual one
        moment = dt.datetime.fromisoformat(SystemClock().now()) + dt.timedelta(seconds=seconds)
        response.headers["retry-after"] = format_datetime(moment, usegmt=True)
    elif fault.variant != "absent":
        response.headers["retry-after"] = str(seconds)
    return response


def _server_error(fault: Fault, error: ErrorReply) -> Response:
    status = fault.options["status"]
    if fault.variant == "html":
        return HTMLResponse(_HTML.format(status), status)
    return error(status, "internal error")


def _unreadable(fault: Fault, body: bytes) -> ASGIApp:
    """Return a 200 whose body is cut short, with or without the right length, or is something else."""
    if fault.variant == "short_length":
        return Raw(_HEAD % len(body) + body[: len(body) // 2])
    if fault.variant == "not_json":
        return HTMLResponse(_HTML.format("OK"))
    kept = b"" if fault.variant == "empty" else body[: len(body) // 2]
    return Response(kept, media_type="application/json")
