"""What processes left behind: a lock, a request to stop, a phase in progress, temporary files, renamed files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from promptrial.care.doctor.disk import size_text
from promptrial.care.doctor.document import Finding, Kind, Severity
from promptrial.care.doctor.sight import Sight, quoted
from promptrial.store.lock import Holder

__all__ = ["phase_findings", "process_findings", "set_aside_files"]


def process_findings(sight: Sight) -> Iterator[Finding]:
    """Yield what is to be said about the lock, the sentinel and temporary files."""
    run, by = sight.run, sight.by
    if by is not None:
        yield _of_holder(sight, by)
    if sight.working:
        return
    if run.sentinel_path.exists():
        meaning = (
            "it asks a process to stop, but no process works on the run; the next one removes it, and does not stop"
        )
        yield _finding(sight, "stop_sentinel", "note", run.sentinel_path, meaning, sight.repair)
    for path in sorted(run.root.rglob(".*.tmp")):
        meaning = f"{_size(path)}, left by an interrupted write; the next process removes it"
        yield _finding(sight, "leftover", "note", path, meaning, sight.repair)


def _of_holder(sight: Sight, by: Holder) -> Finding:
    path = sight.run.lock_path
    who = by.shown if by.pid is None else f"{by.shown}, since {by.since}"
    if not by.works:
        gone = "is gone" if by.alive is False else f"has shown no sign of life for {by.silent_s:,.0f} s"
        meaning = f"left by {who}, which {gone}; it does not block anything"
        return _finding(sight, "lock", "warning", path, meaning, sight.repair)
    if by.silent:
        meaning = f"held by {who}, which has shown no sign of life for {by.silent_s:,.0f} s: it is suspended"
        return _finding(sight, "lock", "warning", path, meaning, f"kill -CONT {by.pid}" if by.pid else None)
    meaning = f"held by {who}, which works on the run; its current work is not checked. To stop it: "
    return _finding(sight, "lock", "note", path, meaning + sight.run.command("stop"), None)


def phase_findings(sight: Sight) -> Iterator[Finding]:
    """Yield the phases that failed, and those that were cut off."""
    if sight.working or sight.state is None:
        return
    path = sight.run.state_path
    for name, phase in sight.state.known_phases.items():
        if phase.status == "failed":
            meaning = f"{name} failed: {phase.last_error or 'no reason was recorded'}"
            yield _finding(sight, "failed", "error", path, meaning, sight.repair)
        elif phase.status == "in_progress":
            meaning = f"{name} was in progress, and its process has ended"
            yield _finding(sight, "interrupted", "warning", path, meaning, sight.repair)


def set_aside_files(sight: Sight) -> Iterator[Finding]:
    """Yield files that were renamed as damaged, or as answers to other requests, and what a migration kept."""
    root = sight.run.root
    for path in sorted([*root.rglob("*.corrupt.*"), *root.glob("*/results/set_aside/*")]):
        what = "an old copy that nothing uses" if ".corrupt." in path.name else "answers to requests that have changed"
        meaning = f"{_size(path)}, {what}; remove it when you no longer need it"
        command = f"rm {'-r ' if path.is_dir() else ''}{quoted(path)}"
        yield _finding(sight, "set_aside", "note", path, meaning, command)
    for path in sorted(root.rglob("*.backup.*")):
        meaning = f"{_size(path)}, kept by the migration, in case it has to be repeated"
        yield _finding(sight, "backup", "note", path, meaning, None)


def _size(path: Path) -> str:
    try:
        inside = (each.stat().st_size for each in path.rglob("*")) if path.is_dir() else (path.stat().st_size,)
        return size_text(sum(inside))
    except OSError as error:
        return os.strerror(error.errno or 0)


def _finding(sight: Sight, kind: Kind, severity: Severity, path: Path, meaning: str, command: str | None) -> Finding:
    return Finding(kind=kind, severity=severity, file=sight.run.relative(path), meaning=meaning, command=command)
