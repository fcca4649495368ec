"""Open a run that has nothing on disk: it will be what its configuration and its flags say."""

from __future__ import annotations

from promptrial.engine.opening.configuring import Reading, configured, flags_of, named_or_default
from promptrial.engine.opening.found import New
from promptrial.engine.opening.opened import Changes, Configured
from promptrial.engine.opening.refusals import no_such_run, nothing_to_resume

__all__ = ["open_new"]


def open_new(found: New, reading: Reading) -> tuple[Configured, Changes]:
    """Return what the run is configured by; nothing can have changed.

    Raises
    ------
    ResumeError
        For ``--resume``, and for steps that need what earlier ones make.
    """
    request = reading.request
    if not request.plan_only:
        if not request.begins:
            raise no_such_run(found.run)
        if request.resume:
            raise nothing_to_resume(found.run)
    return configured(found, named_or_default(found, request), flags_of(request), reading), Changes()
