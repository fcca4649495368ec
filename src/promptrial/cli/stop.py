"""``promptrial stop``: ask a run that another process works on to stop, softly or immediately."""

from __future__ import annotations

import argparse
import threading

from promptrial.care.status import find_run
from promptrial.cli.options import Parser, add_experiments_dir, add_flag, add_run_id, experiments_dir, resume_command
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.runtime.stop import DETACH, SOFTLY
from promptrial.runtime.terminal import print_result
from promptrial.store import atomic
from promptrial.store.lock import Holder, holder
from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Ask a run to stop: the current request is finished and kept, and the run can be resumed."
_LOOK_EVERY_S = 0.2
_NAMING_S = 0.05
_NAMING_TRIES = 40


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser)
    add_experiments_dir(parser)
    add_flag(parser, "wait", "return only when the run has stopped", action="store_true")
    add_flag(parser, "now", "do not even wait for the current request; jobs at a provider continue, and a resume "
             "collects them", action="store_true")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Write the sentinel that the run looks for.

    Raises
    ------
    UsageError
        If there is no such run.
    """
    run, clock = find_run(experiments_dir(args), args.run_id), SystemClock()
    asked = _ask(run, DETACH if args.now else SOFTLY, clock)
    if asked is None:
        print_result(f"run {run.run_id} is not running; nothing to stop\n")
        return 0
    if args.wait:
        _wait(run, asked, clock)
    how = "immediately" if args.now else "after the current request"
    said = "has stopped" if args.wait and asked.works else f"was asked to stop {how}{_doubt(asked)}"
    print_result(f"run {run.run_id} {said}; resume it with: {resume_command(args, run.run_id)}\n")
    return 0


def _ask(run: RunDir, how: bytes, clock: Clock) -> Holder | None:
    """Leave the sentinel if a process may work on a run; return who was asked, or None if no process works on it.

    A process that starts removes a sentinel that was left for an earlier one, and then writes its name into the lock.
    So the sentinel counts once the same name stood in the lock before and after it was written.
    """
    by = holder(run.lock_path, clock)
    for _ in range(_NAMING_TRIES):
        if by is None or not by.may_live:
            return None
        atomic.write_bytes(run.sentinel_path, how)
        after = holder(run.lock_path, clock)
        if by.pid is not None and by.is_same(after):
            return by
        clock.wait(threading.Event(), _NAMING_S)
        by = holder(run.lock_path, clock)
    return by


def _wait(run: RunDir, asked: Holder, clock: Clock) -> None:
    """Return when the process that was asked no longer holds the run; another one may have taken it since."""
    never, by = threading.Event(), holder(run.lock_path, clock)
    while by is not None and by.works and by.is_same(asked):
        clock.wait(never, _LOOK_EVERY_S)
        by = holder(run.lock_path, clock)


def _doubt(asked: Holder) -> str:
    if not asked.silent:
        return ""
    return f" ({asked.shown} has not shown itself for {asked.silent_s:,.0f} s: it is suspended, or gone)"
