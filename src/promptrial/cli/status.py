"""``promptrial status``: the progress of a run, read from its files; once, or again and again until it ends."""

from __future__ import annotations

import argparse
import json
import sys
import threading

import msgspec

from promptrial.care.following import Look, look_at, require_there
from promptrial.care.live_facts import answers_text, jobs_text, progress_text, spent_text, standing
from promptrial.care.run_documents import status_document
from promptrial.care.status import RunStatus, pilot_ended, read_status
from promptrial.cli.options import add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.prose import print_prose
from promptrial.documents.printable import escaped
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.runtime.interrupts import Terminated
from promptrial.runtime.terminal import print_result, takes_controls
from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Show the progress of a run. Only reads files, so it is safe while another process is using the run."
_LOOK_EVERY_S = 1.0
_MOST_AWAITED = 10


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")
    add_flag(parser, "watch", "keep updating until the run is finished or you press Ctrl-C; without a terminal, "
                              "until no process is working on the run", action="store_true")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Print the progress of the run.

    Raises
    ------
    UsageError
        If there is no such run, or none at all.
    """
    run, clock = run_or_latest(args), SystemClock()
    if args.watch and not args.json and takes_controls(sys.stdout):
        return _watch_panel(run, clock)
    if args.watch:
        return _watch(run, clock, as_json=args.json)
    if args.json:
        print_result(_as_json(read_status(run, clock), indent=2))
    else:
        print_prose(_as_text(run, look_at(run, clock)))
    return 0


def _watch(run: RunDir, clock: Clock, *, as_json: bool) -> int:
    """Print the status as it changes, each below the last; as JSON, a line each."""
    never, shown = threading.Event(), ""
    try:
        while True:
            require_there(run)
            status = read_status(run, clock)
            text = _as_json(status) if as_json else _as_text(run, look_at(run, clock))
            if text != shown:
                print_result(text)
                shown = text
            if not status.working:
                return 0
            clock.wait(never, _LOOK_EVERY_S)
    except Terminated:
        raise
    except KeyboardInterrupt:  # that is how a person stops watching; the run is not touched by it
        return 0


def _watch_panel(run: RunDir, clock: Clock) -> int:
    """Show the panel of a run that other processes work on, through their ends, then its status as it is at last."""
    from promptrial.cli.panel import watch_panel

    watch_panel(run, clock)
    print_prose(_as_text(run, look_at(run, clock)))
    return 0


def _as_json(status: RunStatus, indent: int | None = None) -> str:
    return json.dumps(msgspec.to_builtins(status_document(status)), indent=indent) + "\n"


def _as_text(run: RunDir, look: Look) -> str:
    status = look.status
    answers = "" if status.rows is None else f", {answers_text(status)} answers"
    by = f", by {status.holder.shown}" if status.holder and status.working else ""
    jobs = f", {jobs_text(status)}" if status.waiting_for else ""
    silent = ", which has shown no sign of life for over a minute" if status.word == "stalled" else ""
    lines = [f"run {status.state.run_id}: {standing(look)}{answers}{jobs}{by}{silent}"]
    for name, phase in status.state.phases.items():
        error = f"  ({phase.last_error})" if phase.last_error else ""
        progress = progress_text(status.progress.get(name))
        lines.append(f"{name:<8} {phase.status:<12} {progress:<16} {phase.updated_at or ''}{error}".rstrip())
    emulated = " (emulated)" if look.dry_run else ""
    lines += [f"         spent: {spent}{emulated}"] if (spent := spent_text(look)) else []
    lines += [f"         {pilot}"] if (pilot := _pilot(run, status)) else []
    lines += [f"         {escaped(text)}" for text in (*status.waves, *status.awaited[:_MOST_AWAITED])]
    left = len(status.awaited) - _MOST_AWAITED
    lines += [f"         and {left} more"] if left > 0 else []
    return "\n".join(lines) + "\n"


def _pilot(run: RunDir, status: RunStatus) -> str:
    """Return that the run is at the end of its pilot, and the command that goes on."""
    items = None if status.working else pilot_ended(status.state)
    if items is None:
        return ""
    return f"the pilot is finished ({items} items of each data set); ask the rest: {run.resume_command} --yes"
