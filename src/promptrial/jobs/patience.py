"""Waits for what only time brings, such as room or the end of others' jobs: they grow, and come to an end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from promptrial.runtime.clock import Clock

__all__ = ["Patience"]

_GROWTH: Final = 1.5


@dataclass(slots=True)
class Patience:
    """Counts the time from the first wait.

    Parameters
    ----------
    clock : Clock
    first_s, longest_s : float
        The first wait, and what waits grow to.
    deadline_s : float, optional
        After how long there is no point in another; without one there always is.
    """

    clock: Clock
    first_s: float
    longest_s: float
    deadline_s: float = math.inf
    _next_s: float = field(init=False)
    _since: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._next_s = self.first_s

    def wait_s(self) -> float:
        """Return the seconds of the next wait."""
        if self._since is None:
            self._since = self.clock.monotonic()
        wait_s, self._next_s = self._next_s, min(_GROWTH * self._next_s, max(self.longest_s, self.first_s))
        return wait_s

    def is_over(self) -> bool:
        """Return whether it has lasted too long."""
        return self._since is not None and self.clock.monotonic() - self._since >= self.deadline_s
