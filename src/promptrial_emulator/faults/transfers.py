"""Fault F13: downloads that end early, or are something else. Some of them an HTTP client takes for whole."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from promptrial_emulator.faults.rules import Fault
from promptrial_emulator.wire import Dripped, Raw

__all__ = ["broken_off", "spoilt"]

_HEAD: Final = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n"
_HALF: Final = 0.5
_BOMB: Final = 32 << 20


def spoilt(fault: Fault, data: bytes, url: str) -> ASGIApp:
    """Return what a download of some bytes is answered; ``url`` is the one that was called."""
    if fault.variant in _CUT:
        return _CUT[fault.variant](data, fault.options["at"])
    if fault.variant in _WHOLE:
        return _WHOLE[fault.variant](data)
    if fault.variant == "dripped":
        return Dripped(_HEAD + b"content-length: %d\r\n\r\n" % len(data), data, fault.options["every_s"])
    return RedirectResponse(fault.options["location"] or _elsewhere(url), 302)


def _kept(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def _short(data: bytes, share: float) -> ASGIApp:
    return Raw(_HEAD + b"content-length: %d\r\n\r\n" % len(data) + _kept(data, share))


def _unfinished(data: bytes, share: float) -> ASGIApp:
    return Raw(_HEAD + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(data) + _kept(data, share))


def _closed(data: bytes, share: float) -> ASGIApp:
    return Raw(_HEAD + b"\r\n" + _kept(data, share))


def _gzip_cut(data: bytes, share: float) -> ASGIApp:
    return _packed(_kept(gzip.compress(data, mtime=0), share), b"gzip")


def _at_a_row(data: bytes, share: float) -> ASGIApp:
    kept = _kept(data, share)
    return Response(kept[: kept.rfind(b"\n") + 1], media_type="application/octet-stream")


def _packed(body: bytes, packing: bytes) -> Raw:
    return Raw(_HEAD + b"content-encoding: %s\r\ncontent-length: %d\r\n\r\n" % (packing, len(body)) + body)


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(_BOMB), mtime=0)


_CUT: Final[dict[str, Callable[[bytes, float], ASGIApp]]] = {
    "short_length": _short,
    "unfinished_chunk": _unfinished,
    "close_delimited": _closed,
    "gzip_cut": _gzip_cut,
    "row_boundary": _at_a_row,
}
_WHOLE: Final[dict[str, Callable[[bytes], ASGIApp]]] = {
    "empty": lambda _data: Response(b"", media_type="application/octet-stream"),
    "wrong_type": lambda _data: HTMLResponse("<html><body>Please sign in.</body></html>"),
    "nested_gzip": lambda data: _packed(gzip.compress(gzip.compress(data, mtime=0), mtime=0), b"gzip, gzip"),
    "gzip_bomb": lambda _data: _packed(_bomb(), b"gzip"),
}


def broken_off(data: bytes) -> ASGIApp:
    """Return half of some bytes, and then a reset."""
    kept = data[: int(len(data) * _HALF)]
    return Raw(_HEAD + b"content-length: %d\r\n\r\n" % len(data) + kept, reset=True)


def _elsewhere(url: str) -> str:
    """Return the same object at another origin, which is this emulator by its other name."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    return parts._replace(netloc=f"{host}:{parts.port}").geturl()
