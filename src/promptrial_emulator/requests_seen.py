"""What clients asked since the emulator started, in order: to compare two clients call by call, and to see repeats.

Unlike the ledger it holds refused calls and reads too, and is kept in memory alone. Keys are left out.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PRIVATE_HEADERS", "Recorder", "Requests"]

_KEPT: Final = 10_000
_LARGEST: Final = 64 << 10
PRIVATE_HEADERS: Final = frozenset({"authorization", "api-key", "cookie", "x-api-key"})
"""The headers that hold secrets; they are never kept."""
_CONTROL: Final = "/__emu/"


class _Request:
    """One request; its body is what the emulator has read of it so far."""

    def __init__(self, scope: Scope) -> None:
        self._method = scope["method"]
        self._path = scope["raw_path"].decode("latin-1")
        self._query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        self._headers = {name: value for name, value in headers if name not in PRIVATE_HEADERS}
        self._keeps = self._headers.get("content-type", "").startswith("application/json")
        self._body = bytearray()
        self._size = 0

    def take(self, data: bytes) -> None:
        """Note a piece of the body; what is no JSON, or too large to show, is only counted."""
        self._size += len(data)
        if self._keeps and self._size <= _LARGEST:
            self._body += data

    def shown(self) -> dict[str, Any]:
        """Return the request as JSON: a body that is JSON as such, of any other only the size."""
        return {
            "method": self._method,
            "path": self._path,
            "query": self._query,
            "headers": self._headers,
            "bytes": self._size,
            "json": self._json() if len(self._body) == self._size else None,
        }

    def _json(self) -> Any:  # noqa: ANN401 - JSON
        try:
            return msgspec.json.decode(self._body) if self._body else None
        except (ValueError, RecursionError):
            return None


class Requests:
    """The last ten thousand requests."""

    def __init__(self) -> None:
        self._requests: deque[_Request] = deque(maxlen=_KEPT)

    def begin(self, scope: Scope) -> _Request:
        """Note a request whose headers have come."""
        request = _Request(scope)
        self._requests.append(request)
        return request

    def rows(self) -> list[dict[str, Any]]:
        """Return them, the oldest first."""
        return [request.shown() for request in self._requests]


class Recorder:
    """Middleware that notes every request but those of the control API.

    Parameters
    ----------
    app : ASGI app
    requests : Requests
    """

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note what is read of it."""
        if scope["type"] != "http" or scope["path"].startswith(_CONTROL):
            await self._app(scope, receive, send)
            return
        request = self._requests.begin(scope)

        async def heard() -> Message:
            message = await receive()
            request.take(message.get("body", b""))
            return message

        await self._app(scope, heard, send)
