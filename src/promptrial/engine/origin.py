"""What a run was started with, and whether anything was made by it, as its files tell even if its state is lost.

Reads only. What a resume makes of it is ``opening``'s to decide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.config.yaml_text import YamlError, load_file
from promptrial.engine.facts import phases
from promptrial.errors import CorruptRecordError
from promptrial.store import breadcrumbs, jsonl, records
from promptrial.store.part_records import listed
from promptrial.store.records import Origin, RunState, TrialManifest
from promptrial.store.rundir import RunDir, TrialDir
from promptrial.store.unchanged import Unchanged

__all__ = [
    "find_origin",
    "foreign_file",
    "holds_answers",
    "holds_work",
    "is_legacy_config",
    "is_not_migrated",
    "is_started",
    "knows_jobs",
    "own_copy",
    "record_file",
    "recorded_file",
    "trial_manifests",
    "why_own_copy",
]

_MANIFEST: Final = "trial_manifest.json"
_OWN_COPIES: Final = Unchanged(load_file)


def find_origin(run: RunDir) -> Origin | None:
    """Return what a run was started with, as its trials say it; None if none of them does.

    A trial that a forced change left out keeps what it knew: the one that has seen most changes, and was worked on
    last, is right.
    """
    found = [(manifest.origin, manifest) for manifest in trial_manifests(run) if isinstance(manifest.origin, Origin)]
    newest = max(found, key=lambda each: (*_changes(each[0]), each[1].timestamps.get("updated_at", "")), default=None)
    return None if newest is None else newest[0]


def _changes(origin: Origin) -> tuple[int, int]:
    """Return how often a run was changed by force, and how often it grew."""
    return len(origin.drift), len(listed(origin.growth))


def holds_work(run: RunDir) -> bool:
    """Whether anything was made in a run: a receipt, requests, records of parts, answers."""
    if any((run.root / phase.manifest).exists() for phase in phases() if phase.manifest):
        return True
    return any(run.batch_inputs.glob("*/*.jsonl")) or holds_answers(run)


def holds_answers(run: RunDir) -> bool:
    """Whether anything was asked in a run: a record of a part, a job, an answer."""
    return any(map(_is_work, run.root.glob("*/results/*")))


def knows_jobs(run: RunDir) -> bool:
    """Whether a job at a provider is named in a run: beside its results, in a manifest, or in a journal."""
    if any(run.root.glob(f"*/results/*{breadcrumbs.JOB_FILE}")):
        return True
    folders = [run.trial(path.parent.name) for path in run.root.glob("*/results")]
    return any(folder.read_steadily(partial(_names_a_job, folder)) for folder in folders)


def _names_a_job(folder: TrialDir) -> bool:
    with suppress(OSError, CorruptRecordError):
        if any(part.intents for part in records.load(folder.manifest_path, TrialManifest).parts.values()):
            return True
    return any(event.key is not None for event in folder.journal.salvage())


def is_started(run: RunDir) -> bool:
    """Whether a run was started, although its state may be missing."""
    return run.config_path.exists() or holds_work(run)


# --- its configuration ----------------------------------------------------------------------------------------------


def recorded_file(run: RunDir, state: RunState | None, origin: Origin | None) -> Path | None:
    """Return the file that a run was started with, as it is reached from here; it may no longer be there.

    None if that is not recorded: a run's own copy never is that file. Where the state knows the absolute path, a file
    of the same name that is elsewhere is another one, unless it has exactly the same content and the first is gone.
    """
    given = None if origin is None or origin.config_file is None else Path(origin.config_file)
    if state is not None and isinstance(state.config_path, str):
        path = Path(os.path.relpath(state.config_path))  # so that no message and no log names an absolute path
        moved = given is not None and not path.exists() and _sha256(given) == state.config_sha256
        return given if moved else path
    return None if given == run.config_path else given


def foreign_file(state: RunState | None, used: Path) -> Path | None:
    """Return a file that is here by the name of the one that a run was started with, and is not that one."""
    if state is None or not isinstance(state.config_path, str) or not isinstance(state.config_file, str):
        return None
    here = Path(state.config_file)
    if not here.exists() or (used.exists() and here.samefile(used)):
        return None
    return None if _sha256(here) == state.config_sha256 else here


def record_file(state: RunState, used: Path) -> None:
    """Put into a state which file the run is configured by."""
    state.config_path, state.config_sha256 = str(used.absolute()), _sha256(used) or msgspec.UNSET
    state.config_file = msgspec.UNSET if used.is_absolute() else str(used)


def _sha256(path: Path) -> str | None:
    try:
        return jsonl.digest(path).sha256
    except OSError:
        return None


def own_copy(run: RunDir) -> dict[str, Any] | None:
    """Return the values of a run's own copy of its configuration; None if it is lost, or damaged.

    A copy that is unchanged is read once: opening a run asks for it several times. Nobody may change what is returned.
    """
    try:
        own = _OWN_COPIES(run.config_path)
    except (OSError, YamlError):
        return None
    return own if isinstance(own, dict) else None


def is_legacy_config(config: object) -> bool:
    """Return whether a configuration is of the predecessor: it names one model for all trials, ``model_id``, and first.

    No part of ours has that key, so that a copy of ours that is cut off anywhere is none of the predecessor's.
    """
    return isinstance(config, dict) and isinstance(config.get("model_id"), str)


def is_not_migrated(run: RunDir) -> bool:
    """Whether a run is as promptrial's predecessor left it."""
    return is_legacy_config(own_copy(run))


def why_own_copy(run: RunDir, state: RunState | None, origin: Origin | None) -> str:
    """Return why a run resumes by its own copy, for people."""
    recorded, what = recorded_file(run, state, origin), "the configuration file that the run was started with"
    why = f"{what} is not recorded" if recorded is None else f"{what}, {recorded}, does not exist"
    return f"{why}; it resumes from its own copy, and changes to the original are not detected"


# --- its records ----------------------------------------------------------------------------------------------------


def trial_manifests(run: RunDir) -> Iterator[TrialManifest]:
    """Yield the manifests of all trials, except for damaged ones."""
    for path in sorted(run.root.glob(f"*/results/{_MANIFEST}")):
        with suppress(OSError, CorruptRecordError):
            yield records.load(path, TrialManifest)


def _is_work(path: Path) -> bool:
    """Whether a file of a trial was made by a phase.

    A manifest is there before any phase has started, and what a damaged one knew of has left other files.
    """
    if not path.name.startswith(_MANIFEST):
        return not path.name.startswith(".")
    try:
        manifest = records.load(path, TrialManifest)
    except (OSError, CorruptRecordError):
        return False
    return bool(manifest.parts or manifest.stage_status)
