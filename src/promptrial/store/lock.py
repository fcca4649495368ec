"""One writer per run: an exclusive advisory lock on ``.state.lock``, held for the writing process's whole life.

POSIX: ``fcntl.flock``, which the kernel drops when the holder dies, so a dead holder never blocks. Elsewhere the file
itself is the lock: whoever creates it holds it, and one that a dead process left behind is taken over. Its text (pid,
host, since) is for people and for ``status``; its time of change is the holder's heartbeat. Readers never take it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Self

from promptrial.errors import PromptrialError, RunLockedError
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.store import atomic

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    _HAS_FLOCK = False
else:
    _HAS_FLOCK = True

__all__ = ["BEAT_EVERY_S", "Holder", "RunLock", "holder"]

BEAT_EVERY_S: Final = 2.0
"""How often a holder shows that it is alive."""
_SILENT_AFTER_S: Final = 60.0
"""A heartbeat that is older than this has ended."""
_TRIES_S: Final = (0.05, 0.1, 0.2, 0.4)
"""The waits between looks at a lock file that nobody has put a name into yet."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote themselves into a lock file.

    ``alive`` says whether that process lives (None: it is on another machine); ``silent_s`` is for how many seconds it
    has not shown itself. A clock that was set back makes that 0, never less.
    """

    pid: int
    host: str
    since: str
    alive: bool | None
    silent_s: float

    @property
    def silent(self) -> bool:
        """Whether the heartbeat has ended: the process is suspended, or gone and its number another's."""
        return self.silent_s >= _SILENT_AFTER_S

    @property
    def works(self) -> bool:
        """Whether the process may still be there; one that cannot be looked up must show itself."""
        return not self.silent if self.alive is None else self.alive


def holder(path: Path, clock: Clock | None = None) -> Holder | None:
    """Return who holds a lock, from the file alone; None if nobody does. Readers never take the lock.

    A process that was killed leaves its name behind; ``alive`` then says that it is gone.
    """
    try:
        said = json.loads(path.read_bytes())
        pid, host, since = int(said["pid"]), str(said["host"]), str(said["since"])
        beat = path.stat().st_mtime
    except (OSError, ValueError, TypeError, KeyError):
        return None
    silent = max(0.0, (clock or SystemClock()).timestamp() - beat)
    return Holder(pid, host, since, _alive(pid) if host == socket.gethostname() else None, silent)


def _alive(pid: int) -> bool | None:
    if os.name != "posix":  # asking would end the process there
        return None
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
        The lock file; made if it is not there. With ``flock`` it is left there afterwards.
    since : str
        The time to show to a second writer.
    clock : Clock, optional
        For the waits where locks are files.
    before_named : callable, optional
        Called once the lock is held, before anybody can see by whom: what is asked of its holder comes after that.
    stop_command : str, optional
        What a second writer is told to type if it does not want to wait.

    Raises
    ------
    RunLockedError
        At once, if another process holds it.
    PromptrialError
        If the file system has no locks.
    """

    def __init__(
        self,
        path: Path,
        *,
        since: str,
        clock: Clock | None = None,
        before_named: Callable[[], None] = lambda: None,
        stop_command: str = "",
    ) -> None:
        self._before_named = before_named
        self._stop_command = stop_command
        self._path = path
        self._since = since
        self._clock = clock or SystemClock()
        self._fd: int | None = None
        self._release: Callable[[int], None] = _clear

    def beat(self) -> None:
        """Show that the holder is alive; a file system that refuses is no reason to stop working."""
        with suppress(OSError):
            os.utime(self._path)

    def __enter__(self) -> Self:
        atomic.make_folder(self._path.parent)
        if _HAS_FLOCK:
            fd = self._flocked()
        else:
            fd, self._release = self._created(), self._remove
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": self._since})
        try:
            self._before_named()
            with atomic.naming(self._path):
                os.ftruncate(fd, 0)
                os.lseek(fd, 0, os.SEEK_SET)
                os.write(fd, text.encode())
        except OSError:
            self._release(fd)
            raise
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            self._release(fd)

    def _flocked(self) -> int:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(fd)
        except OSError as error:
            os.close(fd)
            if not isinstance(error, BlockingIOError):
                raise PromptrialError(f"{self._path}: cannot be locked: {error.strerror}") from error
            raise self._refusal() from error
        return fd

    def _created(self) -> int:
        """Create the lock file; one that a dead process left is taken over, one without a name is waited for."""
        for wait_s in (*_TRIES_S, 0.0, 0.0):
            try:
                return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                by = holder(self._path, self._clock)
            if by is not None and by.works:
                raise self._refusal()
            if by is not None or wait_s == 0.0:
                self._remove_dead(by)
            self._clock.wait(Event(), wait_s)
        raise self._refusal()

    def _remove_dead(self, dead: Holder | None) -> None:
        """Remove the lock of a dead holder, one process at a time, so that none removes what another has just made.

        A system that does not let go of a file that a process has open (Windows) refuses: then the holder lives.
        """
        guard = self._path.with_name(f"{self._path.name}.takeover")
        try:
            os.close(os.open(guard, os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            with suppress(OSError):
                if (
                    self._clock.timestamp() - guard.stat().st_mtime > _SILENT_AFTER_S
                ):  # its maker died at this very line
                    guard.unlink()
            return
        try:
            by = holder(self._path, self._clock)
            if (by and (by.pid, by.host, by.since)) == (dead and (dead.pid, dead.host, dead.since)):
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise self._refusal() from error
        finally:
            guard.unlink()

    def _remove(self, fd: int) -> None:
        os.close(fd)
        with suppress(FileNotFoundError):
            self._path.unlink()

    def _refusal(self) -> RunLockedError:
        by = holder(self._path, self._clock)
        who = f"pid {by.pid} on {by.host}, since {by.since}" if by is not None else "it has not yet named itself"
        return RunLockedError(
            f"{self._path.parent}: another process holds this run ({who})",
            hint=f"wait for it, or stop it with: {self._stop_command}" if self._stop_command else "wait for it",
        )


def _lock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _clear(fd: int) -> None:
    """Take the name out of a lock file and let go of it."""
    os.ftruncate(fd, 0)
    os.close(fd)
