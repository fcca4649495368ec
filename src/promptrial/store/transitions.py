"""From which status to which a phase of a run may go."""

from __future__ import annotations

from typing import Final

from promptrial.errors import IllegalTransitionError
from promptrial.store.records import PhaseState, PhaseStatus, RunState

__all__ = ["transition"]

# From each status, the ones that may follow. ``in_progress`` may follow itself: a killed run is taken up again.
_TRANSITIONS: Final[dict[PhaseStatus, frozenset[PhaseStatus]]] = {
    "not_started": frozenset({"in_progress"}),
    "in_progress": frozenset({"in_progress", "completed", "failed", "stopped"}),
    "completed": frozenset({"in_progress"}),
    "failed": frozenset({"in_progress"}),
    "stopped": frozenset({"in_progress"}),
}


def transition(state: RunState, phase: str, status: PhaseStatus, now: str, error: str | None = None) -> None:
    """Move a phase to a status.

    Raises
    ------
    IllegalTransitionError
        If that status cannot follow the phase's own.
    """
    current = state.phases[phase]
    if status not in _TRANSITIONS[current.status]:
        raise IllegalTransitionError(f"run {state.run_id}: phase {phase} cannot go from {current.status} to {status}")
    started_at = now if status == "in_progress" else current.started_at
    state.phases[phase] = PhaseState(status, started_at, now, error)
