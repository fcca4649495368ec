"""Fault F13: downloads that end early, or are something else. Some of them an HTTP client takes for whole."""

from __future__ import annotations

import gzip
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from promptrial.emulator.faults import Fault
from promptrial.emulator.wire import Raw

__all__ = ["broken_off", "spoilt"]

_HEAD: Final = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n"
_HALF: Final = 0.5


def spoilt(fault: Fault, data: bytes, url: str) -> ASGIApp:
    """Return what a download of some bytes is answered; ``url`` is the one that was called."""
    kept = data[: int(len(data) * fault.options["at"])]
    if fault.variant == "short_length":
        return Raw(_HEAD + b"content-length: %d\r\n\r\n" % len(data) + kept)
    if fault.variant == "unfinished_chunk":
        return Raw(_HEAD + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(data) + kept)
    if fault.variant == "close_delimited":
        return Raw(_HEAD + b"\r\n" + kept)
    if fault.variant == "gzip_cut":
        packed = gzip.compress(data, mtime=0)
        packed = packed[: int(len(packed) * fault.options["at"])]
        return Raw(_HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)
    return _other(fault, url)


def _other(fault: Fault, url: str) -> ASGIApp:
    if fault.variant == "empty":
        return Response(b"", media_type="application/octet-stream")
    if fault.variant == "wrong_type":
        return HTMLResponse("<html><body>Please sign in.</body></html>")
    return RedirectResponse(fault.options["location"] or _elsewhere(url), 302)


def broken_off(data: bytes) -> ASGIApp:
    """Return half of some bytes, and then a reset."""
    kept = data[: int(len(data) * _HALF)]
    return Raw(_HEAD + b"content-length: %d\r\n\r\n" % len(data) + kept, reset=True)


def _elsewhere(url: str) -> str:
    """Return the same object at another origin, which is this emulator by its other name."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    return parts._replace(netloc=f"{host}:{parts.port}").geturl()
