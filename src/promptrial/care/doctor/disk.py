"""How much of the disk a run takes, by trial and phase, and how much is free. Looks at sizes alone."""

from __future__ import annotations

import shutil
from collections import defaultdict
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Final

from promptrial import registry
from promptrial.care.doctor.document import DiskUse
from promptrial.care.doctor.sight import Sight
from promptrial.engine.facts import phases

__all__ = ["disk_use", "free_bytes", "size_text"]

_UNITS: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_ORDER: Final = (*registry.PHASES, "records", "set aside")


def disk_use(sight: Sight) -> tuple[DiskUse, ...]:
    """Return what the files of each trial and phase take, the whole run's first."""
    root = sight.run.root
    made_by = _made_by(sight)
    found: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    for path in root.rglob("*"):
        with suppress(OSError):  # it may be gone again: a process may be at work
            if path.is_file() and not path.is_symlink():
                relative = path.relative_to(root)
                key = _trial(root, relative), _phase(relative, made_by)
                found[key].append(path.stat().st_size)
    ordered = sorted(found.items(), key=lambda entry: (entry[0][0] or "", _ORDER.index(entry[0][1])))
    return tuple(
        DiskUse(trial=trial, phase=phase, files=len(sizes), bytes=sum(sizes)) for (trial, phase), sizes in ordered
    )


def free_bytes(sight: Sight) -> int:
    """Return how much room the disk of a run has left, in bytes."""
    return shutil.disk_usage(sight.run.root).free


def size_text(size: int) -> str:
    """Return a size as people read it: ``1.2 MB``.

    Examples
    --------
    >>> size_text(999), size_text(1_234_567)
    ('999 B', '1.2 MB')
    """
    unit, name = next(((unit, name) for unit, name in _UNITS if size >= unit), (1, "B"))
    return f"{size / unit:,.1f} {name}" if unit > 1 else f"{size} B"


def _made_by(sight: Sight) -> dict[str, str]:
    """Return which phase made each file that a receipt of a trial names."""
    phase_of = {phase.stage: phase.name for phase in phases() if phase.stage}
    return {
        path: phase_of[stage]
        for manifest in sight.manifests.values()
        for stage, known in manifest.stage_status.items()
        if stage in phase_of
        for path in known.artifacts
    }


def _folders() -> dict[str, str]:
    """Return the folders of the whole run, and the phase that makes each."""
    found = ((PurePath(phase.manifest).parent.name, phase.name) for phase in phases())
    return {folder: phase for folder, phase in found if folder}


def _trial(root: Path, relative: Path) -> str | None:
    first = relative.parts[0]
    if first in _folders():
        return relative.parts[1] if len(relative.parts) > 2 else None
    return first if (root / first / "results").is_dir() else None


def _phase(relative: Path, made_by: dict[str, str]) -> str:
    name, path, folders = relative.name, relative.as_posix(), _folders()
    if ".corrupt." in name or ".backup." in name or {"older", "set_aside"} & {*relative.parts[:-1]}:
        return "set aside"
    if path in made_by:
        return made_by[path]
    if relative.parts[0] in folders:
        return folders[relative.parts[0]]
    matching = (phase.name for phase in phases() if any(fnmatchcase(path, pattern) for pattern in phase.files))
    return next(matching, "records")
