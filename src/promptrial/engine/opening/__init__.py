"""Open a run: what was found of it on disk, a sum type, and one module for how each case is opened. Reads only.

What is written when a run starts or is resumed is ``starting``'s. ``docs/opening.md`` has the table of all cases.
"""

from promptrial.engine.opening.asked_before import requests_unchanged
from promptrial.engine.opening.entry import open_run
from promptrial.engine.opening.found import Found, New, Older, OnRecord, Started, StateLost
from promptrial.engine.opening.names import require_names
from promptrial.engine.opening.opened import Changes, Opened
from promptrial.engine.opening.run_ids import new_run_ids
from promptrial.engine.request import RunRequest

__all__ = [
    "Changes",
    "Found",
    "New",
    "Older",
    "OnRecord",
    "Opened",
    "RunRequest",
    "Started",
    "StateLost",
    "new_run_ids",
    "open_run",
    "requests_unchanged",
    "require_names",
]
