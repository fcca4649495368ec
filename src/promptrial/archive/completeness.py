"""Whether a run is complete, as the plan sees it: every phase completed, every receipt on the disk. Reads only."""

from __future__ import annotations

from promptrial.archive.manifest import Completeness
from promptrial.design import plan
from promptrial.engine.opening import RunRequest
from promptrial.engine.previewing import preview
from promptrial.engine.session import Invocation
from promptrial.errors import ConfigError, CorruptRecordError
from promptrial.store import records
from promptrial.store.records import RunState
from promptrial.store.rundir import RunDir

__all__ = ["look"]


def look(run: RunDir, invocation: Invocation) -> tuple[Completeness, str | None]:
    """Return how far a run is by its own records and its own configuration, and the hash of that configuration.

    What has changed since outside of the run's folder, in the file that it was started with, says nothing of the run.
    """
    try:
        state = records.load(run.state_path, RunState)
    except FileNotFoundError:
        return Completeness(complete=False, phases={}, left=(f"{run.state_path.name} does not exist",)), None
    except CorruptRecordError:
        return Completeness(complete=False, phases={}, left=(f"{run.state_path.name} is damaged",)), None
    left = [f"{name}: {phase.status}" for name, phase in state.known_phases.items() if phase.status != "completed"]
    left = _left_by_plan(run, invocation) or left
    phases = {name: phase.status for name, phase in state.phases.items()}
    return Completeness(complete=not left, phases=phases, left=tuple(left)), state.config_hash


def _left_by_plan(run: RunDir, invocation: Invocation) -> list[str]:
    request = RunRequest(run.root.parent, run.run_id, config=run.config_path, plan_only=True)
    try:
        planned = preview(request, plan.select_phases(None, None, None), invocation)
    except ConfigError as error:
        invocation.say(error.message)  # which may name a folder, and so is not for the manifest
        return [f"{run.config_path.name} cannot be read"]
    return [f"{action.phase}: {action.reason}" for action in planned.actions if not action.done]
