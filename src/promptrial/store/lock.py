"""One writer per run: an exclusive advisory lock on ``.state.lock``, held for the writing process's whole life.

POSIX: ``fcntl.flock``, which the kernel drops when the holder dies, so a dead holder never blocks. The file's text
(pid, host, since) is for people; the lock itself is the kernel's. Readers never take it.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from promptrial.errors import PromptrialError, RunLockedError
from promptrial.store import atomic

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Holder", "RunLock", "holder"]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote themselves into a lock file, and whether that process lives (None: it is on another machine)."""

    pid: int
    host: str
    since: str
    alive: bool | None

    @property
    def works(self) -> bool:
        """Whether the process may still be at work; one on another machine is given the benefit of the doubt."""
        return self.alive is not False


def holder(path: Path) -> Holder | None:
    """Return who holds a lock, from the file's text alone; None if nobody does. Readers never take the lock.

    A process that was killed leaves its name behind; ``alive`` then says that it is gone.
    """
    try:
        said = json.loads(path.read_bytes())
        pid, host, since = int(said["pid"]), str(said["host"]), str(said["since"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Holder(pid, host, since, _alive(pid) if host == socket.gethostname() else None)


def _alive(pid: int) -> bool:
    if os.name != "posix":  # asking would end the process there; its lock file is gone when it is
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class RunLock:
    """Held inside a ``with`` block.

    Parameters
    ----------
    path : Path
        The lock file; made if it is not there, and left there afterwards.
    since : str
        The time to show to a second writer.

    Raises
    ------
    RunLockedError
        At once, if another process holds it.
    PromptrialError
        If the file system has no locks.
    """

    def __init__(self, path: Path, *, since: str) -> None:
        self._path = path
        self._since = since
        self._fd: int | None = None

    def __enter__(self) -> Self:
        atomic.make_folder(self._path.parent)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(fd)
        except OSError as error:
            holder = os.pread(fd, 4096, 0).decode(errors="replace").strip()
            os.close(fd)
            if not isinstance(error, BlockingIOError):
                raise PromptrialError(f"{self._path}: cannot be locked: {error.strerror}") from error
            raise RunLockedError(
                f"{self._path.parent}: another process holds this run ({holder or 'holder not yet named'})",
                hint="wait for it, or stop it with: promptrial stop --run_id "
                + self._path.parent.name.removeprefix("run_"),
            ) from error
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": self._since})
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode(), 0)
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def _lock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
