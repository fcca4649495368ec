"""Whether a run is a dry one: from its beginning, or never. A dry run must never reach a provider that is paid."""

from __future__ import annotations

from typing import Final

from promptrial.design.trials import models_asked
from promptrial.engine.opening.found import Found, origin_of, state_of
from promptrial.engine.opening.opened import Configured
from promptrial.engine.origin import holds_work, knows_jobs
from promptrial.engine.resolving import is_local
from promptrial.errors import ResumeError

__all__ = ["NOTHING_TO_EMULATE", "asks_a_server", "require_a_dry_beginning", "was_dry"]

NOTHING_TO_EMULATE: Final = "--dry_run changes nothing: every model of this run answers on this machine, at no cost"


def was_dry(found: Found) -> bool:
    """Whether a run was started as a dry one. Where no record says so, the emulator's folder does: it is made first."""
    origin = origin_of(found)
    return found.run.emulator.exists() if origin is None else origin.dry_run


def asks_a_server(by: Configured) -> bool:
    """Whether a model of the trials is not computed in this process, so that an emulator can take its place."""
    return not all(is_local(by.loaded.experiment, model.provider) for model in models_asked(by.trials))


def require_a_dry_beginning(found: Found) -> None:
    """Refuse to continue a run as a dry one after it reached a real provider.

    Raises
    ------
    ResumeError
        Says to leave out ``--dry_run``.
    """
    run = found.run
    if state_of(found) is not None or (knows_jobs(run) if origin_of(found) is None else holds_work(run)):
        raise ResumeError(
            f"run {run.run_id} was started with real providers, and cannot continue as a dry run",
            hint="leave out --dry_run, or start a new run with another --run_id",
        )
