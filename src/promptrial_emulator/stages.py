"""When a job is in which state: times and states, fixed when the job is created. Their names are its API's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["Stage", "current"]


class Stage(msgspec.Struct, frozen=True):
    """From when on a job is in a state; in virtual seconds."""

    at: float
    state: str


def current(stages: Sequence[Stage], now: float) -> Stage:
    """Return where a job is at a time."""
    return next(stage for stage in reversed(stages) if stage.at <= now or stage is stages[0])
