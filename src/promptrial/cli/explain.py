"""``promptrial explain``: why a phase of a run would run or be skipped, and the command that runs it."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from promptrial import registry
from promptrial.cli.options import add_experiments_dir, experiments_dir, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.prose import print_prose

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = (
    "Explain why each phase, or one of them, would run or be skipped if the run were resumed. Changes nothing."
)


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN_ID", help="name of the run (default: the most recently changed run)"
    )
    parser.add_argument(
        "phase", nargs="?", metavar="PHASE", help=f"one of {', '.join(registry.PHASES)} (default: all of them)"
    )
    add_flag(parser, "run_id", "same as RUN_ID", metavar="ID")
    add_experiments_dir(parser)


def execute(args: argparse.Namespace) -> int:
    """Print why.

    Raises
    ------
    UsageError
        If there is no such run or no such phase.
    """
    from promptrial.care.explaining import explain_phases
    from promptrial.config.environment import environment
    from promptrial.engine.session import Invocation
    from promptrial.runtime.clock import SystemClock

    _sort(args)
    run = run_or_latest(args)
    phases = [args.phase] if args.phase else [*registry.PHASES]
    env = environment(os.environ, Path.cwd())
    lines = explain_phases(run, phases, Invocation(env, SystemClock(), lambda _text: None))
    print_prose("\n".join(lines))
    return 0


def _sort(args: argparse.Namespace) -> None:
    """Take a single word that is the name of a phase, and of no run or after ``--run_id``, for the phase.

    Raises
    ------
    UsageError
        If there is no such phase, if it comes before the run, or if two runs are named.
    """
    from promptrial.config.environment import place_flag
    from promptrial.errors import UsageError

    flag, word = args.run_id, args.run
    is_phase = word in registry.PHASES and not (experiments_dir(args) / f"run_{word}").exists()
    if args.phase is None and word is not None and word != flag and (flag is not None or is_phase):
        word, args.phase = None, word
    if flag is not None and word not in {None, flag}:
        raise UsageError(f"two runs are named: {word} and {flag}", hint="remove one of them")
    args.run_id = word or flag
    if args.run_id in registry.PHASES and args.phase is not None and args.phase not in registry.PHASES:
        place = place_flag(experiments_dir(args))
        raise UsageError(
            "the run comes first, then the phase",
            hint=f"promptrial explain {shlex.quote(args.phase)} {args.run_id}{place}",
        )
    if args.phase is not None and args.phase not in registry.PHASES:
        raise UsageError(f"unknown phase {args.phase!r}{registry.near_misses(args.phase, registry.PHASES)}")
