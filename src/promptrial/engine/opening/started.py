"""Open a run that was started and has no state: by the flags of the command, unless the command resumes it.

A process that is killed early has not written the state yet. The same command may then simply be given again, but it
must mean the same run: no flags are remembered, and a refusal does not offer ``--force``.
"""

from __future__ import annotations

from promptrial.engine.opening.comparing import drift_without_a_state
from promptrial.engine.opening.configuring import Reading, configured, flags_of, named_or_default
from promptrial.engine.opening.found import Started
from promptrial.engine.opening.opened import Changes, Configured
from promptrial.engine.opening.refusals import already_exists, no_such_run, nothing_to_resume
from promptrial.engine.opening.state_lost import rebuilt
from promptrial.engine.origin import is_started
from promptrial.engine.request import RunRequest

__all__ = ["open_started"]


def open_started(found: Started, reading: Reading) -> tuple[Configured, Changes]:
    """Return what the run is configured by, and in what that differs from what it was started with.

    Raises
    ------
    ResumeError
        For ``--resume``, which needs a state, and for steps without any configuration on disk.
    RunExistsError
        If the program chose the name for another run.
    """
    request = reading.request
    if not request.plan_only:
        _require_to_be_meant(found, request)
    if request.rebuild:
        return rebuilt(found, reading)
    by = configured(found, named_or_default(found, request), flags_of(request), reading)
    return by, Changes(drift=drift_without_a_state(found, by))


def _require_to_be_meant(found: Started, request: RunRequest) -> None:
    run = found.run
    if not run.config_path.exists() and not request.begins:
        raise no_such_run(run)
    if request.resume:
        raise nothing_to_resume(run)
    if request.unnamed and is_started(run):
        raise already_exists(run)
