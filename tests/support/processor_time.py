"""How much processor time a piece of work may take: for tests of what would take hours if it were written naively."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["at_most"]


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Require that the block takes at most so many seconds of this process's time.

    Garbage is not collected meanwhile: looking through all that other tests have left may take longer than the block.
    """
    was_on = gc.isenabled()
    gc.disable()
    began = time.process_time()
    try:
        yield
        took = time.process_time() - began
    finally:
        if was_on:
            gc.enable()
    assert took < seconds, f"it took {took:.2f} s of the processor"
