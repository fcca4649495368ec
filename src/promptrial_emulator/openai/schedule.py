"""When a batch is in which state: a list of times and states, fixed when the batch is created. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.stages import Stage, in_turn, share_by_end, slowed

__all__ = [
    "CANCELLED",
    "CANCELLING",
    "FINISHED",
    "IN_PROGRESS",
    "VALIDATING",
    "BatchPlan",
    "plan_stages",
    "share_at",
    "share_of_rows",
]

VALIDATING: Final = "validating"
IN_PROGRESS: Final = "in_progress"
CANCELLING: Final = "cancelling"
CANCELLED: Final = "cancelled"
_COMPLETED: Final = "completed"
_USUAL: Final = (VALIDATING, IN_PROGRESS, "finalizing", _COMPLETED)
FINISHED: Final = frozenset({_COMPLETED, "failed", "expired", CANCELLED})


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What decides on the states of a batch. Times in virtual seconds."""

    created: float
    stage_s: float
    expires_at: float
    fit: bool
    faults: Injected


def plan_stages(batch: BatchPlan) -> list[Stage]:
    """Return the states of a batch in the order of their times; the first is at its creation."""
    stage_s = slowed(batch.stage_s, batch.faults)
    kept = in_turn(_names(batch), batch.created, stage_s, batch.expires_at)
    if kept[-1].state not in FINISHED:
        kept.append(Stage(batch.expires_at, "expired"))
    return kept


def share_of_rows(stages: list[Stage], faults: Injected) -> float:
    """Return which share of its rows a batch has answered by its end."""
    return share_by_end(stages, faults, running=IN_PROGRESS, completed=_COMPLETED)


def share_at(stages: list[Stage], now: float) -> float:
    """Return which share of its rows a batch has answered at a time."""
    start = next((stage.at for stage in stages if stage.state == IN_PROGRESS), None)
    if start is None or now <= start:
        return 0.0
    end = next((stage.at for stage in stages if stage.at > start), start)
    return min(1.0, (now - start) / (end - start)) if end > start else 1.0


def _names(batch: BatchPlan) -> list[str]:
    if not batch.fit:
        return [VALIDATING, "failed"]
    names = list(_USUAL)
    if fault := batch.faults.get("F10"):
        names = [VALIDATING, "failed"] if fault.variant == "failed" else [*names[:-1], fault.variant]
    if fault := batch.faults.get("F9"):
        names = _irregular(names, fault.variant, fault.options["state"])
    return names


def _irregular(names: list[str], variant: str, state: str) -> list[str]:
    if variant == "stuck":
        wanted = state or IN_PROGRESS
        return names[: names.index(wanted) + 1] if wanted in names else [*names[:-1], wanted]
    if variant == "skipped":
        return [names[0], names[-1]]
    if variant == "unknown":
        return [*names[:2], state or "rebalancing", *names[2:]]
    if variant == "repeated":
        return [*names[:2], *names[:2], *names[2:]]
    return names
