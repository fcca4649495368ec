"""Files that a person will change, such as a new configuration: written where none is, all of them or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from promptrial.errors import UsageError
from promptrial.store import atomic

__all__ = ["check_new", "write_new"]


def check_new(folder: Path, names: Iterable[PurePosixPath]) -> None:
    """Refuse files that exist already.

    Raises
    ------
    UsageError
        Naming each of them, and a file that is where a folder is needed.
    """
    blocking = [path for path in (folder, *folder.parents) if os.path.lexists(path) and not path.is_dir()]
    if blocking:
        raise UsageError(f"{blocking[0]}: a file, not a folder", hint="choose another folder")
    taken = [folder / name for name in names if os.path.lexists(folder / name)]
    if taken:
        verb = "exists" if len(taken) == 1 else "exist"
        raise UsageError(
            f"{', '.join(map(str, taken))} {verb} already, and files are never replaced",
            hint="choose another folder, or move the existing files",
        )


def write_new(folder: Path, files: Mapping[PurePosixPath, bytes]) -> None:
    """Write files below a folder, each whole and durable; the last one is the one that makes use of the others.

    A folder that does not exist appears with all its files at once. In one that exists they appear one after the other:
    an error removes those that were written, and a kill leaves some of them, but the last one only if all are there.

    Raises
    ------
    UsageError
        If any of them exists; nothing is written then.

    Side effects: makes the folder.
    """
    check_new(folder, files)
    if os.path.lexists(folder):
        _write_beside_others(folder, files)
        return
    prepared = atomic.new_folder_beside(folder)
    try:
        for name, data in files.items():
            atomic.write_bytes(prepared / name, data)
        atomic.move(prepared, folder)
    except BaseException:
        shutil.rmtree(prepared, ignore_errors=True)
        raise


def _write_beside_others(folder: Path, files: Mapping[PurePosixPath, bytes]) -> None:
    written: list[Path] = []
    try:
        for name, data in files.items():
            atomic.write_bytes(folder / name, data)
            written.append(folder / name)
    except BaseException:
        for path in reversed(written):
            with suppress(OSError):
                atomic.remove(path)
        raise
