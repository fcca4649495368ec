"""Read the configuration that a run is opened by: which file, which flags, and what both mean for this run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptrial.config.effective import config_hash, effective
from promptrial.config.environment import DEFAULT_CONFIG
from promptrial.config.loading import KeyPath
from promptrial.design.trials import models_used, trials_of
from promptrial.engine import kept_labels, rescoring
from promptrial.engine.growing import is_copy_damaged
from promptrial.engine.opening.found import Found, New, Older, OnRecord, Started, StateLost, origin_of, state_of
from promptrial.engine.opening.opened import Configured, Opened
from promptrial.engine.opening.refusals import own_copy_damaged
from promptrial.engine.origin import foreign_file, recorded_file, why_own_copy
from promptrial.engine.piloting import limited, pilot_of
from promptrial.engine.request import RunRequest
from promptrial.engine.resolving import load_resolved, recorded_of
from promptrial.errors import ConfigError, DataError
from promptrial.store.records import Origin

__all__ = [
    "Reading",
    "configured",
    "flags_of",
    "named_or_default",
    "named_or_recorded",
    "remark_on_file",
    "with_remembered",
]


def named_or_default(found: Found, request: RunRequest) -> Path:
    """Return the file that a run is started by: the one named, else the default, else what an earlier process left.

    Raises
    ------
    ConfigError
        If there is none.
    """
    own = found.run.config_path
    if request.config is not None:
        return request.config
    if not DEFAULT_CONFIG.exists() and own.exists():
        return Path(own)
    if not DEFAULT_CONFIG.exists():
        raise ConfigError(
            f"{DEFAULT_CONFIG}: not found from here",
            hint="name one with --config path/to/config.yaml, or write one: promptrial init",
        )
    return DEFAULT_CONFIG


def named_or_recorded(found: Started | OnRecord | StateLost, request: RunRequest) -> Path:
    """Return the file that a run is resumed by: the one named, else the one it was started with, else its own copy."""
    if request.config is not None:
        return request.config
    recorded = recorded_file(found.run, state_of(found), found.origin)
    return recorded if recorded is not None and recorded.exists() else found.run.config_path


def flags_of(request: RunRequest) -> dict[str, Any]:
    """Return the values of flags, their keys joined by ``/``."""
    return {"/".join(str(key) for key in path): value for path, value in request.overrides.items()}


def with_remembered(origin: Origin | None, request: RunRequest) -> dict[str, Any]:
    """Return the values of flags, and of those that the run was started with where the command gives none."""
    return {**({} if origin is None else origin.overrides), **flags_of(request)}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a configuration is read with.

    ``paths_from`` is where the paths in the run's own copy start from, unless the file is known that it is a copy of.
    ``older`` is true for a run of promptrial's predecessor, whose own copy is not a copy of any file.
    """

    request: RunRequest
    env: Mapping[str, str]
    paths_from: Path
    older: bool = False


def configured(found: Found, file: Path, overrides: dict[str, Any], reading: Reading) -> Configured:
    """Read a configuration for a run.

    Raises
    ------
    ConfigError, DataError
        If it is wrong, or a file that it names; of a run's own copy that is damaged, the error says what to do.
    UsageError
        If it cannot have the pilot that is asked for.
    """
    run = found.run
    try:
        return _configured(found, file, overrides, reading)
    except (ConfigError, DataError) as error:
        if _is_same(file, run.config_path) and is_copy_damaged(run, origin_of(found)):
            raise own_copy_damaged(run, error, older=reading.older) from error
        raise


def _configured(found: Found, file: Path, overrides: dict[str, Any], reading: Reading) -> Configured:
    run, origin, request = found.run, origin_of(found), reading.request
    values: dict[KeyPath, Any] = {tuple(key.split("/")): value for key, value in overrides.items()}
    loaded, resolution = load_resolved(
        file,
        reading.env,
        values,
        recorded=recorded_of(run, origin, reads_questions=request.reads_questions),
        folder=_own_folder(found, reading) if file == run.config_path else None,  # what it names is where it was
        unused_may_lack=not isinstance(found, New),
    )
    loaded = kept_labels.with_kept(run, loaded) if _is_same(file, run.config_path) else loaded
    pilot = pilot_of(request, run, origin)
    loaded = limited(loaded, pilot)
    trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
    used_models, used_sets = models_used(trials), {trial.prompt_set for trial in trials}
    tree = effective(loaded, used_models, used_sets)
    # Values of the environment in keys that ask nothing may change: what is scored says so itself.
    resolved = rescoring.without(effective(loaded.with_values(), used_models, used_sets))
    return Configured(
        config_file=file,
        overrides=overrides,
        loaded=loaded,
        resolution=resolution,
        trials=trials,
        tree=tree,
        digest=config_hash(tree),
        resolved=resolved,
        pilot=pilot,
    )


def _own_folder(found: Found, reading: Reading) -> Path:
    """Return the folder that the paths in a run's own copy start from."""
    recorded = recorded_file(found.run, state_of(found), origin_of(found))
    return reading.paths_from if recorded is None else recorded.parent


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, however they are written."""
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def remark_on_file(opened: Opened, request: RunRequest) -> str:
    """Return what is to be said about the file that a run is opened by, if nobody has named one."""
    found, file = opened.found, opened.configured.config_file
    if request.config is not None or isinstance(found, New | Older):
        return ""
    if file == found.run.config_path:
        return why_own_copy(found.run, state_of(found), found.origin)
    foreign = foreign_file(state_of(found), file)
    if foreign is None:
        return ""
    return f"{foreign} is ignored: this run was started with {file}"
