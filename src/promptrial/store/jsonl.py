"""JSON lines on disk: read line by line, report a torn tail. What the lines mean is up to the caller."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from promptrial.documents.files import open_regular, open_unbuffered
from promptrial.store import atomic

__all__ = ["FileDigest", "count", "digest", "lines", "numbered_lines", "repair_tail"]

_CHUNK = 1 << 20
_SMALL = 1 << 16


class FileDigest(NamedTuple):
    """SHA-256 (hex) and size in bytes of a file."""

    sha256: str
    size: int


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file without their newlines, skipping blank ones; one line is held at a time."""
    with open_regular(path) as file:
        for line in file:
            stripped = line.rstrip(b"\r\n")
            if stripped:
                yield stripped


def count(path: Path) -> int:
    """Return the number of lines that are not blank; 0 if the file does not exist."""
    return sum(1 for _ in lines(path)) if path.exists() else 0


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield ``(line number from 1, line)``, skipping blank lines but counting them."""
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            stripped = line.rstrip(b"\r\n")
            if stripped:
                yield number, stripped


def repair_tail(path: Path) -> int:
    """Cut off a last line that has no newline, as a kill during an append leaves it; return the bytes cut.

    Side effects: truncates the file, durably. A file that does not exist is left so.
    """
    if not os.path.lexists(path):
        return 0
    with open_regular(path, follow_links=False) as file:
        end = size = os.fstat(file.fileno()).st_size
        while end > 0:
            start = max(0, end - _CHUNK)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            end = start
        else:
            keep = 0
    if keep < size:
        atomic.truncate(path, keep)
    return size - keep


def digest(path: Path | str, *, follow_links: bool = True) -> FileDigest:
    """Return the SHA-256 and the size of a regular file: in chunks, but a small one whole: there may be thousands."""
    with open_unbuffered(path, follow_links=follow_links) as file:
        if os.fstat(file.fileno()).st_size <= _SMALL:
            data = file.readall()
            return FileDigest(hashlib.sha256(data).hexdigest(), len(data))
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return FileDigest(sha256, file.tell())
