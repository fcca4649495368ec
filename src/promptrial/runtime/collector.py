"""How often Python looks for cycles among values. Commands that hold many values make none of them."""

from __future__ import annotations

import gc

__all__ = ["look_no_more", "look_rarely"]


def look_rarely() -> None:
    """Look for cycles a few times only: with the default threshold that takes an eighth of the time of a phase."""
    gc.set_threshold(500_000, 20, 50)


def look_no_more() -> None:
    """Let the process end without looking through all that it holds, which takes a tenth of the time of a plan."""
    gc.freeze()
