"""Opening a file: a regular file, or an error at once. Durable writes live in ``store.atomic``.

A path may come from a configuration, a record or an archive, and name a FIFO, a socket or a device. Opening a FIFO
waits for a writer, and reading a device may never end. So everything that is read is opened here. A file that is
written in place (a lock, a log, a journal) is opened here too: writing through a link would change a file elsewhere.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

__all__ = [
    "FileTooLargeError",
    "NotARegularFileError",
    "check_regular",
    "name_problem",
    "open_csv",
    "open_regular",
    "open_to_write",
    "open_unbuffered",
    "path_problem",
    "read_bytes",
    "read_text",
]

_CHUNK: Final = 1 << 20
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
_KINDS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_ODD_LETTERS: Final = re.compile(r"[\\\0-\x1f\x7f]")
_DRIVE: Final = re.compile("[A-Za-z]:")


class NotARegularFileError(OSError):
    """A FIFO, a socket, a device or an unwanted link is where a file is expected."""


class FileTooLargeError(OSError):
    """A file is larger than the reader accepts."""


def open_regular(path: Path | str, *, follow_links: bool = True) -> io.BufferedReader:
    """Open a regular file for reading bytes, without ever waiting for it.

    Raises
    ------
    OSError
        As ``open_unbuffered``.
    """
    return io.BufferedReader(open_unbuffered(path, follow_links=follow_links), _CHUNK)


def open_unbuffered(path: Path | str, *, follow_links: bool = True) -> io.FileIO:
    """Open a regular file for reading bytes, without ever waiting for it; each ``read`` asks the system.

    Parameters
    ----------
    path : Path
    follow_links : bool
        False refuses a symbolic link at the end of the path.

    Raises
    ------
    FileNotFoundError, PermissionError
        As ``open`` does.
    IsADirectoryError
        If it is a folder.
    NotARegularFileError
        If it is anything else than a regular file.
    """
    _check_kind(os.stat(path, follow_symlinks=follow_links).st_mode, path)  # noqa: PTH116 - opening some devices has effects
    try:
        fd = os.open(path, _FLAGS | (0 if follow_links else _NO_LINKS))
    except OSError as error:
        if error.errno == errno.ELOOP and not follow_links:
            raise _linked(path) from None
        raise
    try:
        _check_kind(os.fstat(fd).st_mode, path)
        return io.FileIO(fd)
    except BaseException:
        os.close(fd)
        raise


def open_csv(path: Path) -> TextIO:
    """Open a regular file of UTF-8 for the ``csv`` module, which wants the ends of lines as they are.

    Raises
    ------
    OSError
        As ``open_regular``.
    """
    return io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="")


def check_regular(path: Path | str) -> os.stat_result:
    """Return what the system says about a path that is a regular file itself, and not a link to one.

    Raises
    ------
    IsADirectoryError, NotARegularFileError
        If something else than a regular file is there.
    FileNotFoundError
        If nothing does.
    """
    found = os.lstat(path)
    _check_kind(found.st_mode, path)
    return found


def open_to_write(path: Path, flags: int) -> int:
    """Open a regular file to write in place, and make it if it does not exist; never through a link.

    Parameters
    ----------
    path : Path
    flags : int
        Flags of ``os.open``, for example ``os.O_WRONLY | os.O_APPEND``; ``O_CREAT`` is added.

    Returns
    -------
    int
        The file descriptor.

    Raises
    ------
    IsADirectoryError, NotARegularFileError
        If something else than a regular file is there.
    OSError
        As ``os.open``.
    """
    with suppress(FileNotFoundError):
        check_regular(path)  # opening a FIFO to write waits for a reader
    try:
        fd = os.open(path, flags | os.O_CREAT | _FLAGS | _NO_LINKS, 0o644)
    except OSError as error:
        raise _linked(path) if error.errno == errno.ELOOP else error from None
    try:
        _check_kind(os.fstat(fd).st_mode, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_bytes(path: Path, limit: int | None = None, *, follow_links: bool = True) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : Path
    limit : int, optional
        The most bytes to accept.
    follow_links : bool

    Raises
    ------
    FileTooLargeError
        If it has more than ``limit`` bytes; no more than that is read.
    OSError
        As ``open_regular``.
    """
    with open_regular(path, follow_links=follow_links) as file:
        data = file.read() if limit is None else file.read(limit + 1)
    if limit is not None and len(data) > limit:
        raise FileTooLargeError(errno.EINVAL, f"larger than {limit:,} bytes", str(path))
    return data


def read_text(path: Path, limit: int | None = None, encoding: str = "utf-8-sig") -> str:
    r"""Return the text of a regular file; every end of a line becomes ``\n``, and a byte-order mark is dropped.

    Raises
    ------
    UnicodeDecodeError
        If it is not text in this encoding.
    OSError
        As ``read_bytes``.
    """
    return io.TextIOWrapper(io.BytesIO(read_bytes(path, limit)), encoding=encoding).read()


def path_problem(path: str) -> str:
    """Return why a path of a record or an archive must not be used: it leads elsewhere, or not on every system.

    A good one is relative, has forward slashes, and stays below the folder that it starts from; then this is empty.
    """
    if _PLAIN_PATH.fullmatch(path) and ".." not in path and "./" not in path:
        return ""
    if any(step in {"", ".", ".."} for step in path.split("/")):
        return "a name that leads out of its folder"
    if _ODD_LETTERS.search(path) or _DRIVE.match(path):
        return "a name with a backslash, a drive or a control character"
    if not path.isascii() and path.encode(errors="replace").decode() != path:
        return "a name that is not UTF-8"
    return ""


def name_problem(name: str) -> str:
    """Return why a name must not become a file or a folder; empty if it may."""
    return "a name with a slash" if "/" in name else path_problem(name)


def _linked(path: Path | str) -> NotARegularFileError:
    """Return the error for a link that was put there a moment ago: after its kind was checked."""
    return NotARegularFileError(errno.ELOOP, "a link, not a regular file", str(path))


def _check_kind(mode: int, path: Path | str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a special file")
        raise NotARegularFileError(errno.EINVAL, f"{kind}, not a regular file", str(path))
