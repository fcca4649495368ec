"""Open a run whose state is damaged, or missing where the command resumes it: the trials say what it was started with.

Where they do not either, it uses the default configuration if that is the run's, and else by the run's own copy.
"""

from __future__ import annotations

from contextlib import suppress

from promptrial.engine.opening.comparing import drift_without_a_state
from promptrial.engine.opening.configuring import (
    Reading,
    configured,
    named_or_default,
    named_or_recorded,
    with_remembered,
)
from promptrial.engine.opening.found import Started, StateLost
from promptrial.engine.opening.opened import Changes, Configured
from promptrial.engine.opening.refusals import already_exists, state_damaged
from promptrial.engine.origin import is_started
from promptrial.errors import ConfigError

__all__ = ["open_state_lost", "rebuilt"]


def open_state_lost(found: StateLost, reading: Reading) -> tuple[Configured, Changes]:
    """Return what the run is configured by, and in what that differs from what it was started with.

    Raises
    ------
    UsageError
        If neither ``--resume`` nor a step says that this run is meant.
    """
    request = reading.request
    if not (request.plan_only or request.resume):
        if not request.steps_named:
            raise state_damaged(found.run)
        if request.unnamed and is_started(found.run):
            raise already_exists(found.run)
    return rebuilt(found, reading)


def rebuilt(found: Started | StateLost, reading: Reading) -> tuple[Configured, Changes]:
    """Return the same of a run whose state is built again from what is on disk."""
    request, overrides = reading.request, with_remembered(found.origin, reading.request)
    file = named_or_default(found, request) if found.origin is None else named_or_recorded(found, request)
    by = configured(found, file, overrides, reading)
    drift = drift_without_a_state(found, by)
    if drift and found.origin is None and request.config is None:  # it was not the default one, then
        with suppress(ConfigError):  # its own copy is damaged too
            by = configured(found, found.run.config_path, overrides, reading)
            drift = drift_without_a_state(found, by)
    return by, Changes(drift=drift)
