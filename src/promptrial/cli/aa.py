"""``promptrial aa``: the control of a finished run against itself. Reads, and scores replicates in memory."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.gate_flags import gates_of, level_of
from promptrial.cli.options import add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import positive
from promptrial.config.environment import environment
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_pieces, print_result, result_width

if TYPE_CHECKING:
    from promptrial.care.opened import ReadRun
    from promptrial.cli.results import Piece
    from promptrial.documents.aa import AACheck, AATrial

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Compare the control of a finished run with itself. Splits its answers into two halves at random, many
times, and applies the run's test, verdict and gates to each split. The halves do not differ, so every difference that
is reported is a false alarm.

Needs several answers to each question (samples_per_item), or a run that asked its control twice
(promptrial run --aa). No model is called, and the run does not change."""
_SPLITS: Final = 1_000


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_flag(parser, "trial_filter", "only trials whose name contains TEXT", metavar="TEXT")
    add_flag(parser, "splits", f"number of random splits to test (default: {_SPLITS:,})", type=positive,
             default=_SPLITS, metavar="N")  # fmt: skip
    add_flag(parser, "gate", "a gate, as in `compare --gate`; shows how often it gives a false alarm; may be repeated",
             type=gates_of, action="extend", default=(), metavar="GATE")  # fmt: skip
    add_flag(
        parser,
        "alpha",
        "significance level of the tests and gates (default: stats.alpha of the run)",
        type=level_of,
        metavar="X",
    )
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")
    add_experiments_dir(parser)


def execute(args: argparse.Namespace) -> int:
    """Check a run, and print what was found.

    Raises
    ------
    UsageError
        If there is no such run or trial, or nothing of it can be split.

    Side effects: runs the files of scorers that the configuration names.
    """
    from promptrial.care.aa_check import aa_check
    from promptrial.care.opened import read_run
    from promptrial.documents import aa
    from promptrial.engine.session import Invocation

    run = run_or_latest(args)
    env = environment(os.environ, Path.cwd())
    found = read_run(run, env, Invocation(env, SystemClock(), lambda _text: None))
    trials = [each for each in found.spec.trials if args.trial_filter is None or args.trial_filter in each.slug]
    if not trials:
        names = ", ".join(each.slug for each in found.spec.trials)
        raise UsageError(f"--trial_filter {args.trial_filter!r} matches no trial", hint=f"trials: {names}")
    check = aa_check(found, trials, args.gate, args.splits, args.alpha)
    if args.json:
        print_result(aa.encode(check).decode())
    else:
        print_pieces(_pieces(found, check, result_width()))
    return 0


def _pieces(found: ReadRun, check: AACheck, width: int) -> Iterator[Piece]:
    from promptrial.cli.results import DRY_RUN, warning_pieces

    if check.dry_run:
        yield f"{DRY_RUN}\n\n", "warning"
    for trial in check.trials:
        yield f"{trial.trial}\n\n", ""
        yield from warning_pieces(trial.warnings, width)
        yield from _trial(found, trial, width)


def _trial(found: ReadRun, trial: AATrial, width: int) -> Iterator[Piece]:
    from promptrial.cli.results import line_pieces, table_pieces
    from promptrial.phases.scorers import declared
    from promptrial.reporting.aa import aa_lines, aa_tables
    from promptrial.reporting.plain import one_line, wrapped
    from promptrial.reporting.tables.words import wording

    with wording(declared(found.spec.run.trial(trial.trial).results)):
        lines = list(aa_lines(trial))
        tables = list(aa_tables(trial.result)) if trial.result is not None else []
    for line in lines:
        yield from line_pieces(wrapped(one_line(line), width))
    yield "\n", ""
    for table in tables:
        yield from table_pieces(table, width)
