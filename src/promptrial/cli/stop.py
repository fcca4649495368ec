"""``promptrial stop``: ask a run that another process works on to stop, softly or at once."""

from __future__ import annotations

import argparse
import sys
import threading

from promptrial.cli.options import Parser, add_experiments_dir, add_flag, add_run_id, experiments_dir, resume_command
from promptrial.engine.status import find_run
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.stop import DETACH, SOFTLY
from promptrial.store import atomic
from promptrial.store.lock import holder
from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Ask a run to stop: the request in work is finished and kept, and the run can be resumed."
_LOOK_EVERY_S = 0.2


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser)
    add_experiments_dir(parser)
    add_flag(parser, "wait", "return only when the run has stopped", action="store_true")
    add_flag(parser, "now", "do not even wait for the request in work; jobs at a provider run on, and the resume "
             "takes them up", action="store_true")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Write the sentinel that the run looks for.

    Raises
    ------
    UsageError
        If there is no such run.
    """
    run = find_run(experiments_dir(args), args.run_id)
    if not _working(run):
        sys.stdout.write(f"run {run.run_id} is not running; nothing to stop\n")
        return 0
    atomic.write_bytes(run.sentinel_path, DETACH if args.now else SOFTLY)
    if args.wait:
        clock, never = SystemClock(), threading.Event()
        while _working(run):
            clock.wait(never, _LOOK_EVERY_S)
    how = "at once" if args.now else "after the request in work"
    said = "has stopped" if args.wait else f"was asked to stop, {how}"
    sys.stdout.write(f"run {run.run_id} {said}; go on with: {resume_command(args, run.run_id)}\n")
    return 0


def _working(run: RunDir) -> bool:
    by = holder(run.lock_path)
    return by is not None and by.works
