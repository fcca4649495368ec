"""What a run whose state is lost was started with, and whether anything was made by it: from its other files alone.

Reads only. What a resume makes of it is ``opening``'s to decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from promptrial.engine.facts import phases
from promptrial.errors import CorruptRecordError
from promptrial.store import records
from promptrial.store.records import Origin, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["find_origin", "holds_work", "is_migrated", "knows_jobs"]

_MANIFEST: Final = "trial_manifest.json"


def find_origin(run: RunDir) -> Origin | None:
    """Return what a run was started with, as its trials say it; None if none of them does.

    A trial that a forced change left out keeps what it knew: the one that has seen most changes, and was worked on
    last, is right.
    """
    found = [(manifest.origin, manifest) for manifest in _manifests(run) if isinstance(manifest.origin, Origin)]
    newest = max(found, key=lambda each: (len(each[0].drift), each[1].timestamps.get("updated_at", "")), default=None)
    return None if newest is None else newest[0]


def holds_work(run: RunDir) -> bool:
    """Whether anything was made in a run: a receipt, requests, records of parts, answers."""
    if any((run.root / phase.manifest).exists() for phase in phases() if phase.manifest):
        return True
    return any(run.batch_inputs.glob("*/*.jsonl")) or any(map(_is_work, run.root.glob("*/results/*")))


def knows_jobs(run: RunDir) -> bool:
    """Whether a job at a provider is named in a run: beside its results, in a manifest, or in a journal."""
    if any(run.root.glob("*/results/*_job.json")):
        return True
    if any(part.intents for manifest in _manifests(run) for part in manifest.parts.values()):
        return True
    folders = (path.parent.name for path in run.root.glob("*/results"))
    return any(event.key is not None for slug in folders for event in run.trial(slug).journal.salvage())


def is_migrated(run: RunDir) -> bool:
    """Whether an older tool began the run: a migration keeps its configuration."""
    return any(run.root.glob("effective_config.backup.*.yaml"))


def _manifests(run: RunDir) -> Iterator[TrialManifest]:
    for path in sorted(run.root.glob(f"*/results/{_MANIFEST}")):
        with suppress(OSError, CorruptRecordError):
            yield records.load(path, TrialManifest)


def _is_work(path: Path) -> bool:
    """Whether a file of a trial was made by a phase; the manifest of one in which nothing has happened was not."""
    if path.name != _MANIFEST:
        return not path.name.startswith(".")
    try:
        manifest = records.load(path, TrialManifest)
    except (OSError, CorruptRecordError):  # nobody knows what stood there
        return True
    return bool(manifest.parts or manifest.stage_status)
