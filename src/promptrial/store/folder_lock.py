"""A short lock on a folder of runs: two processes that look at what all runs have spent take turns.

With ``fcntl.flock``, which the kernel drops when the holder dies. Where a system has no such lock, nothing is locked:
two processes that decide at the same moment may then both take what is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

from promptrial.documents.files import open_to_write
from promptrial.errors import PromptrialError, UsageError
from promptrial.runtime.clock import Clock
from promptrial.store import atomic

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    _HAS_FLOCK = False
else:
    _HAS_FLOCK = True

__all__ = ["folder_lock", "held"]

NAME: Final = ".spending.lock"
_TRIES: Final = 1200
_BETWEEN_S: Final = 0.05


@contextmanager
def folder_lock(folder: Path, clock: Clock) -> Iterator[None]:
    """Hold the lock of a folder within the block, which should take no longer than a moment.

    Raises
    ------
    PromptrialError
        If another process holds it for a minute.
    """
    if not _HAS_FLOCK:  # pragma: no cover - Windows
        yield
        return
    atomic.make_folder(folder)
    fd = open_to_write(folder / NAME, os.O_RDWR)
    try:
        _acquire(fd, folder / NAME, clock)
        yield
    finally:
        os.close(fd)


@contextmanager
def held(path: Path, taken: str) -> Iterator[None]:
    """Hold a lock of its own file within the block, so that one process at a time does what it stands for.

    Raises
    ------
    UsageError
        If another process holds it; ``taken`` says so.

    Side effects: makes the file, and removes it at the end.
    """
    if not _HAS_FLOCK:  # pragma: no cover - Windows
        yield
        return
    fd = open_to_write(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(taken, hint="end the other process, or name another file") from None
        except OSError:  # a file system without locks
            yield
            return
        yield
        atomic.remove(path)
    finally:
        os.close(fd)


def _acquire(fd: int, path: Path, clock: Clock) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            clock.wait(Event(), _BETWEEN_S)
        except OSError:  # a file system without locks
            return
        else:
            return
    raise PromptrialError(f"{path}: another process has held this lock for a minute", hint="end it, then resume")
