"""When a job is in which state: a list of times and states, fixed when the job is created. Pure.

A job that no fault affects goes through VALIDATING, PENDING, CREATING and RUNNING to COMPLETED, and stays equally long
in each; faults, an invalid data set, an unsupported model and the time limit change that list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.stages import Stage, in_turn, share_by_end, slowed

__all__ = ["TERMINAL", "JobPlan", "has_output", "plan_stages", "share_of_rows"]

_PREFIX: Final = "JOB_STATE_"
_USUAL: Final = ("VALIDATING", "PENDING", "CREATING", "RUNNING", "COMPLETED")
TERMINAL: Final = frozenset(_PREFIX + name for name in ("COMPLETED", "FAILED", "EXPIRED", "EARLY_STOPPED", "CANCELLED"))
_WITH_OUTPUT: Final = frozenset(_PREFIX + name for name in ("COMPLETED", "EXPIRED", "EARLY_STOPPED"))


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What decides on the states of a job. Times in virtual seconds."""

    created: float
    stage_s: float
    expires_at: float
    fit: bool
    supported: bool
    faults: Injected


def plan_stages(job: JobPlan) -> list[Stage]:
    """Return the states of a job in the order of their times; the first is at its creation."""
    stage_s = slowed(job.stage_s, job.faults)
    kept = in_turn([_full(name) for name in _names(job)], job.created, stage_s, job.expires_at)
    if kept[-1].state not in TERMINAL:
        kept.append(Stage(job.expires_at, _full("EXPIRED")))
    return kept


def has_output(state: str, faults: Injected) -> bool:
    """Whether a job that ended in a state has an output data set."""
    fault = faults.get("F10")
    return state in _WITH_OUTPUT or (fault is not None and bool(fault.options["output"]))


def share_of_rows(stages: Sequence[Stage], faults: Injected) -> float:
    """Return which share of its rows a job has answered by its end."""
    return share_by_end(stages, faults, running=_full("RUNNING"), completed=_full("COMPLETED"))


def _names(job: JobPlan) -> list[str]:
    if not job.fit:
        return ["VALIDATING", "FAILED"]
    if not job.supported:
        return ["VALIDATING", "PENDING"]
    names = list(_USUAL)
    if fault := job.faults.get("F10"):
        names[-1] = fault.variant.upper()
    if fault := job.faults.get("F9"):
        names = _irregular(names, fault.variant, fault.options["state"])
    return names


def _irregular(names: list[str], variant: str, state: str) -> list[str]:
    if variant == "stuck":
        wanted = state.removeprefix(_PREFIX) or "RUNNING"
        return names[: names.index(wanted) + 1] if wanted in names else [*names[:-1], wanted]
    if variant == "skipped":
        return [names[0], names[-1]]
    if variant == "unknown":
        return [*names[:3], state.removeprefix(_PREFIX) or "REBALANCING", *names[3:]]
    if variant == "repeated":
        return [*names[:4], "PENDING", "CREATING", *names[3:]]
    return names


def _full(name: str) -> str:
    return _PREFIX + name
