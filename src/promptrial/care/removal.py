"""Removing a run permanently: what prevents it, how much it is, and the removal."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from promptrial.care.status import find_folder, jobs_in_flight
from promptrial.errors import CorruptRecordError, RunLockedError, UsageError
from promptrial.runtime.clock import Clock
from promptrial.store.lock import RunLock, holder
from promptrial.store.rundir import RunDir

__all__ = ["Size", "remove_run", "require_removable", "size_of"]


@dataclass(frozen=True, slots=True)
class Size:
    """What a run takes: files (links count as such) and their bytes."""

    files: int
    n_bytes: int


def require_removable(experiments: Path, run_id: str, clock: Clock) -> RunDir:
    """Return a run that may be removed.

    Raises
    ------
    UsageError
        If there is no such run, its folder is a link, jobs of it are in flight at a provider, or a damaged record
        leaves open whether any are.
    RunLockedError
        If a process works on it.
    """
    run = find_folder(experiments, run_id)
    _require_a_folder(run)
    by = holder(run.lock_path, clock)
    if by is not None and by.may_live:
        raise RunLockedError(
            f"run {run_id} was not removed: {by.shown} works on it", hint=f"{run.command('stop')} --wait"
        )
    _require_no_jobs(run)
    return run


def _require_a_folder(run: RunDir) -> None:
    if run.root.is_symlink():
        raise UsageError(
            f"{run.root} is a link, and links are not followed here",
            hint=f"remove the link yourself, or the run that it points to: {run.root.resolve()}",
        )


def _require_no_jobs(run: RunDir) -> None:
    try:
        jobs = jobs_in_flight(run)
    except CorruptRecordError as error:
        raise UsageError(
            f"run {run.run_id} was not removed, because its jobs in flight cannot be read: {error.message}",
            hint=run.command("doctor"),
        ) from error
    if jobs:
        counted = ", ".join(f"{count} jobs at {name}" for name, count in jobs.items())
        raise UsageError(
            f"run {run.run_id} was not removed, because it has jobs in flight that may be billed: {counted}",
            hint=f"collect them, or cancel them at the provider: {run.resume_command}",
        )


def size_of(run: RunDir) -> Size:
    """Return what a run takes on disk; no link is followed."""
    sizes = [
        os.lstat(Path(folder, name)).st_size
        for folder, links, files in os.walk(run.root)
        for name in [*files, *(link for link in links if Path(folder, link).is_symlink())]
    ]
    return Size(len(sizes), sum(sizes))


def remove_run(run: RunDir, clock: Clock) -> None:
    """Remove the folder of a run, and nothing else: of a link within it, the link.

    Until it holds the lock, another process may have removed the run, or sent jobs: it looks once more.

    Raises
    ------
    UsageError
        If the run is gone, its folder is a link by now, or jobs of it are in flight.
    RunLockedError
        If a process has started to work on it.
    OSError
        If something cannot be removed; the same call can remove the rest later.

    Side effects: removes files.
    """
    find_folder(run.root.parent, run.run_id)
    _require_a_folder(run)
    with RunLock(run.lock_path, since=clock.now(), clock=clock, stop_command=run.command("stop")):
        _require_no_jobs(run)
        shutil.rmtree(run.root)
