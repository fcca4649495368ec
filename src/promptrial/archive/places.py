"""Where an archive is kept on this machine, distinguished in ``addresses``. What it holds is not judged here.

A place is a folder of files or one packed file. A write that is interrupted leaves nothing under the final name: here
by renaming at the end, elsewhere (``remote``) by writing the manifest last.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from promptrial.archive.contents import Content
from promptrial.archive.manifest import DIGEST, MANIFEST
from promptrial.archive.packing import CHUNK, Member, pack, unpack
from promptrial.documents.files import open_regular
from promptrial.errors import CorruptRecordError
from promptrial.store import atomic

__all__ = ["LocalFolder", "PackedFile", "Place"]


class Place(Protocol):
    """Where an archive is, or will be."""

    shown: str
    """How it is named in messages: without the key that an address may hold."""

    def occupied(self, ours: Collection[str]) -> bool:
        """Return whether something is there that is not the rest of an interrupted write of these paths."""

    def write(self, top: str, contents: Iterable[Content]) -> None:
        """Write an archive: the manifest comes first, and ``top`` is the folder that a packed one unpacks to."""

    def members(self) -> Iterator[Member]:
        """Yield the files of the archive, the manifest first, then its digest.

        Raises
        ------
        CorruptRecordError
            For what cannot be read; from the bytes of a member, if the ones after it may still be readable.
        """

    def withdraw(self) -> str:
        """Take what was written wrong away from its name; return what became of it, as part of a sentence."""


class PackedFile:
    """One ``.tar.zst`` file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)

    def occupied(self, _ours: Collection[str]) -> bool:  # noqa: D102 - Place
        return os.path.lexists(self.path)

    def write(self, top: str, contents: Iterable[Content]) -> None:  # noqa: D102 - Place
        _sweep(self.path)
        with atomic.AtomicFile(self.path) as file:
            pack(top, contents, file)

    def members(self) -> Iterator[Member]:  # noqa: D102 - Place
        with open_regular(self.path) as file:
            yield from unpack(file, self.shown)

    def withdraw(self) -> str:  # noqa: D102 - Place
        return f"renamed to {atomic.set_aside(self.path)}"


class LocalFolder:
    """A tree of files in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)

    def occupied(self, _ours: Collection[str]) -> bool:  # noqa: D102 - Place
        return os.path.lexists(self.path) and (not self.path.is_dir() or any(self.path.iterdir()))

    def write(self, _top: str, contents: Iterable[Content]) -> None:  # noqa: D102 - Place
        target = self.path.absolute()  # that has a name also if the folder is the current one
        _sweep(target)
        staging = atomic.new_folder_beside(target)
        try:
            for content in contents:
                with content.open() as source, atomic.AtomicFile(staging / content.path) as file:
                    shutil.copyfileobj(source, file, CHUNK)
            atomic.publish(staging, target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def members(self) -> Iterator[Member]:  # noqa: D102 - Place
        there = [MANIFEST, DIGEST, *sorted({*self._paths()} - {MANIFEST, DIGEST})]
        for path in there:
            if os.path.lexists(self.path / path):
                yield Member(path, _file_chunks(self.path / path))

    def withdraw(self) -> str:  # noqa: D102 - Place
        return f"renamed to {atomic.set_aside(self.path)}"

    def _paths(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.path):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            below = Path(folder).relative_to(self.path).as_posix()
            yield from (name if below == "." else f"{below}/{name}" for name in (*files, *links))


def _file_chunks(path: Path) -> Iterator[bytes]:
    if path.is_symlink() or not path.is_file():
        raise CorruptRecordError(f"{path}: a link or special file")
    try:
        with open_regular(path, follow_links=False) as file:
            yield from iter(_reader(file.read), b"")
    except OSError as error:  # a bad block of the disk is damage like any other
        raise CorruptRecordError(f"{path}: {error.strerror}") from error


def _reader(read: Callable[[int], bytes]) -> Callable[[], bytes]:
    return lambda: read(CHUNK)


def _sweep(target: Path) -> None:
    """Remove what an interrupted write to this name left; the lock of the run keeps another one from writing it now."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            atomic.remove(path)
