"""``promptrial compare``: what differs between two runs, and whether B passes the gates that it is held to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.care.status import find_run
from promptrial.cli.gate_flags import GATE_FAILED, add_gate_flags
from promptrial.cli.options import ALL_ARMS, add_experiments_dir, experiments_dir
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import names
from promptrial.errors import UsageError
from promptrial.runtime.terminal import print_result, result_width, say_to_stderr

if TYPE_CHECKING:
    from promptrial.comparison.comparing import ArmChoice
    from promptrial.documents.comparison import Comparison
    from promptrial.model.arms import ArmName

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Compare the same arms of two runs, trial by trial: effects, items fixed and broken, costs.

The two runs may differ in their prompts. Runs that differ in items, scorers, model or decoding are refused.

The gate 'em >= -0.01' passes if the exact match of B is shown to be no more than 0.01 below that of A
(non-inferiority). If a gate fails or cannot be evaluated, the exit code is 100."""


def configure(parser: Parser) -> None:
    """Add the arguments and flags of the command."""
    parser.add_argument("run_a", metavar="RUN_A", help="the baseline run")
    parser.add_argument("run_b", metavar="RUN_B", help="the run to compare with the baseline")
    add_experiments_dir(parser)
    add_flag(parser, "arms", "arms to compare, separated by commas (default: the treatments that both runs have)",
             type=names, rivals=("condition",), metavar="A,B")  # fmt: skip
    add_flag(parser, "condition", f"compare only this arm (`{ALL_ARMS}` means every arm that both runs have); an "
                                  "alias for --arms",
             rivals=("arms",), metavar="ARM")  # fmt: skip
    add_flag(
        parser, "trial_a", "the trial of A, if the names of the trials differ (requires --trial_b)", metavar="SLUG"
    )
    add_flag(parser, "trial_b", "the trial of B to compare it with (requires --trial_a)", metavar="SLUG")
    add_flag(parser, "force", "compare even if items, scorers, model or decoding differ", action="store_true")
    group = parser.add_argument_group("gates")
    add_gate_flags(parser, group, "a bound on B minus A: 'MEASURE >= -MARGIN' or 'MEASURE <= MARGIN'; "
                                  "MEASURE@SUBSET for a subset: open (questions with a passage), closed (without one) "
                                  "or a data set; "
                                  "MEASURE@COLUMN=VALUE for a subgroup; may be repeated. MEASURE is a scorer that "
                                  "both runs have")  # fmt: skip
    add_flag(parser, "junit", "write the results of the gates as JUnit XML", group=group, type=Path, metavar="FILE")
    group = parser.add_argument_group("output")
    add_flag(parser, "markdown", "write the comparison as Markdown", group=group, type=Path, metavar="FILE")
    add_flag(parser, "json", "machine-readable result on stdout", group=group, action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Compare, print, and return 100 if a gate failed.

    Raises
    ------
    UsageError
        If the runs do not exist, or may not be compared.

    Side effects: writes the files that ``--junit`` and ``--markdown`` name.
    """
    from promptrial.comparison import pages
    from promptrial.comparison.comparing import ComparisonRequest, compare
    from promptrial.comparison.reading import scorers_of
    from promptrial.reporting.tables.words import wording

    if (args.trial_a is None) != (args.trial_b is None):
        raise UsageError("--trial_a and --trial_b are used together: give both")
    if args.junit is not None and not args.gate:
        raise UsageError("--junit writes the results of gates: give at least one --gate")
    runs = [find_run(experiments_dir(args), name) for name in (args.run_a, args.run_b)]
    comparison = compare(
        ComparisonRequest(
            a=runs[0],
            b=runs[1],
            trials=None if args.trial_a is None else (args.trial_a, args.trial_b),
            arms=_arms(args),
            gates=tuple(args.gate),
            alpha=args.alpha,
            force=args.force,
        )
    )
    with wording(scorers_of(runs[0]) | scorers_of(runs[1])):
        _write_files(args, comparison)
        print_result(_as_json(comparison) if args.json else pages.as_text(comparison, result_width()))
    for failure in pages.failures(comparison):
        say_to_stderr(failure)
    return GATE_FAILED if comparison.passed is False else 0


def _arms(args: argparse.Namespace) -> tuple[ArmName, ...] | ArmChoice:
    if args.arms is not None and args.condition is not None:
        raise UsageError("--arms and --condition cannot be combined")
    if args.condition == ALL_ARMS:
        return "all"
    named = args.arms or ([] if args.condition is None else [args.condition])
    return tuple(named) or "treatments"


def _write_files(args: argparse.Namespace, comparison: Comparison) -> None:
    from promptrial.comparison.junit import as_junit
    from promptrial.comparison.pages import as_markdown
    from promptrial.store import atomic

    if args.junit is not None:
        atomic.write_bytes(args.junit, as_junit(comparison))
    if args.markdown is not None:
        atomic.write_bytes(args.markdown, as_markdown(comparison).encode())


def _as_json(comparison: Comparison) -> str:
    import msgspec

    return json.dumps(msgspec.to_builtins(comparison), indent=2) + "\n"
