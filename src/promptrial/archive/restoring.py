"""Make a run again from an archive: verified first, unpacked beside its place, and there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.archive.manifest import OWN_FILES, ArchivedFile, ArchiveManifest
from promptrial.archive.packing import Member
from promptrial.archive.places import Place
from promptrial.archive.reading import verify
from promptrial.errors import CorruptRecordError, DiskSpaceError, RunLockedError, UsageError
from promptrial.runtime.clock import Clock
from promptrial.store import atomic, records
from promptrial.store.lock import RunLock
from promptrial.store.records import RunState, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["Restored", "restore"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Restored:
    """A run that was made from an archive."""

    run: RunDir
    manifest: ArchiveManifest
    manifest_sha256: str


def restore(
    place: Place, experiments: Path, run_id: str | None, clock: Clock, each: Callable[[], None] = lambda: None
) -> Restored:
    """Make ``experiments/run_<RID>`` from an archive, under its own id or another; ``each`` is called before each file.

    Raises
    ------
    CorruptRecordError
        If the archive is not as its manifest has it; nothing is written then.
    UsageError
        If there is such a run already.
    RunLockedError
        If another process restores it at this moment.
    DiskSpaceError
        If the disk has no room for it.

    Side effects: unpacks into a hidden folder beside the run's, and renames that at the end; the run's lock is held.
    """
    seen = verify(place, each)
    if seen.differences:
        raise CorruptRecordError(
            f"{place.shown}: not as its manifest has it: {'; '.join(map(str, seen.differences[:_SHOWN]))}",
            hint=f"see all of it: promptrial verify {place.shown}",
        )
    run = RunDir(experiments, run_id or seen.manifest.run_id)
    if os.path.lexists(run.root):
        raise UsageError(
            f"{run.root} exists already",
            hint=f"restore it under another name: promptrial unarchive {place.shown} --run_id NEW",
        )
    staging = run.root.with_name(f".{run.root.name}.tmp")
    try:
        with RunLock(staging / run.lock_path.name, since=clock.now(), clock=clock):
            _fill(staging, run, place, seen.manifest, each)
    except RunLockedError as error:
        raise RunLockedError(
            f"{run.root}: another process restores this run", hint="wait for it, then look at what it made"
        ) from error
    return Restored(run, seen.manifest, seen.manifest_sha256)


def _fill(staging: Path, run: RunDir, place: Place, manifest: ArchiveManifest, each: Callable[[], None]) -> None:
    try:
        _clear(staging, keep=run.lock_path.name)  # a process that was killed may have left something
        _check_room(staging, manifest.size)
        _unpack(place, staging, manifest, each)
        if run.run_id != manifest.run_id:
            _rename(staging, run.run_id)
        atomic.publish(staging, run.root)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _clear(folder: Path, keep: str) -> None:
    for path in folder.iterdir():
        if path.name != keep:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else atomic.remove(path)


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskSpaceError(
            f"{folder.parent}: the run needs {needed:,} bytes, and the disk has {free:,} left",
            hint="free some space, or choose another folder with --to",
        )


def _unpack(place: Place, folder: Path, manifest: ArchiveManifest, each: Callable[[], None]) -> None:
    """Write the files of the run, each exactly as the manifest has it, and leave out what is the archive's own."""
    wanted = {file.path: file for file in manifest.files if file.path not in OWN_FILES}
    for member in place.members():
        each()
        if member.path not in OWN_FILES:
            file = wanted.pop(member.path, None)
            if file is None:
                raise _changed(place, member.path)
            _write(place, folder / member.path, member, file)
    if wanted:
        raise _changed(place, min(wanted))


def _write(place: Place, path: Path, member: Member, file: ArchivedFile) -> None:
    with atomic.AtomicFile(path) as out:
        for chunk in member.chunks:
            if out.size + len(chunk) > file.size:
                raise _changed(place, file.path)
            out.write(chunk)
        if (out.size, out.sha256()) != (file.size, file.sha256):
            raise _changed(place, file.path)


def _changed(place: Place, path: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"{place.shown}: {path} has changed since it was verified a moment ago",
        hint=f"look again: promptrial verify {place.shown}",
    )


def _rename(folder: Path, run_id: str) -> None:
    """Put another id into the records of a run; its reports keep the name under which they were written."""
    path = folder / "run_state.json"
    if path.exists():
        state = records.load(path, RunState)
        state.run_id = run_id
        records.save(path, state)
    for path in sorted(folder.glob("*/results/trial_manifest.json")):
        manifest = records.load(path, TrialManifest)
        manifest.run_id = run_id
        records.save(path, manifest)
