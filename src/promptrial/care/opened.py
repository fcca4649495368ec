"""A run opened by its own copy of the configuration, to be read: nothing changes on disk, no question file is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import Opened, RunRequest, open_run
from promptrial.engine.session import Invocation, providers_of, services_of, spec_of
from promptrial.errors import UsageError
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store.rundir import RunDir

__all__ = ["ReadRun", "read_run"]


class ReadRun(NamedTuple):
    """A run as its records have it."""

    opened: Opened
    spec: RunSpec
    services: Services


def read_run(run: RunDir, env: Mapping[str, str], invocation: Invocation) -> ReadRun:
    """Return a run as its own records have it; says nothing.

    Raises
    ------
    PromptrialError
        If its configuration or one of its records cannot be read.
    """
    if not run.config_path.exists():
        raise UsageError(
            f"run {run.run_id}: {run.config_path} does not exist",
            hint=f"rebuild it from the other files and resume: {run.rebuild_command}",
        )
    request = RunRequest(run.root.parent, run.run_id, config=run.config_path, plan_only=True, reads_questions=False)
    opened = open_run(request, env)
    quiet = replace(invocation, say=lambda _text: None)
    spec, services = spec_of(request, opened), services_of(opened, env, quiet, providers_of(opened, env))
    load_manifests(spec, services, read_only=True)
    return ReadRun(opened, spec, services)
