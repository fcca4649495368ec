"""Digests of files that need not be computed again: kept with what the file system says about each file.

A file counts as the one that was digested if its size, inode and both times of change are the same, and if it had not
changed for two seconds when it was digested: some file systems keep times to the second, and a change right after the
digest could not be recognised. What is kept here is never more than a shortcut: without it every digest is computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from promptrial.documents.files import path_problem, read_bytes
from promptrial.runtime.clock import SystemClock
from promptrial.store import atomic, jsonl

__all__ = ["FILE", "KnownDigests", "Stat", "stat_of"]

FILE: Final = ".known_digests.json"
_SETTLED_S: Final = 2.0
_WORTH_BYTES: Final = 32 << 20
"""Digests of less than that are computed sooner than they are looked up and kept."""
_OPENING: Final = 1 << 14
"""Opening a file takes as long as digesting so many bytes."""


class Stat(NamedTuple):
    """What the file system says about a file, by which one that is unchanged is known."""

    size: int
    inode: int
    modified_ns: int
    changed_ns: int

    def settled_at(self, timestamp: float) -> bool:
        """Whether the file had not changed for two seconds then, so that a later change can be recognised."""
        return max(self.modified_ns, self.changed_ns) / 1e9 + _SETTLED_S <= timestamp


class _Known(NamedTuple):
    stat: Stat
    sha256: str


class _File(msgspec.Struct, frozen=True):
    schema_version: int
    files: dict[str, _Known]


class KnownDigests:
    """The digests of the files below a folder, each computed once as long as the file stays as it is."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, _Known] = {}
        self._settled: dict[str, _Known] = {}
        self._kept: dict[str, _Known] = {}

    def sha256(self, path: Path | str, found: os.stat_result | None = None) -> str:
        """Return the SHA-256 (hex) of a regular file; ``found`` is what the system says about it now, if asked."""
        text = str(path)
        stat = stat_of(text) if found is None else _stat(found)
        known = self._seen.get(text)
        if known is None or known.stat != stat:
            began = SystemClock().timestamp()
            known = _Known(stat, jsonl.digest(text, follow_links=False).sha256)
            self._seen[text] = known
            self._settled.pop(text, None)
            if stat.settled_at(began):
                self._settled[text] = known
        return known.sha256

    def is_known(self, path: str, size: int, sha256: str) -> bool:
        """Whether a file is known to be of this size and digest without reading it."""
        known = self._seen.get(path)
        if known is None or (known.stat.size, known.sha256) != (size, sha256):
            return False
        try:
            return stat_of(path) == known.stat  # of the same inode, and so a regular file as it was
        except OSError:
            return False

    def trust_kept(self) -> None:
        """Take over the digests that were kept, where this process has computed none."""
        with suppress(OSError, ValueError, RecursionError):
            found = msgspec.json.decode(read_bytes(self._root / FILE, follow_links=False), type=_File)
            self._kept = dict(_below(self._root, found.files)) if found.schema_version == 1 else {}
        self._settled = self._kept | self._settled
        self._seen = self._kept | self._seen

    def keep(self) -> None:
        """Write down the digests of files that had not changed for a while, if that saves any time."""
        if self._settled == self._kept:
            return
        if sum(known.stat.size + _OPENING for known in self._settled.values()) < _WORTH_BYTES:
            return
        files = {Path(path).relative_to(self._root).as_posix(): each for path, each in sorted(self._settled.items())}
        atomic.write_bytes(self._root / FILE, msgspec.json.encode(_File(1, files)) + b"\n")
        self._kept = dict(self._settled)


def _below(root: Path, files: Mapping[str, _Known]) -> Iterator[tuple[str, _Known]]:
    start = f"{root}{os.sep}"  # as text: there may be thousands
    return ((start + relative, known) for relative, known in files.items() if not path_problem(relative))


def stat_of(path: str, *, follow_links: bool = False) -> Stat:
    """Return what the file system says about a file; of what a link leads to only if links are followed."""
    return _stat(os.stat(path, follow_symlinks=follow_links))  # noqa: PTH116 - as text: there may be thousands


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
