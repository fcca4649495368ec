"""A pilot: a run that asks some items of each data set first, and the others when it is told to.

Until then the run is one of a smaller sample: ``limit_items`` is that of the pilot, and no statistics are computed.
Then the sample grows to the size that is configured, as any sample does. What is recorded is the pilot and whether
it has passed, in the same write as the growth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from promptrial.config.loading import LoadedConfig
from promptrial.design.growth import smaller
from promptrial.design.plan import Selection
from promptrial.engine.request import RunRequest
from promptrial.errors import UsageError
from promptrial.phases import costs, report, stats
from promptrial.store.change_records import Pilot
from promptrial.store.records import Origin
from promptrial.store.rundir import RunDir

__all__ = ["LAST", "limited", "pilot_of", "selected"]

LAST: Final = costs.PHASE
"""The last phase of a pilot."""
_AFTERWARDS: Final = frozenset({stats.PHASE.name, report.PHASE.name})


def pilot_of(request: RunRequest, run: RunDir, origin: Origin | None) -> Pilot | None:
    """Return the pilot of a run as it will be on record: the recorded one, or that of a run that is about to begin.

    Raises
    ------
    UsageError
        If a pilot is asked of a run that was started without one, is beyond it, or has another.
    """
    if origin is None:
        return None if request.pilot is None else Pilot(items=request.pilot, passed=request.past_pilot)
    if isinstance(origin.pilot, msgspec.UnsetType):
        if request.pilot is not None:
            raise _too_late(f"run {run.run_id} was started without a pilot", run)
        return None
    items = origin.pilot.items
    if request.pilot is not None and origin.pilot.passed:
        raise _too_late(f"run {run.run_id} has already finished its pilot of {items} items", run)
    if request.pilot not in {None, items}:
        raise _too_late(f"the pilot of run {run.run_id} has {items} items of each data set, which cannot change", run)
    return Pilot(items=items, passed=origin.pilot.passed or request.past_pilot)


def _too_late(message: str, run: RunDir) -> UsageError:
    return UsageError(
        f"--pilot: {message}",
        hint=f"resume without --pilot: {run.resume_command}; or start a run with a pilot under another --run_id",
    )


def limited(loaded: LoadedConfig, pilot: Pilot | None) -> LoadedConfig:
    """Return a configuration with the sample that is asked for now: of a pilot that has not passed, no more than it."""
    if pilot is not None and loaded.experiment.stopping.on:
        raise UsageError(
            "--pilot: the run is asked in waves (`stopping`), and its size has to be fixed in advance",
            hint="pilot it in a run of its own without `stopping`, or leave --pilot out",
        )
    if pilot is None or pilot.passed:
        return loaded
    limit = smaller(loaded.experiment.limit_items, pilot.items)
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"limit_items": limit}))


def selected(selection: Selection, pilot: Pilot | None) -> Selection:
    """Return the phases that are run: of a pilot that has not passed, none that computes statistics or shows them."""
    if pilot is None or pilot.passed:
        return selection
    return replace(selection, phases=selection.phases - _AFTERWARDS)
