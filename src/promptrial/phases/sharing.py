"""Whether parse and score are shared out to worker processes or Ray, and statistics to threads; changes no result."""

from __future__ import annotations

from typing import Final

from promptrial.config.execution import ExecutionConfig
from promptrial.model import Trial
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.runtime.workers import Workers, cores

__all__ = ["say_unused", "threads_for", "warn_of", "why_one", "workers_for"]

_FEWEST_ROWS: Final = 200_000
"""With fewer answers, starting processes takes longer than they save."""


def workers_for(spec: RunSpec, rows: int) -> Workers:
    """Return what parses or scores so many answers."""
    execution = spec.config.execution
    n = execution.workers or (cores() if rows >= _FEWEST_ROWS else 1)
    return Workers(n, execution.executor, execution.ray_address, spec.run.lock_path)


def threads_for(spec: RunSpec, rows: int) -> int:
    """Return in how many threads of this process the statistics of so many answers are computed.

    Each needs memory for one endpoint, but no second copy of the scores, and no time to start.
    """
    return min(workers_for(spec, rows).n, cores())


def why_one(spec: RunSpec, rows: int) -> str:
    """Return why ``workers_for`` says that one process does everything; empty if it says otherwise."""
    if workers_for(spec, rows).n > 1:
        return ""
    if spec.config.execution.workers is not None:
        return "one worker was asked for, and one is this process itself; ask for more with --workers N"
    if rows < _FEWEST_ROWS:
        return f"there are fewer than {_FEWEST_ROWS:,} answers ({rows:,}); --workers N shares out any number"
    return "this process may use one core only; --workers N shares out anyway"


def say_unused(spec: RunSpec, services: Services, trial: Trial, phase: str, reason: str) -> None:
    """Say why one process does a phase, if more were asked for."""
    if asked := _asked_for(spec.config.execution):
        services.events.say(f"{trial.slug}: {phase} does not use {asked}: {reason}")


def _asked_for(execution: ExecutionConfig) -> str:
    """Return who was asked for besides this process; empty if nobody was."""
    if execution.executor != ExecutionConfig.model_fields["executor"].default:
        return f"executor {execution.executor}"
    return f"{execution.workers} workers" if (execution.workers or 1) > 1 else ""


def warn_of(services: Services, trial: Trial, text: str) -> None:
    """Warn of what happened to the workers of a trial."""
    services.events.warn(f"{trial.slug}: {text}")
