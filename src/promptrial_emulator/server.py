"""An emulator that listens: in a thread of this process, without signal handlers, on a port of this machine alone.

It may be killed at any moment, with the process or without: started on the same folder it is in the same state.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from promptrial.errors import MissingDependencyError, PromptrialError, UsageError
from promptrial_emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    import uvicorn

    from promptrial_emulator.core import Core

__all__ = ["EmulatorServer"]

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 128
_GRACE_S: Final = 5
_IDLE_S: Final = 75  # longer than clients keep a connection, so that none is closed just as it is used again


class EmulatorServer:
    """An emulator on a folder; as a context manager it runs within the block.

    Parameters
    ----------
    folder : Path
        Where its state is kept: ``emulator.sqlite`` and ``files/``.
    settings : EmulatorSettings, optional
    """

    def __init__(self, folder: Path, settings: EmulatorSettings | None = None) -> None:
        self._folder = folder
        self._settings = settings or EmulatorSettings()
        self._running: _Running | None = None

    @property
    def url(self) -> str:
        """The base URL.

        Raises
        ------
        PromptrialError
            If it does not run.
        """
        if self._running is None:
            raise PromptrialError("the emulator is not running")
        return self._running.url

    def start(self) -> str:
        """Begin to listen and return the base URL.

        Raises
        ------
        MissingDependencyError
            If a package that it needs is not installed.
        UsageError
            If the port is taken.
        RunLockedError, CorruptRecordError
            If the folder is in use, or its state cannot be read.
        """
        if self._running is None:
            self._running = _run(self._folder, self._settings)
        return self._running.url

    def stop(self) -> None:
        """Finish the answers in work and close the files; does nothing if it does not run."""
        if self._running is not None:
            self._running.end()
            self._running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class _Running:
    url: str
    core: Core
    server: uvicorn.Server
    thread: threading.Thread

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.core.close()


def _run(folder: Path, settings: EmulatorSettings) -> _Running:
    try:
        import python_multipart  # noqa: F401 - starlette imports it when the first form arrives
        import uvicorn

        from promptrial_emulator.apis import APIS
        from promptrial_emulator.app import make_app
        from promptrial_emulator.core import Core
        from promptrial_emulator.wire import WireProtocol
    except ImportError as error:
        raise MissingDependencyError(
            f"the emulator needs a package that is not installed: {error.name}",
            hint="pip install 'promptrial[emulator]'",
        ) from error
    listener = _listener(settings.port)
    try:
        core = Core.open(folder, settings, APIS)
    except BaseException:
        listener.close()
        raise
    config = uvicorn.Config(
        make_app(core, APIS.values()), http=WireProtocol,
        ws="none", lifespan="off", loop="asyncio", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_graceful_shutdown=_GRACE_S, timeout_keep_alive=_IDLE_S,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="emulator", daemon=True)
    thread.start()
    return _Running(f"http://{_LOOPBACK}:{listener.getsockname()[1]}", core, server, thread)


def _listener(port: int) -> socket.socket:
    """Return a socket that takes connections from now on, though the first are answered a moment later."""
    # The protocol is named so that asyncio turns Nagle's algorithm off, which costs 40 ms for each answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(f"cannot listen on port {port}: {error}") from error
    return listener
