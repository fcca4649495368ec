"""Ask the process that works on a run to stop. What it makes of that is its own."""

from __future__ import annotations

import threading
from typing import Final

from promptrial.runtime.clock import Clock
from promptrial.store import atomic
from promptrial.store.lock import Holder, holder
from promptrial.store.rundir import RunDir

__all__ = ["ask_to_stop"]

_NAMING_TRIES: Final = 40
_NAMING_S: Final = 0.05


def ask_to_stop(run: RunDir, how: bytes, clock: Clock) -> Holder | None:
    """Leave the sentinel if a process may work on a run; return who was asked, or None if no process works on it.

    A process that starts removes a sentinel that was left for an earlier one, and then writes its name into the lock.
    So the sentinel counts once the same name was in the lock before and after it was written.
    """
    by = holder(run.lock_path, clock)
    for _ in range(_NAMING_TRIES):
        if by is None or not by.may_live:
            return None
        atomic.write_bytes(run.sentinel_path, how)
        after = holder(run.lock_path, clock)
        if by.pid is not None and by.is_same(after):
            return by
        clock.wait(threading.Event(), _NAMING_S)
        by = holder(run.lock_path, clock)
    return by
