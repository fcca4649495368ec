"""Temporary folders in memory, where flushing takes no time.

A small run flushes files and folders some two hundred times, and on a disk each flush takes milliseconds. Whether
everything is flushed is seen by ``crash/test_power_loss``, which counts calls and does not rely on a disk.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["keep_temporary_files_in_memory", "memory_folder"]

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - tests make folders of their own in it
_NEEDED: Final = 2**31
"""Free bytes; the suite uses a third of it."""


def keep_temporary_files_in_memory() -> None:
    """Make temporary folders in memory, here and in programs started from here, unless ``TMPDIR`` says otherwise."""
    folder = memory_folder()
    if folder is not None:
        os.environ.setdefault("TMPDIR", str(folder))
        tempfile.tempdir = None  # so that it is decided again


def memory_folder(folder: Path = _MEMORY, needed: int = _NEEDED) -> Path | None:
    """Return the folder if it has room and programs in it may be executed."""
    if not os.access(folder, os.W_OK):
        return None
    found = os.statvfs(folder)
    return folder if found.f_bavail * found.f_frsize >= needed and not found.f_flag & os.ST_NOEXEC else None
