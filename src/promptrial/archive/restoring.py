"""Make a run again from an archive: verified first, unpacked beside its place, and there whole or not at all.

It is unpacked into a folder that is made for it, under a name that nobody can predict. What belongs to a process and
not to a run (a lock, a request to stop) is not taken from an archive.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from promptrial.archive.contents import LEFT_OUT
from promptrial.archive.manifest import OWN_FILES, ArchivedFile, ArchiveManifest
from promptrial.archive.packing import Member
from promptrial.archive.places import Place
from promptrial.archive.reading import verify
from promptrial.errors import CorruptRecordError, DiskSpaceError, PromptrialError, RunLockedError, UsageError
from promptrial.runtime.clock import Clock
from promptrial.store import atomic, records
from promptrial.store.lock import RunLock
from promptrial.store.records import Origin, RunState, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["Restored", "restore"]

_SHOWN: Final = 5
_Record = TypeVar("_Record", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Restored:
    """A run that was made from an archive."""

    run: RunDir
    manifest: ArchiveManifest
    manifest_sha256: str


def restore(place: Place, experiments: Path, run_id: str | None, clock: Clock) -> Restored:
    """Make ``experiments/run_<RID>`` from an archive, under its own id or another.

    Raises
    ------
    CorruptRecordError
        If the archive does not match its manifest; nothing is written then.
    UsageError
        If there is such a run already.
    RunLockedError
        If another process restores it at this moment.
    DiskSpaceError
        If the disk has no room for it.
    PromptrialError
        If a link is where a killed process would have left its folder.

    Side effects: unpacks into a hidden folder beside the run's, and renames that at the end; the run's lock is held.
    Removes such folders that killed processes left.
    """
    seen = verify(place)
    if seen.differences:
        raise CorruptRecordError(
            f"{place.shown}: does not match its manifest: {'; '.join(map(str, seen.differences[:_SHOWN]))}",
            hint=f"see all of it: promptrial verify {shlex.quote(place.shown)}",
        )
    run = RunDir(experiments, run_id or seen.manifest.run_id)
    if os.path.lexists(run.root):
        raise _exists(run, place)
    _remove_leftovers(run, clock)
    staging = atomic.new_folder_beside(run.root)
    try:
        with RunLock(staging / run.lock_path.name, since=clock.now(), clock=clock):
            _fill(staging, run, place, seen.manifest)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Restored(run, seen.manifest, seen.manifest_sha256)


def _exists(run: RunDir, place: Place) -> UsageError:
    return UsageError(
        f"{run.root} already exists",
        hint=f"restore it under another name: promptrial unarchive {shlex.quote(place.shown)}{run.place} --run_id NEW",
    )


def _fill(staging: Path, run: RunDir, place: Place, manifest: ArchiveManifest) -> None:
    _check_room(staging, manifest.size)
    _unpack(place, staging, manifest)
    _adapt_records(staging, run.run_id)
    try:
        atomic.publish(staging, run.root)
    except OSError as error:
        if os.path.lexists(run.root):  # another process was quicker
            raise _exists(run, place) from error
        raise


def _remove_leftovers(run: RunDir, clock: Clock) -> None:
    """Remove what killed processes left of this run beside its place; each has the lock of the process that filled it.

    Raises
    ------
    RunLockedError
        If a process fills one at this moment.
    PromptrialError
        If a link is there: nothing is read, written or removed through it.
    """
    names = re.compile(rf"\.{re.escape(run.root.name)}(\.[0-9a-f]+)?\.tmp")
    there = sorted(run.root.parent.iterdir()) if run.root.parent.is_dir() else []
    for path in (each for each in there if names.fullmatch(each.name)):
        if path.is_symlink() or not path.is_dir():
            raise PromptrialError(
                f"{path}: a link or a file with the name of the folder in which this run is unpacked",
                hint="check where it comes from, and remove it",
            )
        try:
            with RunLock(path / run.lock_path.name, since=clock.now(), clock=clock):
                shutil.rmtree(path)
        except RunLockedError as error:
            raise RunLockedError(
                f"{run.root}: another process is restoring this run",
                hint="wait for it to finish, then check the result",
            ) from error


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskSpaceError(
            f"{folder.parent}: the run needs {needed:,} bytes, and the disk has {free:,} free",
            hint="free some space, or choose another folder with --to",
        )


def _unpack(place: Place, folder: Path, manifest: ArchiveManifest) -> None:
    """Write the files of the run, each exactly as the manifest has it, and leave out what is no part of a run."""
    wanted = {file.path: file for file in manifest.files if not _is_left_out(file.path)}
    for member in place.members():
        if not _is_left_out(member.path):
            file = wanted.pop(member.path, None)
            if file is None:
                raise _changed(place, member.path)
            _write(place, folder / member.path, member, file)
    if wanted:
        raise _changed(place, min(wanted))


def _is_left_out(path: str) -> bool:
    """Whether a file is the archive's own, or of the process that worked on the run, such as its lock."""
    return path in OWN_FILES or path.partition("/")[0] in LEFT_OUT


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
        f"{place.shown}: {path} has changed since it was verified",
        hint=f"verify it again: promptrial verify {shlex.quote(place.shown)}",
    )


def _adapt_records(folder: Path, run_id: str) -> None:
    """Put the id of the run into its records, and let them forget where its configuration was.

    Elsewhere, a file of that name is another project's. Damaged records go into archives too, and an archive may have
    been written by anybody; those are left as they are. Reports keep the name under which they were written.
    """
    path = folder / "run_state.json"
    if (state := _whole(path, RunState)) is not None:
        state.run_id = run_id
        state.forget_place()
        records.save(path, state)
    for path in sorted(folder.glob("*/results/trial_manifest.json")):
        if (manifest := _whole(path, TrialManifest)) is None:
            continue
        before = manifest.run_id, manifest.origin
        manifest.run_id = run_id
        if isinstance(manifest.origin, Origin):
            manifest.origin = msgspec.structs.replace(manifest.origin, config_file=None)
        if (manifest.run_id, manifest.origin) != before:
            records.save(path, manifest)


def _whole(path: Path, kind: type[_Record]) -> _Record | None:
    """Return a record; None if it does not exist, or is damaged."""
    try:
        return records.load(path, kind)
    except (FileNotFoundError, CorruptRecordError):
        return None
