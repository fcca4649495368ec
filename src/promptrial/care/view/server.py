"""A server of pages that listens on this machine alone, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from promptrial.care.view.access import Access
from promptrial.care.view.app import view_app
from promptrial.care.view.viewer import Viewer
from promptrial.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["LocalServer", "ViewServer"]

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 64
_GRACE_S: Final = 2
_MOST_CONNECTIONS: Final = 128
_NEXT_REQUEST_S: Final = 10.0


class _ImpatientProtocol(H11Protocol):
    """Closes a connection that has no request in progress for ten seconds: one that trickles in holds a place.

    What comes after an answer counts as the next request: its first lines, or a body that nobody reads.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_request()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, which may be here already."""
        self._wait_for_request()
        super().on_response_complete()

    def _wait_for_request(self) -> None:
        self.loop.call_later(_NEXT_REQUEST_S, self._close_if_silent, self.cycle)

    def _close_if_silent(self, answered: RequestResponseCycle | None) -> None:
        if self.cycle is answered and not self.transport.is_closing():
            self.transport.close()


class LocalServer:
    """Answers requests within the block that it is the context of.

    Parameters
    ----------
    app_of : callable
        Returns the application for who may ask.
    port : int
        0 for a free one.
    closing : Event, optional
        Is set when it ends, for answers that go on.

    Raises
    ------
    UsageError
        If the port is taken.
    """

    def __init__(
        self, app_of: Callable[[Access], ASGIApp], port: int = 0, closing: threading.Event | None = None
    ) -> None:
        self._closing = closing or threading.Event()
        self._listener = _listener(port)
        self.access = Access(self._listener.getsockname()[1])
        config = uvicorn.Config(
            app_of(self.access), http=_ImpatientProtocol, ws="none", lifespan="off", loop="asyncio",
            log_config=None, log_level="critical", access_log=False, proxy_headers=False, server_header=False,
            date_header=False, limit_concurrency=_MOST_CONNECTIONS, timeout_graceful_shutdown=_GRACE_S,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), name="view", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; pages that are still followed end first."""
        self._closing.set()
        self._server.should_exit = True
        self._thread.join(2 * _GRACE_S)
        self._listener.close()


class ViewServer(LocalServer):
    """Shows runs within the block that it is the context of."""

    def __init__(self, viewer: Viewer, port: int = 0) -> None:
        super().__init__(lambda access: view_app(viewer, access), port, viewer.closing)


def _listener(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((_LOOPBACK, port))
        found.listen(_BACKLOG)
    except OSError as error:
        found.close()
        raise UsageError(f"--port {port}: {error.strerror}", hint="choose another port, or omit --port") from error
    return found
