"""What a disk may hold after the power failed: a model of which bytes and names were flushed, and the states it allows.

A run is watched from inside: the tree is read at every point of ``crash_points``, and ``os.fsync`` tells what was
flushed. POSIX promises no more than that: the content of a file is safe once the file was flushed, and a name (a
creation, a renaming, a removal) once its folder was. Everything else may be lost or kept, in any combination; of bytes
that were not flushed any part may be there, and the rest be missing or read as zeros.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from tests.support import crash_points
from tests.support.crash_points import Moment
from tests.support.crash_vendor import Ledger

ROOT: Final = "experiments"
_SEED: Final = 20_260_131
_TICK_NS: Final = 50_000_000
"""Within one tick of the file system's clock a file can change without a new time."""

Tree = dict[str, bytes | None]
"""Paths below the watched folder: the content of a file, or None for a folder."""
_Keep = Callable[[], bool]
_Content = Callable[[bytes, bytes], bytes]


class DiskState(NamedTuple):
    """What may be found after a power failure: at which point, which choice, the tree, and the ledger's lengths."""

    name: str
    tree: Tree
    ledger: tuple[int, ...]


@dataclass
class Watched:
    """What was seen of a run: how many operations, the states that each may leave, and what was wrong at once.

    Wrong at once is a file that changed between two operations, behind the back of the durable module, and a write
    that returned before it was flushed. The text of the lock, temporary files and the log may be so.
    """

    states: list[DiskState] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    points: int = 0


@dataclass
class PowerLoss:
    """The model. ``begin`` watches this process from now on; ``seen`` fills up as it works."""

    seen: Watched = field(default_factory=Watched)
    _entries: dict[str, dict[str, int]] = field(default_factory=lambda: {"": {}})
    _contents: dict[int, bytes] = field(default_factory=dict)
    _safe_entries: dict[str, dict[str, int]] = field(default_factory=lambda: {"": {}})
    _safe_contents: dict[int, bytes] = field(default_factory=dict)
    _unsafe_names: dict[str, list[dict[str, int | None]]] = field(default_factory=dict)
    _signs: dict[int, tuple[int, int]] = field(default_factory=dict)
    _held: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """Watch this process; what is on the disk already is taken for flushed."""
        self._look()
        self._safe_entries = {path: dict(names) for path, names in self._entries.items()}
        self._safe_contents = dict(self._contents)
        self._unsafe_names.clear()
        fsync = os.fsync

        def flushed(fd: int) -> None:
            fsync(fd)
            self._flushed(os.fstat(fd))

        os.fsync = flushed  # type: ignore[assignment]
        crash_points.instrument(self._at)
        crash_points.on_return(self._check_flushed)

    def _at(self, moment: Moment, name: str, _arguments: tuple[Any, ...]) -> None:
        changed = self._look()
        if moment == "before":
            self.seen.problems += [
                f"{path} changed without the durable module, before {name.lstrip('_')}"
                for path in changed
                if not _may_change(path)
            ]
        if moment == "after":
            self.seen.points += 1
            self._add_states(f"{name.lstrip('_')} {', '.join(changed)} (operation {self.seen.points})")

    def _check_flushed(self, name: str) -> None:
        self._look()
        unsafe = [
            f"{folder}/{entry}"
            for folder, differences in self._unsafe_names.items()
            for entry in {entry for difference in differences for entry in difference}
        ]
        unsafe += [
            f"{folder}/{entry}"
            for folder, names in self._entries.items()
            for entry, number in names.items()
            if self._contents.get(number, b"") != self._safe_contents.get(number, b"")
        ]
        self.seen.problems += [f"{name} returned before {path} was flushed" for path in unsafe if not _may_change(path)]

    # --- watching ---------------------------------------------------------------------------------------------------

    def _look(self) -> list[str]:
        """Read the tree; return the paths that changed since the last look."""
        seen: dict[str, dict[str, int]] = {"": {}}
        changed: list[str] = []
        if Path(ROOT).is_dir():
            seen[""][ROOT] = Path(ROOT).stat().st_ino
            self._read(ROOT, seen, changed)
        for folder, names in seen.items():
            before = self._entries.get(folder, {})
            difference = {name: names.get(name) for name in names.keys() | before.keys()
                          if names.get(name) != before.get(name)}  # fmt: skip
            if difference:
                self._unsafe_names.setdefault(folder, []).append(difference)
                changed += [f"{folder}/{name}" for name in difference]
        self._entries = seen
        return sorted(set(changed))

    def _read(self, folder: str, seen: dict[str, dict[str, int]], changed: list[str]) -> None:
        names = seen[folder] = {}
        with os.scandir(folder) as found:
            for entry in found:
                number = names[entry.name] = entry.inode()
                if entry.is_dir():
                    self._read(entry.path, seen, changed)
                    continue
                known = entry.stat()
                sign = (known.st_size, known.st_mtime_ns)
                if self._signs.get(number) == sign and time.time_ns() - known.st_mtime_ns > _TICK_NS:
                    continue
                content = Path(entry.path).read_bytes()
                if number not in self._contents:  # held open, so that no later file gets the same number
                    self._held.append(os.open(entry.path, os.O_RDONLY))
                elif content != self._contents[number]:
                    changed.append(entry.path)
                self._contents[number] = content
                self._signs[number] = sign

    def _flushed(self, what: os.stat_result) -> None:
        self._look()
        if not stat.S_ISDIR(what.st_mode):
            self._safe_contents[what.st_ino] = self._contents[what.st_ino]
            return
        folder = next((path for path in self._entries if (Path(path or ".").stat().st_ino == what.st_ino)), None)
        if folder is not None:
            self._safe_entries[folder] = dict(self._entries[folder])
            self._unsafe_names.pop(folder, None)

    # --- what may be left -------------------------------------------------------------------------------------------

    def _add_states(self, point: str) -> None:
        ledger = Ledger.read(Path()).lengths
        for choice, keep, content in _choices(self.seen.points):
            self.seen.states.append(DiskState(f"{choice} after {point}", self._tree(keep, content), ledger))

    def _tree(self, keep: _Keep, content: _Content) -> Tree:
        tree: Tree = {}
        self._grow(tree, "", keep, content)
        return tree

    def _grow(self, tree: Tree, folder: str, keep: _Keep, content: _Content) -> None:
        names: dict[str, int | None] = dict(self._safe_entries.get(folder, {}))
        for difference in self._unsafe_names.get(folder, []):
            if keep():
                names |= difference
        for name, number in sorted(names.items()):
            path = f"{folder}/{name}" if folder else name
            if number is None:
                continue
            if number in self._contents:
                tree[path] = content(self._safe_contents.get(number, b""), self._contents[number])
            else:
                tree[path] = None
                self._grow(tree, path, keep, content)


def write_tree(tree: Tree, folder: Path) -> None:
    """Put a tree on the real disk."""
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


def _may_change(path: str) -> bool:
    name = Path(path).name
    return name in (".state.lock", "run.log") or name.endswith(".tmp")


def _choices(seed: int) -> Iterator[tuple[str, _Keep, _Content]]:
    """Yield ways for a disk to fail: which of the unflushed names are kept, and what becomes of unflushed bytes.

    A content is chosen from the flushed bytes and those that were written.
    """
    generator = np.random.default_rng((_SEED, seed))

    def some_bytes(safe: bytes, written: bytes) -> bytes:
        contents = (_all, _none, _half, _zeros)
        return contents[int(generator.integers(len(contents)))](safe, written)

    yield "all lost", lambda: False, _none
    yield "all kept", lambda: True, _all
    yield "names kept, bytes lost", lambda: True, _none
    yield "names kept, bytes torn", lambda: True, _half
    yield "names lost, bytes kept", lambda: False, _all
    yield "some lost", lambda: bool(generator.integers(2)), some_bytes
    yield "some others lost", lambda: bool(generator.integers(2)), some_bytes


def _all(_safe: bytes, written: bytes) -> bytes:
    return written


def _none(safe: bytes, _written: bytes) -> bytes:
    return safe


def _half(safe: bytes, written: bytes) -> bytes:
    kept = len(safe) if written.startswith(safe) else 0
    return written[: kept + (len(written) - kept) // 2]


def _zeros(safe: bytes, written: bytes) -> bytes:
    kept = len(safe) if written.startswith(safe) else 0
    return written[:kept] + bytes(len(written) - kept)
