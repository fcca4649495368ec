"""How long something may be unseen at a provider before it counts as missing: a while, and several looks.

A provider may not show for a moment what it has, and to believe that at once could mean to pay twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from promptrial.jobs.settings import QueueSettings
from promptrial.runtime.clock import Clock

__all__ = ["Settling"]


@dataclass(slots=True)
class Settling:
    """Counts looks in vain, from the moment that it is made.

    Parameters
    ----------
    settings : QueueSettings
    clock : Clock
    times : int, optional
        How many times as long, and as many looks.
    """

    settings: QueueSettings
    clock: Clock
    times: int = 1
    _began: float = field(init=False)
    _looks: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._began = self.clock.monotonic()

    @property
    def wait_s(self) -> float:
        """The seconds to wait before the next look."""
        return self.settings.settle_s / self.settings.settle_looks

    def is_over(self) -> bool:
        """Count a look in vain; return whether there were enough of them, for long enough."""
        self._looks += 1
        enough = self._looks >= self.times * self.settings.settle_looks
        return enough and self.clock.monotonic() - self._began >= self.times * self.settings.settle_s
