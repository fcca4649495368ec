"""Where a command may write a file that a person asked for: a new one, outside of the run that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.errors import UsageError

if TYPE_CHECKING:
    from promptrial.store.rundir import RunDir

__all__ = ["free_path"]


def free_path(path: Path, run: RunDir) -> Path:
    """Return a path that may be written: a new file outside of the run, in a folder that is there.

    Raises
    ------
    UsageError
        If there is something already, no such folder, or the run would change.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} already exists", hint="name another file with --out FILE")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint=f"create it: mkdir -p {path.parent}")
    if path.resolve().is_relative_to(run.root.resolve()):
        raise UsageError(
            f"{path} is inside the run, which must not change", hint="name a file elsewhere with --out FILE"
        )
    return path
