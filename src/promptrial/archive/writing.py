"""Archive a run: hold its lock, see that it is complete, write it to its place, and read it back from there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.archive.completeness import look
from promptrial.archive.contents import Content, contents_of
from promptrial.archive.manifest import SCRIPT, ArchivedFile, ArchiveManifest, Completeness, encode
from promptrial.archive.places import LocalFolder, PackedFile, Place
from promptrial.archive.reading import verify
from promptrial.documents.files import open_regular
from promptrial.engine.session import Invocation
from promptrial.errors import CorruptRecordError, PromptrialError, StopRequested, UsageError
from promptrial.runtime.stop import StopToken, beside_the_work, stop_on_signals
from promptrial.store import atomic
from promptrial.store.lock import BEAT_EVERY_S, RunLock
from promptrial.store.rundir import RunDir, run_folders

__all__ = ["Archived", "archive_run"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Archived:
    """An archive that was verified: where it is, what it says about itself, and whether it was written just now."""

    where: str
    manifest: ArchiveManifest
    manifest_sha256: str
    written: bool


def archive_run(run: RunDir, place: Place, invocation: Invocation, *, incomplete: bool = False) -> Archived:
    """Write a run to a place, unless the same run already exists.

    Raises
    ------
    RunLockedError
        If another process works on the run.
    PromptrialError
        If the run is not complete and ``incomplete`` is not given, or a file of it cannot be archived.
    UsageError
        If something else is at that place, or what is written there would change a run or be taken for one.
    CorruptRecordError
        If what was written does not read back as it was; it is then no longer under its name.
    StopRequested
        If a signal or a sentinel asked to stop; nothing is under the final name.

    Side effects: holds the run's lock meanwhile, and removes a sentinel that was left there. The run keeps every byte.
    """
    _check_apart(run, place)
    stop = StopToken(run.sentinel_path, invocation.clock)

    def check() -> None:
        try:
            stop.check()
        except StopRequested as error:
            error.resume_command = invocation.resume_command
            raise

    with (
        RunLock(
            run.lock_path,
            since=invocation.clock.now(),
            clock=invocation.clock,
            on_acquired=lambda: atomic.remove(run.sentinel_path),
        ) as lock,
        stop_on_signals(stop, invocation.say, invocation.resume_command),
        beside_the_work(stop, lock.beat, BEAT_EVERY_S),
    ):
        completeness, config_hash = look(run, invocation)
        if not (completeness.complete or incomplete):
            raise _refusal(run, completeness)
        manifest, contents = contents_of(run, config_hash, completeness, check)
        if place.occupied([content.path for content in contents]):
            return _kept(run, place, manifest, check)
        place.write(f"run_{run.run_id}", _checked(contents, check))
        return _read_back(place, manifest, check)


def _check_apart(run: RunDir, place: Place) -> None:
    """Refuse a place in a run, this one or another, and a folder that would be taken for a run."""
    if not isinstance(place, LocalFolder | PackedFile):
        return
    target = Path(os.path.realpath(place.path))
    folders = {folder.resolve() for folder in (run.root, *run_folders(run.root.parent)) if folder.is_dir()}
    holds = next((folder for folder in folders if folder in (target, *target.parents)), None)
    beside = target.parent == run.root.parent.resolve() and target.name.startswith("run_")
    if holds is not None:
        problem = f"it is in {holds.name}, and an archive is no part of a run"
    elif beside and isinstance(place, LocalFolder):
        problem = f"a folder of that name in {run.root.parent} would be taken for a run"
    else:
        return
    raise UsageError(
        f"--to {place.shown}: {problem}",
        hint=f"choose another destination: promptrial archive {run.run_id}{run.place} --to DEST",
    )


def _checked(contents: Sequence[Content], check: Callable[[], None]) -> Iterator[Content]:
    for content in contents:
        check()
        yield content


def _refusal(run: RunDir, completeness: Completeness) -> PromptrialError:
    return PromptrialError(
        f"run {run.run_id} is not complete:\n  " + "\n  ".join(completeness.left),
        hint=f"finish it: {run.resume_command}; or archive it as it is, with --incomplete",
    )


def _read_back(place: Place, manifest: ArchiveManifest, check: Callable[[], None]) -> Archived:
    """Compare what is there now with what was to be written."""
    digest = hashlib.sha256(encode(manifest)).hexdigest()
    try:
        seen = verify(place, check)
        wrong = [str(each) for each in seen.differences]
        if seen.manifest_sha256 != digest:
            wrong.insert(0, "it is an archive of something else")
    except CorruptRecordError as error:
        wrong = [error.message]
    if wrong:
        raise CorruptRecordError(
            f"{place.shown}: the archive does not match what was written ({'; '.join(wrong[:_SHOWN])}); "
            f"it was {place.withdraw()}",
            hint="check the disk or the store, and that nothing else writes to the run; then try again",
        )
    return Archived(place.shown, manifest, digest, written=True)


def _kept(run: RunDir, place: Place, manifest: ArchiveManifest, check: Callable[[], None]) -> Archived:
    """Return the archive that already exists, if it is whole and of the same content."""
    try:
        seen = verify(place, check)
        wrong = [str(each) for each in seen.differences] or list(_changes(run, seen.manifest, manifest))
    except CorruptRecordError as error:
        wrong = [error.message]
    if wrong:
        raise UsageError(
            f"{place.shown}: something already exists there, and it is not an archive of this run in its current "
            f"state ({'; '.join(wrong[:_SHOWN])})",
            hint=(
                f"choose another destination: promptrial archive {run.run_id}{run.place} --to DEST; or remove what "
                "exists"
            ),
        )
    return Archived(place.shown, seen.manifest, seen.manifest_sha256, written=False)


def _changes(run: RunDir, kept: ArchiveManifest, now: ArchiveManifest) -> Iterator[str]:
    """Yield what has changed since an archive was made; lines that were added to the log are no change."""
    if kept.run_id != now.run_id:
        yield f"it belongs to run {kept.run_id}"
    before, after = ({file.path: file for file in each.files if file.path != SCRIPT} for each in (kept, now))
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path) and not _log_grew(run.log_path, path, before.get(path)):
            yield f"{path} has changed since"


def _log_grew(log: Path, path: str, before: ArchivedFile | None) -> bool:
    if path != log.name or before is None or not log.is_file():
        return False
    with open_regular(log) as file:
        return hashlib.sha256(file.read(before.size)).hexdigest() == before.sha256
