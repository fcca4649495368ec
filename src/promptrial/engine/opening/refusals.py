"""Why a run is not opened, and what to do instead: the refusals of the table in ``docs/opening.md``."""

from __future__ import annotations

import re
from typing import Final

from promptrial.engine.growing import is_copy_damaged
from promptrial.engine.opening.found import Older
from promptrial.engine.opening.opened import Opened
from promptrial.errors import ConfigDriftError, ConfigError, PromptrialError, ResumeError, RunExistsError, UsageError
from promptrial.store.change_records import Seal
from promptrial.store.rundir import RunDir, holds_run

__all__ = [
    "already_exists",
    "changed",
    "no_such_run",
    "not_migrated",
    "nothing_to_resume",
    "own_copy_damaged",
    "started_as_another",
    "state_damaged",
]

_SIZE: Final = re.compile(r"(limit_items|datasets\.\w+\.size): ")


def no_such_run(run: RunDir) -> ResumeError:
    """Return the refusal of steps that read what no step has made yet."""
    return ResumeError(
        f"run {run.run_id} does not exist in {run.root.parent}, and the selected steps need an existing run",
        hint="check --run_id, or start with the prepare step",
    )


def nothing_to_resume(run: RunDir) -> ResumeError:
    """Return the refusal to resume a run that has no state."""
    rebuilt = "rebuild it from what is on disk, with"
    return ResumeError(
        f"run {run.run_id}: nothing to resume: {run.state_path} does not exist",
        hint=(
            f"{rebuilt}: python -m scripts.resume_run --run_id {run.run_id}{run.place}; "
            f"or look with: {run.command('run')} --plan_only"
            if holds_run(run)
            else f"start it without --resume, or look with: {run.command('run')} --plan_only"
        ),
    )


def not_migrated(run: RunDir) -> ResumeError:
    """Return the refusal to open a run that promptrial's predecessor made, and nobody has migrated."""
    return ResumeError(
        f"run {run.run_id} was made by promptrial's predecessor, and is not migrated",
        hint=f"migrate and resume it: {run.rebuild_command}; or look first: {run.rebuild_command} --plan_only",
    )


def already_exists(run: RunDir) -> RunExistsError:
    """Return the refusal to start a run that is there."""
    return RunExistsError(
        f"run {run.run_id} already exists",
        hint=f"resume it: {run.resume_command}; or choose another --run_id",
    )


def state_damaged(run: RunDir) -> UsageError:
    """Return the refusal to start a run that is there, and whose state has to be rebuilt."""
    return UsageError(
        f"run {run.run_id} already exists, and its {run.state_path.name} is damaged",
        hint=f"rebuild it from what is on disk: {run.resume_command}",
    )


def own_copy_damaged(run: RunDir, error: PromptrialError, *, older: bool) -> ConfigError:
    """Return the refusal to open a run by its own copy of its configuration, in which something was found wrong."""
    return ConfigError(
        f"{error.message}\n  this is the run's own copy of its configuration, and it is missing or damaged",
        hint=f"build it again from what is on disk: {run.rebuild_command}"
        if older
        else f"name the file that the run was started with: {run.name_config_command}",
    )


def changed(opened: Opened) -> ConfigDriftError:
    """Return the refusal to resume a run by another configuration; it says how to accept the change."""
    run, drift = opened.run, opened.changes.drift
    lines = "\n  ".join(drift)
    is_own = opened.configured.config_file == run.config_path and not isinstance(opened.found, Older)
    if is_own and is_copy_damaged(run, opened.origin):
        return ConfigDriftError(
            f"{run.config_path}: damaged, or edited by hand: the run's own copy of its configuration does not have the "
            "hash that is on record",
            hint=f"name the file that the run was started with: {run.name_config_command}",
        )
    shrinks = "a sample may grow, but not shrink: " if any(map(_SIZE.match, drift)) else ""
    return ConfigDriftError(
        f"run {run.run_id} was started with a different configuration from {opened.configured.config_file}:\n  {lines}",
        hint=f"{shrinks}undo the change, start a new run with another --run_id, or accept the change with --force"
        f"{_seal_warning(opened)}",
    )


def _seal_warning(opened: Opened) -> str:
    """Return what a forced change means for a sealed run; empty for another."""
    if opened.origin is None or not isinstance(opened.origin.seal, Seal):
        return ""
    return "; the run is sealed, and its reports will always list a forced change, even one that is undone later"


def started_as_another(opened: Opened) -> ConfigDriftError:
    """Return the refusal to start a run again as something else; it does not offer ``--force``."""
    run, lines = opened.run, "\n  ".join(opened.changes.drift)
    return ConfigDriftError(
        f"run {run.run_id} already exists, its {run.state_path.name} is missing, and it was started with a different "
        f"configuration:\n  {lines}",
        hint=f"resume it with its own configuration: {run.rebuild_command}; or choose another --run_id",
    )
