"""``promptrial stop``: ask a run that another process works on to stop, softly or immediately."""

from __future__ import annotations

import argparse
import threading

from promptrial.care.status import find_folder
from promptrial.care.stop_request import ask_to_stop
from promptrial.cli.options import add_experiments_dir, add_run_id, experiments_dir, resume_command
from promptrial.cli.parser import Parser, add_flag
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.runtime.stop import DETACH, SOFTLY
from promptrial.runtime.terminal import print_result
from promptrial.store.lock import Holder, holder
from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Stop a run after the current request, whose answer is kept. The run can be resumed."
_LOOK_EVERY_S = 0.2


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser)
    add_experiments_dir(parser)
    add_flag(parser, "wait", "wait until the run has stopped", action="store_true")
    add_flag(
        parser,
        "now",
        "do not wait for the current request; jobs at a provider continue, and resuming collects their answers",
        action="store_true",
    )


def execute(args: argparse.Namespace) -> int:
    """Write the sentinel that the run looks for.

    Raises
    ------
    UsageError
        If there is no such run.
    """
    run, clock = find_folder(experiments_dir(args), args.run_id), SystemClock()
    asked = ask_to_stop(run, DETACH if args.now else SOFTLY, clock)
    if asked is None:
        print_result(f"run {run.run_id} is not running; nothing to stop\n")
        return 0
    if args.wait:
        _wait(run, asked, clock)
    how = "immediately" if args.now else "after the current request"
    said = "has stopped" if args.wait and asked.works else f"was asked to stop {how}{_doubt(asked)}"
    print_result(f"run {run.run_id} {said}; resume it with: {resume_command(args, run.run_id)}\n")
    return 0


def _wait(run: RunDir, asked: Holder, clock: Clock) -> None:
    """Return when the process that was asked no longer holds the run; another one may have taken it since."""
    never, by = threading.Event(), holder(run.lock_path, clock)
    while by is not None and by.works and by.is_same(asked):
        clock.wait(never, _LOOK_EVERY_S)
        by = holder(run.lock_path, clock)


def _doubt(asked: Holder) -> str:
    if not asked.silent:
        return ""
    return f" ({asked.shown} has shown no sign of life for {asked.silent_s:,.0f} s: it is suspended, or has ended)"
