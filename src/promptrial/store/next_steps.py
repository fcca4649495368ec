"""What to do about a run that lacks what is asked for: wait, where a process works on it, or else resume it."""

from __future__ import annotations

from promptrial.errors import PromptrialError
from promptrial.store.lock import holder
from promptrial.store.rundir import RunDir

__all__ = ["wait_or_resume"]


def wait_or_resume(run: RunDir) -> str:
    """Return what to do until a run has what it lacks now, with the command to run.

    A second process is refused, so that to resume a run helps only where none works on it.
    """
    try:
        by = holder(run.lock_path)
    except (PromptrialError, OSError):
        by = None
    if by is not None and by.works:
        return f"a process works on this run; wait until it is finished: {run.command('status')} --watch"
    return f"resume the run: {run.resume_command}"
