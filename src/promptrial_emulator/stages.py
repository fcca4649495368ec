"""When a job is in which state: times and states, fixed when the job is created. Their names are its API's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from promptrial_emulator.faults.rules import Injected

__all__ = ["PARTIAL", "Stage", "current", "in_turn", "partway", "share_by_end", "slowed"]

PARTIAL: Final = 0.5
"""Which share of its rows a job has answered that ran and was cut off."""


class Stage(msgspec.Struct, frozen=True):
    """From when on a job is in a state; in virtual seconds."""

    at: float
    state: str


def current(stages: Sequence[Stage], now: float) -> Stage:
    """Return where a job is at a time."""
    return next(stage for stage in reversed(stages) if stage.at <= now or stage is stages[0])


def slowed(seconds: float, faults: Injected) -> float:
    """Return how long a stage takes that usually takes some time."""
    fault = faults.get("F9", "slow")
    return seconds * float(fault.options["factor"]) if fault else seconds


def in_turn(states: Sequence[str], created: float, stage_s: float, expires_at: float) -> list[Stage]:
    """Return the stages of a job that stays equally long in each state, except for those after its time limit."""
    stages = [Stage(created + number * stage_s, state) for number, state in enumerate(states)]
    return [stage for stage in stages if stage.at <= expires_at]


def share_by_end(stages: Sequence[Stage], faults: Injected, *, running: str, completed: str) -> float:
    """Return which share of its rows a job has answered by its end, given two of the names of its states."""
    if stages[-1].state == completed:
        return 1.0
    if fault := faults.get("F10"):
        return float(fault.options["share"])
    return PARTIAL if any(stage.state == running for stage in stages) else 0.0


def partway(rows: float, stages: Sequence[Stage], now: float) -> int:
    """Return how many of some rows are answered at a time, if the stage of that time takes all of them in turn."""
    stage = current(stages, now)
    end = next((later.at for later in stages if later.at > stage.at), stage.at)
    return int(rows * (now - stage.at) / (end - stage.at)) if end > stage.at else int(rows)
