"""A run that was looked at under its stopping rule, and may no longer be changed, even by force."""

from __future__ import annotations

from collections.abc import Sequence

from promptrial.errors import ConfigDriftError
from promptrial.store.look_records import LOOKS_FILE
from promptrial.store.rundir import RunDir

__all__ = ["refuse_after_a_look"]


def refuse_after_a_look(run: RunDir, drift: Sequence[str]) -> None:
    """Refuse a changed configuration: what the looks of a run decided was about the answers to the earlier one.

    Raises
    ------
    ConfigDriftError
        Names the trial that was looked at, and the keys that changed.
    """
    looked = sorted(path.parent.parent.name for path in run.root.glob(f"*/results/{LOOKS_FILE}")) if drift else []
    if looked:
        lines = "\n  ".join(drift)
        raise ConfigDriftError(
            f"run {run.run_id} cannot be changed: {looked[0]} was looked at under its stopping rule:\n  {lines}",
            hint="undo the change, or start a new run with another --run_id (--reuse takes over its answers)",
        )
