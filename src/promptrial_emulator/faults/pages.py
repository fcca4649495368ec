"""Fault F16, the part that every API has: a page of a list that begins in the wrong place. Pure."""

from __future__ import annotations

from promptrial_emulator.faults.rules import Injected

__all__ = ["moved"]


def moved(start: int, faults: Injected) -> int:
    """Return where a page begins, as if other objects had come, or gone, since the page before it."""
    fault = faults.get("F16")
    if fault is None or not start:
        return start
    return max(0, start + {"shift": -1, "skip": 1}.get(fault.variant, 0) * int(fault.options["by"]))
