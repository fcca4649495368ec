"""How many processes share the work of a survey."""

from __future__ import annotations

import os

from promptrial.runtime.workers import cores

__all__ = ["copies"]


def copies(most: int) -> int:
    """Return one for each core, and at most ``most``; one alone where workers of pytest already use the cores.

    Every process prepares the same experiments first, so that more of them than cores take longer.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return 1
    return min(most, cores())
