"""``promptrial rm``: remove a run permanently, after asking."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from promptrial.cli.options import add_experiments_dir, add_run_id, experiments_dir
from promptrial.cli.parser import Parser
from promptrial.runtime.terminal import print_result

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Delete a run permanently: its questions, requests, answers, scores and reports.

Asks first, unless --yes is given. A run that is in use or has jobs in flight is not deleted."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser)
    add_experiments_dir(parser)
    # Not by ``add_flag``: PROMPTRIAL_YES allows to spend, and must not allow to remove.
    parser.add_argument(
        "--yes", action="store_true", help="delete without asking; cannot be set by an environment variable"
    )


def execute(args: argparse.Namespace) -> int:
    """Remove the run.

    Raises
    ------
    UsageError
        If there is no such run, it has jobs in flight, or nobody can be asked.
    RunLockedError
        If a process works on it.
    """
    from promptrial.care.removal import remove_run, require_removable, size_of
    from promptrial.runtime.clock import SystemClock

    clock = SystemClock()
    run = require_removable(experiments_dir(args), args.run_id, clock)
    size = size_of(run)
    what = f"{run.root}: {size.files:,} files, {size.n_bytes:,} bytes"
    if not args.yes and not _is_allowed(f"remove {what} permanently?", f"{run.command('rm')} --yes"):
        print_result("nothing was removed\n")
        return 0
    remove_run(run, clock)
    print_result(f"removed {what}\n")
    return 0


def _is_allowed(question: str, command: str) -> bool:
    from promptrial.errors import UsageError
    from promptrial.runtime.asking import terminal_question

    ask = terminal_question(nullcontext)
    if ask is None:
        raise UsageError("nothing was removed: there is no terminal to ask on", hint=command)
    return ask(question, lambda: False)
