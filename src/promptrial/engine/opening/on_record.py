"""Open a run that has a state: it uses the file and the flags that it was started with."""

from __future__ import annotations

from promptrial.engine.opening.comparing import changes_of_a_record
from promptrial.engine.opening.configuring import Reading, configured, named_or_recorded, with_remembered
from promptrial.engine.opening.found import OnRecord
from promptrial.engine.opening.opened import Changes, Configured
from promptrial.engine.opening.refusals import already_exists

__all__ = ["open_on_record"]


def open_on_record(found: OnRecord, reading: Reading) -> tuple[Configured, Changes]:
    """Return what the run is configured by, and in what that differs from what it went by.

    Raises
    ------
    RunExistsError
        If neither ``--resume`` nor a step says that this run is meant.
    """
    request = reading.request
    is_meant = request.resume or (request.steps_named and not request.unnamed)
    if not request.plan_only and not is_meant:
        raise already_exists(found.run)
    by = configured(found, named_or_recorded(found, request), with_remembered(found.origin, request), reading)
    return by, changes_of_a_record(found, by)
