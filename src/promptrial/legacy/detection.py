"""Whether a run has to be migrated: it is of promptrial's predecessor, or was, and has lost records since."""

from __future__ import annotations

from promptrial.engine.origin import is_legacy_config, own_copy
from promptrial.errors import CorruptRecordError
from promptrial.legacy.reading import read_run
from promptrial.store import records
from promptrial.store.records import Manifest, RunState
from promptrial.store.rundir import RunDir

__all__ = ["needs_migration"]


def needs_migration(run: RunDir) -> bool:
    """Return whether a run is of an older tool, or was migrated and has lost records since."""
    migrated = _is_migrated(run)
    if migrated and _is_whole(run):
        return False
    return migrated or _has_older_records(run)


def _is_migrated(run: RunDir) -> bool:
    try:
        return records.load(run.state_path, RunState).migrated is True
    except (FileNotFoundError, CorruptRecordError):
        return bool(list(run.root.glob("effective_config.backup.*.yaml")))


def _is_whole(run: RunDir) -> bool:
    """Whether the records that a migration writes are there and hold."""
    try:
        records.load(run.state_path, RunState)
        built = records.load(run.batch_inputs / "manifest.json", Manifest)
        prepared = records.load(run.prepared / "manifest.json", Manifest)
        if own_copy(run) is None:
            return False
        manifests = {
            slug: run.trial(slug).load_manifest() for slug in {row["trial_slug"] for row in built.facts["parts"]}
        }
    except (OSError, CorruptRecordError, KeyError):
        return False
    files = dict(prepared.receipt.artifacts)
    for slug, manifest in manifests.items():
        for name, part in (manifest.parts if manifest is not None else {}).items():
            if part.results is not None:
                files[run.relative(run.trial(slug).part_results(name))] = part.results
    complete = all(manifest is not None for manifest in manifests.values())
    return complete and not any(run.file_problem(path, file) for path, file in files.items())


def _has_older_records(run: RunDir) -> bool:
    own = own_copy(run)
    return any(trial.manifest for trial in read_run(run.root).trials) if own is None else is_legacy_config(own)
