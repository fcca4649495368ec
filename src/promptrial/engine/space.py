"""Whether the disk has room for what a phase is about to write. Looks, and writes nothing.

How much that is can only be estimated, from the size of what the phase reads; too little room is found here, before
hours of work, and not in the middle of a file. A disk that fills up anyway loses nothing: see ``store.atomic``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from promptrial import registry
from promptrial.engine.facts import artifacts_of
from promptrial.errors import DiskSpaceError
from promptrial.model.units import Unit
from promptrial.phases.base import Phase
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec

__all__ = ["check_space"]

_FLOOR: Final = 4 << 20
"""Bytes that any phase needs: state, manifests, log."""
_UNITS: Final = ((1e9, "GB"), (1e6, "MB"))


def check_space(spec: RunSpec, services: Services, phase: Phase, unit: Unit) -> None:
    """Refuse to begin a phase that would fill the disk.

    Raises
    ------
    DiskSpaceError
        Naming the folder, what is needed and what is free.
    """
    needed, free = _FLOOR + phase.space(spec, _bytes_read(spec, services, phase, unit)), _free(spec.run.root)
    if needed > free:
        raise DiskSpaceError(
            f"{spec.run.root}: {phase.name} needs about {_shown(needed)}, and the disk has only {_shown(free)} free",
            hint=f"free some space, then run: {spec.run.resume_command}",
        )


def _bytes_read(spec: RunSpec, services: Services, phase: Phase, unit: Unit) -> int:
    """Return the size of the artifacts of the phases that a phase reads."""
    read = [artifacts_of(spec, services, registry.load("phase", name), unit) for name in phase.reads]
    return sum(file.size for files in read for file in files.values())


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(os.fspath(folder)).free


def _shown(size: int) -> str:
    return next(f"{size / unit:,.1f} {name}" for unit, name in _UNITS if size >= unit or name == "MB")
