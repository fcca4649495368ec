"""The only durable writes: whole files that appear at once, appended lines, and removals. No format is known here.

A whole file is written beside its target under a temporary name, flushed to the disk, renamed over the target, and
the folder is flushed too, so that a crash leaves the old file or the new one, never a torn one. An appended line is
flushed before ``append`` returns; a crash can tear only the last line, which the reader (``store.jsonl``) cuts off.

Not promised: protection against two writers (``store.lock`` does that) or against a disk that lies about flushing.
Every operation goes through one of the small functions at the end, so that crash tests can stop between any two.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from promptrial.documents.files import open_to_write
from promptrial.errors import PromptrialError

__all__ = [
    "Appender",
    "AtomicFile",
    "make_folder",
    "move",
    "naming",
    "new_folder_beside",
    "publish",
    "remove",
    "set_aside",
    "sweep",
    "truncate",
    "write_bytes",
]

_BUFFER = 1 << 20


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the system name this file: a full disk names none, and a temporary name helps nobody."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


class AtomicFile(io.RawIOBase):
    """A binary file that appears under its name, whole and durable, when the ``with`` block ends without an error.

    Attributes
    ----------
    path : Path
        Where the file will be.
    size : int
        Bytes written so far.

    Side effects: makes the folder; on an error inside the block, removes the temporary file and leaves the target.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._pending = bytearray()  # digested and written in large pieces: rows are small and many
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        make_folder(path.parent)
        with naming(path):
            self._file = _create(self._temporary)

    def writable(self) -> bool:  # noqa: D102 - io.RawIOBase
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # what is written is bytes
        """Append bytes; returns how many."""
        self._pending += data
        self.size += len(data)
        if len(self._pending) >= _BUFFER:
            self._drain()
        return len(data)

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self.size

    def sha256(self) -> str:
        """Return the hex digest of what was written so far."""
        self._drain()
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._commit()
        except BaseException:
            self._discard()
            raise

    def _drain(self) -> None:
        if self._pending:
            self._hash.update(self._pending)
            with naming(self.path):
                self._file.write(self._pending)
            self._pending.clear()

    def _commit(self) -> None:
        self._drain()
        with naming(self.path):
            self._file.flush()
            _fsync(self._file.fileno())
            self._file.close()
            _replace(self._temporary, self.path)
            _fsync_folder(self.path.parent)

    def _discard(self) -> None:
        with suppress(OSError):  # closing flushes what a full disk has refused before
            self._file.close()
        _unlink(self._temporary)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content at once and durably."""
    with AtomicFile(path) as file:
        file.write(data)


class Appender:
    """Appends lines to a file, each durable before ``append`` returns.

    Parameters
    ----------
    path : Path
    durable : bool
        False leaves flushing to the system: for logs, where losing the last lines in a power cut is acceptable.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        make_folder(path.parent)
        self._path = path
        self._durable = durable
        with naming(path):
            self._fd = _open_to_append(path)
        self._close = weakref.finalize(self, os.close, self._fd)
        if durable:  # also for a file that is there: the process that made it may have been killed before this
            _fsync_folder(path.parent)

    def append(self, line: bytes) -> None:
        """Write one line; the newline is added here. A line that does not fit on the disk leaves nothing behind."""
        self.append_lines((line,))

    def append_lines(self, lines: Iterable[bytes]) -> None:
        """Write lines, which are durable together; those that do not fit on the disk leave nothing behind."""
        start = os.fstat(self._fd).st_size
        with naming(self._path):
            try:
                _append(self._fd, b"".join(line + b"\n" for line in lines))
            except BaseException:
                _cut(self._fd, start)
                raise
            if self._durable:
                _fsync(self._fd)

    def close(self) -> None:
        """Close the file; that also happens once nobody holds it."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_folder(path: Path) -> None:
    """Make a folder and its parents, durably.

    Raises
    ------
    PromptrialError
        If a file is where a folder is needed, or the folder may not be made.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        _mkdir(path)
    except OSError as error:
        raise PromptrialError(
            f"{path}: cannot make this folder: {error.strerror}",
            hint="free some space, or make the parent folder writable, then run the same command again",
        ) from error
    _fsync_folder(path.parent)


def new_folder_beside(target: Path) -> Path:
    """Make a folder in which a target is prepared, durably, and return it: hidden, and of a name nobody can predict.

    Whatever is at that name already, a link above all, is an error.
    """
    make_folder(target.parent)
    folder = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    folder.mkdir()
    _fsync_folder(folder.parent)
    return folder


def truncate(path: Path, size: int) -> None:
    """Cut a file to ``size`` bytes, durably."""
    fd = open_to_write(path, os.O_RDWR)
    try:
        _cut(fd, size)
        _fsync(fd)
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """Remove a file, durably; nothing happens if it does not exist."""
    if _unlink(path):
        _fsync_folder(path.parent)


def publish(source: Path, target: Path) -> None:
    """Rename a file whose every line is durable already to its final name, durably."""
    _replace(source, target)
    _fsync_folder(target.parent)


def move(source: Path, target: Path) -> None:
    """Rename a file or a folder into another folder, which is made if need be, durably."""
    make_folder(target.parent)
    _replace(source, target)
    _fsync_folder(target.parent)
    _fsync_folder(source.parent)


def set_aside(path: Path) -> Path:
    """Rename a damaged file to ``<name>.corrupt.<n>`` and return the new path; nothing is ever deleted."""
    number = 1
    while os.path.lexists(target := path.with_name(f"{path.name}.corrupt.{number}")):
        number += 1
    _replace(path, target)
    _fsync_folder(path.parent)
    return target


def sweep(root: Path) -> list[Path]:
    """Remove temporary files that an interrupted write left below ``root``; the caller holds the run's lock."""
    leftovers = sorted(root.rglob(".*.tmp"))
    for path in leftovers:
        remove(path)
    return leftovers


def _create(path: Path) -> BinaryIO:
    """Make a file that did not exist: a link that somebody put there is removed, and not written through."""
    try:
        return path.open("xb", buffering=_BUFFER)
    except FileExistsError:  # left by a process of this number that was killed
        path.unlink()
        return path.open("xb", buffering=_BUFFER)


def _open_to_append(path: Path) -> int:
    return open_to_write(path, os.O_WRONLY | os.O_APPEND)


def _mkdir(path: Path) -> None:
    path.mkdir(exist_ok=True)


def _fsync(fd: int) -> None:
    os.fsync(fd)  # noqa: TID251 - the one place


def _replace(source: Path, target: Path) -> None:
    source.replace(target)


def _append(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:  # a write may be partial when the disk is nearly full
        view = view[os.write(fd, view) :]


def _cut(fd: int, size: int) -> None:
    os.ftruncate(fd, size)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _fsync_folder(path: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder to flush it
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        _fsync(fd)
    finally:
        os.close(fd)
