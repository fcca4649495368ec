"""Open a run of promptrial's predecessor, that is or was migrated: as any other, but by its own copy alone.

``legacy`` migrates it. The configuration was never in another file, so its paths start from the folder of the run.
"""

from __future__ import annotations

from dataclasses import replace

from promptrial.engine.opening.configuring import Reading
from promptrial.engine.opening.found import Older, OnRecord, Started
from promptrial.engine.opening.on_record import open_on_record
from promptrial.engine.opening.opened import Changes, Configured
from promptrial.engine.opening.started import open_started
from promptrial.engine.opening.state_lost import open_state_lost

__all__ = ["open_older"]


def open_older(found: Older, reading: Reading) -> tuple[Configured, Changes]:
    """Return what the run is configured by, and in what that differs from what it went by."""
    now, here = found.now, replace(reading, paths_from=found.run.root, older=True)
    match now:
        case Started():
            return open_started(now, here)
        case OnRecord():
            return open_on_record(now, here)
        case _:
            return open_state_lost(now, here)
