"""``promptrial compare``: what differs between two runs, and whether B passes the gates that it is held to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.care.status import find_run
from promptrial.cli.options import ALL_ARMS, Parser, add_experiments_dir, add_flag, experiments_dir
from promptrial.cli.values import names
from promptrial.errors import UsageError
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.comparison.comparing import ArmChoice
    from promptrial.comparison.document import Comparison
    from promptrial.comparison.gates import Gate
    from promptrial.model.arms import ArmName

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Compare the same arms of two runs, trial by trial: effects, items fixed and broken, costs.

Runs whose items, scorer, model or decoding differ are refused; prompts may differ. A gate such as 'em >= -0.01' passes
if B is shown to be worse than A by less than that (non-inferiority); if one fails, or cannot be estimated, the exit
code is 100."""
_GATE_FAILED: Final = 100


def configure(parser: Parser) -> None:
    """Add the arguments and flags of the command."""
    parser.add_argument("run_a", metavar="RUN_A", help="name of the run to compare with, the baseline")
    parser.add_argument("run_b", metavar="RUN_B", help="name of the run to compare")
    add_experiments_dir(parser)
    add_flag(parser, "arms", "names of arms, separated by commas (default: the treatments that both runs have)",
             type=names, rivals=("condition",), metavar="A,B")  # fmt: skip
    add_flag(parser, "condition", f"this arm only; {ALL_ARMS} takes all that both runs have. An alias of --arms",
             rivals=("arms",), metavar="ARM")  # fmt: skip
    add_flag(parser, "trial_a", "the trial of A, if trial names differ (needs --trial_b)", metavar="SLUG")
    add_flag(parser, "trial_b", "the trial of B to compare it with", metavar="SLUG")
    add_flag(parser, "force", "compare even if items, scorer, model or decoding differ", action="store_true")
    group = parser.add_argument_group("gates")
    add_flag(parser, "gate", "a bound on B minus A: 'METRIC >= -MARGIN' or 'METRIC <= MARGIN', METRIC@SUBSET for open, "
             "closed or a data set, METRIC@COLUMN=VALUE for a subgroup; may be repeated. Metrics are the scorers that "
             "both runs have", group=group, type=_gates, action="extend", default=(), metavar="GATE")  # fmt: skip
    add_flag(
        parser, "alpha", "level of significance (default: 0.05)", group=group, type=_level, default=0.05, metavar="X"
    )
    add_flag(parser, "junit", "write the gates as JUnit XML", group=group, type=Path, metavar="FILE")
    group = parser.add_argument_group("output")
    add_flag(parser, "markdown", "write the comparison as Markdown", group=group, type=Path, metavar="FILE")
    add_flag(parser, "json", "machine-readable result on stdout", group=group, action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Compare, print, and return 100 if a gate failed.

    Raises
    ------
    UsageError
        If the runs are not there, or may not be compared.

    Side effects: writes the files that ``--junit`` and ``--markdown`` name.
    """
    from promptrial.comparison import pages
    from promptrial.comparison.comparing import ComparisonRequest, compare
    from promptrial.comparison.reading import scorers_of
    from promptrial.reporting.tables.words import wording

    if (args.trial_a is None) != (args.trial_b is None):
        raise UsageError("--trial_a and --trial_b name one trial of each run: give both")
    if args.junit is not None and not args.gate:
        raise UsageError("--junit writes gates: give at least one --gate")
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
        print_result(_as_json(comparison) if args.json else pages.as_text(comparison))
    for failure in pages.failures(comparison):
        say_to_stderr(failure)
    return _GATE_FAILED if comparison.passed is False else 0


def _arms(args: argparse.Namespace) -> tuple[ArmName, ...] | ArmChoice:
    if args.arms is not None and args.condition is not None:
        raise UsageError("--arms excludes --condition")
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


def _gates(text: str) -> list[Gate]:
    """Read gates, one or several with ``;`` between them, as an environment variable needs it."""
    from promptrial.comparison.gates import parse_gates

    try:
        return parse_gates(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0 < level < 0.5:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and below 0.5, got {text!r}")
    return level
