"""One writer per run: an exclusive advisory lock on ``.state.lock``, held for the writing process's whole life.

POSIX: ``fcntl.flock``, which the kernel drops when the holder dies, so a dead holder never blocks. Elsewhere the file
itself is the lock: the process that creates it holds it, and a lock without a heartbeat is taken over.

Who is alive is decided by ``flock`` alone where it works: a look takes a shared lock without waiting, and lets go of it
at once. Where it cannot be asked, the heartbeat decides: the file's time of change. The text (pid, host, since) is for
people: in a container a pid says nothing about the processes of another.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final, Self

from promptrial.documents.files import NotARegularFileError, open_regular, open_to_write
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
_TRIES_S: Final = (0.05,) * 20
"""The waits of a writer between its attempts: a holder may be ending."""
_TRIES_BESIDE_LOOKS_S: Final = (0.05,) * 200
"""Its waits where looks alone hold the lock: one that the machine holds up keeps it for longer than a moment."""
_LARGEST_TEXT: Final = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who wrote themselves into a lock file, and whether they hold it.

    ``alive`` says whether a process holds the lock (None: ``flock`` cannot be asked here); ``silent_s`` is for how many
    seconds the holder has not shown itself. A clock that was set back makes that 0, never less. ``pid`` is None as long
    as the holder has not written its name.
    """

    pid: int | None
    host: str
    since: str
    alive: bool | None
    silent_s: float

    @property
    def silent(self) -> bool:
        """Whether the heartbeat has ended: the process is suspended or, where ``flock`` cannot be asked, gone."""
        return self.silent_s >= _SILENT_AFTER_S

    @property
    def works(self) -> bool:
        """Whether a process holds the lock; where that cannot be asked, whether its heartbeat goes on."""
        return not self.silent if self.alive is None else self.alive

    @property
    def may_live(self) -> bool:
        """Whether it cannot be ruled out that a process holds the lock."""
        return self.alive is not False

    @property
    def shown(self) -> str:
        """The holder as messages name it."""
        return "a process that is starting" if self.pid is None else f"process {self.pid} on {self.host}"

    def is_same(self, other: Holder | None) -> bool:
        """Whether both are one process, as far as their names tell."""
        return other is not None and (self.pid, self.host, self.since) == (other.pid, other.host, other.since)


def holder(path: Path, clock: Clock | None = None) -> Holder | None:
    """Return who holds a lock; None if there is no lock, or nobody holds it and nobody left a name.

    Side effects: none that lasts. Where ``flock`` works, a shared lock is taken and dropped at once; a writer that
    starts at that moment tries again.

    Raises
    ------
    PromptrialError
        If something other than a plain file is in the lock's place.
    """
    try:
        with _plain(path), open_regular(path, follow_links=False) as file:
            alive = _is_locked(file.fileno()) if _HAS_FLOCK else None
            beat = os.fstat(file.fileno()).st_mtime
            name = _name(file.read(_LARGEST_TEXT))
    except FileNotFoundError:
        return None
    except OSError:  # it cannot be read: then its heartbeat is all that is known
        return _unreadable(path, clock)
    if name is None and alive is False:
        return None
    pid, host, since = name or (None, "", "")
    return Holder(pid, host, since, alive, _silent_s(beat, clock))


def _unreadable(path: Path, clock: Clock | None) -> Holder | None:
    try:
        return Holder(None, "", "", None, _silent_s(path.lstat().st_mtime, clock))
    except OSError:
        return None


def _silent_s(beat: float, clock: Clock | None) -> float:
    return max(0.0, (clock or SystemClock()).timestamp() - beat)


def _name(text: bytes) -> tuple[int, str, str] | None:
    """Return pid, host and time as a lock file says them; None if it says nothing that can be read."""
    try:
        said = json.loads(text)
        return int(said["pid"]), str(said["host"]), str(said["since"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _is_locked(fd: int) -> bool | None:
    """Whether a process holds the exclusive lock; None if this file system cannot tell."""
    try:
        _try_shared(fd)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False  # closing the file drops the shared lock


@contextmanager
def _plain(path: Path) -> Iterator[None]:
    """Explain that a link or a special file is in place of a lock.

    Raises
    ------
    PromptrialError
    """
    try:
        yield
    except (NotARegularFileError, IsADirectoryError) as error:
        raise PromptrialError(
            f"{path}: {error.strerror}; a lock must be a regular file",
            hint="remove it, then run the same command again",
        ) from error


class RunLock:
    """Held inside a ``with`` block.

    Parameters
    ----------
    path : Path
        The lock file; made if it does not exist. With ``flock`` it is left there afterwards.
    since : str
        The time to show to a second writer.
    clock : Clock, optional
        For the waits: a writer tries for a second before it gives up.
    on_acquired : callable, optional
        Called once the lock is held, before the file names its holder. Requests to the holder come after that.
    stop_command : str, optional
        What a second writer is told to type if it does not want to wait.

    Raises
    ------
    RunLockedError
        If another process still holds it after a second.
    PromptrialError
        If the file system has no locks, or a link or a special file is in the lock's place.
    """

    def __init__(
        self,
        path: Path,
        *,
        since: str,
        clock: Clock | None = None,
        on_acquired: Callable[[], None] = lambda: None,
        stop_command: str = "",
    ) -> None:
        self._on_acquired = on_acquired
        self._stop_command = stop_command
        self._path = path
        self._since = since
        self._clock = clock or SystemClock()
        self._fd: int | None = None
        self._release: Callable[[int], None] = _clear

    def beat(self) -> None:
        """Show that the holder is alive; a file system that refuses is no reason to stop working."""
        if self._fd is not None:
            with suppress(OSError):
                os.utime(self._fd if os.utime in os.supports_fd else self._path)

    def __enter__(self) -> Self:
        atomic.make_folder(self._path.parent)
        if _HAS_FLOCK:
            fd = self._flocked()
        else:
            fd, self._release = self._created(), self._remove
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": self._since})
        try:
            with atomic.naming(self._path):
                os.ftruncate(fd, 0)  # a dead holder's name is never this one's
            self._on_acquired()
            with atomic.naming(self._path):
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
        """Lock the file, trying for a second, and for ten where nobody but looks holds it.

        A lock file that was removed meanwhile, with what it stood for, is no longer a lock: then the new one counts.
        """
        waits_s, waits_beside_looks_s = iter(_TRIES_S), iter(_TRIES_BESIDE_LOOKS_S)
        while True:
            is_look = False
            with _plain(self._path):
                fd = open_to_write(self._path, os.O_RDWR)
            try:
                _try_exclusive(fd)
                if _is_file_at(fd, self._path):
                    return fd
            except BlockingIOError:
                is_look = _is_locked(fd) is False
            except OSError as error:
                os.close(fd)
                raise PromptrialError(f"{self._path}: cannot be locked: {error.strerror}") from error
            os.close(fd)
            wait_s = next(waits_beside_looks_s if is_look else waits_s, None)
            if wait_s is None:
                raise self._refusal()
            self._clock.wait(Event(), wait_s)

    def _created(self) -> int:
        """Create the lock file, trying for a second; a lock without a heartbeat is taken over."""
        for wait_s in (*_TRIES_S, 0.0):
            try:
                return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                by = holder(self._path, self._clock)
            if by is not None and not by.works:
                self._remove_dead(by)
            self._clock.wait(Event(), wait_s)
        raise self._refusal()

    def _remove_dead(self, dead: Holder) -> None:
        """Remove the lock of a dead holder, one process at a time, so that none removes what another has just made.

        A system that does not let go of a file that a process has open (Windows) refuses: then the holder lives.
        """
        guard = self._path.with_name(f"{self._path.name}.takeover")
        try:
            os.close(os.open(guard, os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            with suppress(OSError):
                if _silent_s(guard.stat().st_mtime, self._clock) > _SILENT_AFTER_S:  # its maker died at this very line
                    guard.unlink()
            return
        try:
            by = holder(self._path, self._clock)
            if by is not None and by.is_same(dead) and not by.works:
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
        who = f"pid {by.pid} on {by.host}, since {by.since}" if by is not None and by.pid else "it is starting"
        return RunLockedError(
            f"{self._path.parent}: another process holds this run ({who})",
            hint=f"wait for it to finish, or stop it with: {self._stop_command}"
            if self._stop_command
            else "wait for it",
        )


def _is_file_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


def _try_exclusive(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_shared(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _clear(fd: int) -> None:
    """Take the name out of a lock file and let go of it."""
    os.ftruncate(fd, 0)
    os.close(fd)
