"""A proxy that wants a login: it answers with its own page, and the call is not applied. A fault, as an example."""

from __future__ import annotations

from typing import Final

from starlette.responses import HTMLResponse, Response

from promptrial_emulator.faults.replies import ErrorReply
from promptrial_emulator.faults.rules import Fault

__all__ = ["answer"]

_PAGE: Final = "<html><body>Log in to the network.</body></html>"


def answer(fault: Fault, error: ErrorReply) -> Response:  # noqa: ARG001 - not worded as the API words errors
    """Return the page; its status is 511, Network Authentication Required, unless the rule has another."""
    return HTMLResponse(_PAGE, fault.options["status"])
