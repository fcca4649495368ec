"""``promptrial status``: how far a run is, from its files alone; once, or again and again until it ends."""

from __future__ import annotations

import argparse
import json
import sys
import threading

import msgspec

from promptrial.care.run_documents import status_document
from promptrial.care.status import Progress, RunStatus, read_status
from promptrial.cli.options import Parser, add_experiments_dir, add_flag, add_run_id, run_or_latest
from promptrial.documents.printable import escaped
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.runtime.interrupts import Terminated
from promptrial.runtime.terminal import print_result
from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Show the progress of a run, read from disk. Safe while another process works on it."
_LOOK_EVERY_S = 1.0
_MOST_AWAITED = 10


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")
    add_flag(parser, "watch", "refresh every second until no process works on the run", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print how far the run is.

    Raises
    ------
    UsageError
        If there is no such run, or none at all.
    """
    run, clock = run_or_latest(args, "status"), SystemClock()
    if args.watch:
        return _watch(run, clock, as_json=args.json)
    status = read_status(run, clock)
    print_result(json.dumps(_values(status), indent=2) + "\n" if args.json else _as_text(status))
    return 0


def _watch(run: RunDir, clock: Clock, *, as_json: bool) -> int:
    """Print the status as it changes: over the last one on a terminal, below it elsewhere; as JSON, a line each."""
    never, shown, height = threading.Event(), "", 0
    try:
        while True:
            status = read_status(run, clock)
            text = json.dumps(_values(status)) + "\n" if as_json else _as_text(status)
            if text != shown:
                up = f"\x1b[{height}A\x1b[J" if height and sys.stdout.isatty() and not as_json else ""
                print_result(text, before=up)
                shown, height = text, text.count("\n")
            if not status.working:
                return 0
            clock.wait(never, _LOOK_EVERY_S)
    except Terminated:
        raise
    except KeyboardInterrupt:  # that is how a person stops watching; the run is not touched by it
        return 0


def _values(status: RunStatus) -> object:
    return msgspec.to_builtins(status_document(status))


def _as_text(status: RunStatus) -> str:
    answers = "" if status.rows is None else f", {status.rows} of {status.expected_rows} answers"
    by = f", by {status.holder.shown}" if status.holder and status.working else ""
    jobs = "".join(f", {count} jobs at {name}" for name, count in status.waiting_for.items())
    silent = ", which has not shown itself for over a minute" if status.word == "stalled" else ""
    lines = [f"run {status.state.run_id}: {status.word}{answers}{jobs}{by}{silent}"]
    for name, phase in status.state.phases.items():
        error = f"  ({phase.last_error})" if phase.last_error else ""
        progress = _progress(status.progress.get(name))
        lines.append(f"{name:<8} {phase.status:<12} {progress:<16} {phase.updated_at or ''}{error}".rstrip())
    lines += [f"         {escaped(text)}" for text in status.awaited[:_MOST_AWAITED]]
    left = len(status.awaited) - _MOST_AWAITED
    lines += [f"         and {left} more"] if left > 0 else []
    return "\n".join(lines) + "\n"


def _progress(progress: Progress | None) -> str:
    return "" if progress is None else f"{progress.done} of {progress.total} {progress.unit}"
