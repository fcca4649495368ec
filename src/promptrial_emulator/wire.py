"""What HTTP servers never do on purpose: a reset, silence, bytes that break the rules. Each is a reply like any other.

The replies reach the connection itself through the scope, where ``WireProtocol`` puts it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

__all__ = ["Delayed", "Dripped", "Raw", "Reset", "Stall", "WireProtocol"]

_EXTENSION: Final = "promptrial.connection"
_ARRIVAL_S: Final = 0.05  # a reset would overtake what the client has not read yet
_NO_LINGER: Final = struct.pack("ii", 1, 0)  # closing then sends RST and drops what is still to be sent


class WireProtocol(H11Protocol):
    """HTTP/1.1 that lets a reply have its connection, and that does not wait for silent ones at the end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - whatever uvicorn passes
        super().__init__(*arguments, **options)
        self.silent = False
        self.app = self._with_connection(self.app)

    def _with_connection(self, app: ASGI3Application) -> ASGI3Application:
        async def call(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - uvicorn's own types
            scope.setdefault("extensions", {})[_EXTENSION] = self
            await app(scope, receive, send)

        return call

    def shutdown(self) -> None:
        """Begin to end; a connection that would stay silent is cut."""
        super().shutdown()
        if self.silent:
            self.transport.abort()


class Reset:
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Reset the connection."""
        transport = _connection(scope).transport
        with suppress(OSError):  # the client may have left before, which closes the socket
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
        await _gone(receive)


class Stall:
    """No answer: the connection stays open until the client leaves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Wait."""
        _connection(scope).silent = True
        await _gone(receive)


class Delayed:
    """A reply that comes after a while.

    Parameters
    ----------
    reply : ASGI app
    seconds : float
        Of real time.
    """

    def __init__(self, reply: ASGIApp, seconds: float) -> None:
        self._reply = reply
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then answer."""
        await asyncio.sleep(self._seconds)
        await self._reply(scope, receive, send)


class Raw:
    """Bytes as they are, status line and all, then the end of the connection.

    Parameters
    ----------
    data : bytes
    reset : bool
        Whether the end is a reset, once the bytes had time to arrive, and not an orderly close.
    """

    def __init__(self, data: bytes, *, reset: bool = False) -> None:
        self._data = data
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the bytes and end the connection."""
        connection = _connection(scope)
        connection.transport.set_write_buffer_limits(0)
        connection.transport.write(self._data)
        await connection.flow.drain()
        if self._reset:
            await asyncio.sleep(_ARRIVAL_S)
            await Reset()(scope, receive, send)
        else:
            connection.transport.close()
            await _gone(receive)


class Dripped:
    """A head at once, and then a body that comes a byte now and then, until the client leaves.

    Parameters
    ----------
    head, body : bytes
    every_s : float
        Real seconds between two bytes.
    """

    def __init__(self, head: bytes, body: bytes, every_s: float) -> None:
        self._head = head
        self._body = body
        self._every_s = every_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, and the bytes of the body one by one."""
        transport = _connection(scope).transport
        transport.write(self._head)
        for byte in self._body:
            if transport.is_closing():
                break
            transport.write(bytes([byte]))
            await asyncio.sleep(self._every_s)
        await Raw(b"")(scope, receive, send)


def _connection(scope: Scope) -> WireProtocol:
    connection: WireProtocol = scope["extensions"][_EXTENSION]
    return connection


async def _gone(receive: Receive) -> None:
    """Wait until the connection is lost; until then the server must not think that an answer was forgotten."""
    while (await receive())["type"] != "http.disconnect":
        pass
