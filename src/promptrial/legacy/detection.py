"""Whether a run has to be migrated: it is of promptrial's predecessor, or was, and has lost records since."""

from __future__ import annotations

from promptrial.config.yaml_text import YamlError, load_file
from promptrial.engine.origin import is_legacy_config
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
        if not isinstance(load_file(run.config_path), dict):
            return False
        manifests = {
            slug: run.trial(slug).load_manifest() for slug in {row["trial_slug"] for row in built.facts["parts"]}
        }
    except (OSError, CorruptRecordError, YamlError, KeyError):
        return False
    files = dict(prepared.receipt.artifacts)
    for slug, manifest in manifests.items():
        for name, part in (manifest.parts if manifest is not None else {}).items():
            if part.results is not None:
                files[run.relative(run.trial(slug).part_results(name))] = part.results
    complete = all(manifest is not None for manifest in manifests.values())
    return complete and not any(run.file_problem(path, file) for path, file in files.items())


def _has_older_records(run: RunDir) -> bool:
    try:
        config = load_file(run.config_path)
        if isinstance(config, dict):
            return is_legacy_config(config)
    except (OSError, YamlError):
        pass
    return any(trial.manifest for trial in read_run(run.root).trials)
