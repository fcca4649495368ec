"""When a message batch has which processing status: times and statuses, fixed when it is created. Pure.

A batch that nothing affects is ``in_progress`` for two stages and then ``ended``. Faults, a cancellation and the 24
hours that a batch has change that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.stages import PARTIAL, Stage, slowed

__all__ = ["CANCELING", "ENDED", "IN_PROGRESS", "BatchPlan", "Rest", "plan_stages", "unfinished"]

IN_PROGRESS: Final = "in_progress"
CANCELING: Final = "canceling"
ENDED: Final = "ended"
Rest = Literal["succeeded", "errored", "canceled", "expired"]
"""What becomes of the rows that a batch has not answered when it ends."""
_STAGES: Final = 2
_ENDINGS: Final[dict[str, Rest]] = {"failed": "errored", "expired": "expired", "cancelled": "canceled"}


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What decides on the statuses of a batch. Times in virtual seconds."""

    created: float
    stage_s: float
    expires_at: float
    faults: Injected


def plan_stages(plan: BatchPlan) -> list[Stage]:
    """Return the statuses of a batch in the order of their times; the first is at its creation."""
    length = slowed(_STAGES * plan.stage_s, plan.faults)
    between = _between(plan)
    step = length / (len(between) + 1)
    stages = [Stage(plan.created, IN_PROGRESS)]
    stages += [Stage(plan.created + number * step, name) for number, name in enumerate(between, 1)]
    end = plan.created + length
    if plan.faults.get("F9", "skipped"):
        end = plan.created
    if plan.faults.get("F9", "stuck"):
        end = plan.expires_at
    kept = [stage for stage in stages if stage.at < plan.expires_at]
    return [*kept, Stage(min(end, plan.expires_at), ENDED)]


def _between(plan: BatchPlan) -> list[str]:
    """Return the statuses between the first and the last that a fault adds."""
    fault = plan.faults.get("F9")
    if fault is None:
        return []
    state = str(fault.options["state"])
    if fault.variant == "stuck":
        return [state] if state else []
    if fault.variant == "unknown":
        return [state or "rebalancing"]
    return [CANCELING, IN_PROGRESS] if fault.variant == "repeated" else []


def unfinished(stages: Sequence[Stage], expires_at: float, faults: Injected) -> tuple[float, Rest]:
    """Return which share of its rows a batch answers by its end, and what becomes of the others."""
    if fault := faults.get("F10"):
        return float(fault.options["share"]), _ENDINGS[fault.variant]
    if stages[-1].at >= expires_at:
        return PARTIAL, "expired"
    return 1.0, "succeeded"
