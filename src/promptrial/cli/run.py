"""``promptrial run``: run or resume an experiment, and end with the results in short."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from promptrial.cli import archive as archive_command
from promptrial.cli import plan as plan_command
from promptrial.cli.options import (
    add_display,
    add_resuming,
    add_run_flags,
    experiments_dir,
    overrides,
    resume_command,
)
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.results import results
from promptrial.config.environment import place_flag
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_pieces, print_result, result_width, say_to_stderr
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    from promptrial.archive.writing import Archived
    from promptrial.design.plan import Selection
    from promptrial.engine.invocation import Finished
    from promptrial.engine.opening import RunRequest

__all__ = ["DESCRIPTION", "NAMES_TRIED", "configure", "execute", "follow_and_print", "parsed"]

DESCRIPTION = "Run an experiment, or resume one. Without flags, runs the experiment in config/eval_config.yaml."

NAMES_TRIED = 100
"""How many names are tried for a run that was given none."""
_WITH_TABLES = frozenset({"parse", "score", "stats", "costs", "report"})
"""Phases that write tables, or read them."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_flags(parser)
    add_flag(parser, "resume", "resume an existing run", action="store_true")
    add_flag(parser, "plan_only", "show what would be done, but do nothing", action="store_true")
    add_resuming(parser)
    add_flag(
        parser,
        "archive",
        "archive the run when it has finished, in paths.archive_dir of the configuration or in experiments/archives",
        action="store_true",
    )
    add_display(parser)


def parsed(verb: str, words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a run that another command starts; its flags have the same variables as those of run."""
    parser = Parser(prog=f"promptrial {verb}")
    configure(parser)
    return parser.parse_args([*words])


def execute(args: argparse.Namespace) -> int:
    """Run, then print the results."""
    if args.plan_only:
        return plan_command.execute(args)
    archive_command.preflight(args)
    from promptrial.design.plan import select_phases
    from promptrial.engine.opening import new_run_ids
    from promptrial.errors import RunExistsError, RunLockedError

    selection = select_phases(args.only_step, args.from_step, args.to_step)
    if args.resume:
        _check_named(args)
    if args.run_id is not None:
        return follow_and_print(args, _request(args, args.run_id, selection), selection)
    for run_id in itertools.islice(new_run_ids(SystemClock().now(), experiments_dir(args)), NAMES_TRIED):
        try:
            return follow_and_print(args, _request(args, run_id, selection), selection)
        except (RunExistsError, RunLockedError) as error:  # started by another process in this very second
            taken = error
    raise taken


def _check_named(args: argparse.Namespace) -> None:
    """Require that a run to be resumed is named, and not by a slip.

    Raises
    ------
    ResumeError
        With the run that was probably meant.
    """
    from promptrial.care.near_runs import near_run
    from promptrial.errors import ResumeError

    experiments = experiments_dir(args)
    if args.run_id is None:
        place = place_flag(experiments)
        raise ResumeError(
            "--resume needs the name of the run",
            hint=f"promptrial resume ID{place}; see which there are: promptrial list{place}",
        )
    near = None if RunDir(experiments, args.run_id).root.exists() else near_run(experiments, args.run_id)
    if near is not None:
        raise ResumeError(
            f"no run {args.run_id} in {experiments}; did you mean {near!r}?", hint=resume_command(args, near)
        )


def _request(args: argparse.Namespace, run_id: str, selection: Selection) -> RunRequest:
    from promptrial.engine.opening import RunRequest

    return RunRequest(
        experiments=experiments_dir(args),
        run_id=run_id,
        unnamed=args.run_id is None,
        config=args.config,
        overrides=overrides(args),
        resume=args.resume,
        force=args.force,
        steps_named=selection.explicit,
        begins="prepare" in selection.phases,
        dry_run=args.dry_run,
        rebuy=args.rebuy,
        trusts_kept_digests=not args.verify,
        unblind=args.unblind,
        past_stop=args.past_stop,
        yes=args.yes,
        unattended=args.unattended,
        pilot=args.pilot,
        allow_code=args.allow_code,
        reuse=tuple(args.reuse or ()),
        max_cost_usd=args.max_cost_usd,
    )


def follow_and_print(args: argparse.Namespace, request: RunRequest, selection: Selection) -> int:
    """Follow a run to its end with progress on stderr, and print the results on stdout.

    Raises
    ------
    ActionNeeded
        At the end of a pilot, unless the run is told to go on.
    """
    from promptrial.cli.pilot import after_pilot

    finished = _follow(args, request, selection)
    rest = after_pilot(args, request, selection, finished)
    if rest is not None:
        finished = _follow(args, rest, selection)
    if not args.json:
        print_pieces(results(finished, result_width()))
    archived = archive_command.archive_finished(args, finished)
    if args.json:
        print_result(_as_json(finished, archived))
    elif archived is not None:
        print_result(archive_command.as_text(archived))
    return 0


def _follow(args: argparse.Namespace, request: RunRequest, selection: Selection) -> Finished:
    from promptrial.cli.progress import display_for
    from promptrial.engine.invocation import follow
    from promptrial.engine.session import Invocation
    from promptrial.runtime.arrow import settle_without_pandas
    from promptrial.runtime.asking import terminal_question

    if not _WITH_TABLES.isdisjoint(selection.phases):
        settle_without_pandas()
    clock, run = SystemClock(), RunDir(request.experiments, request.run_id)
    # What code of the user's prints, as a scorer may, is not a result.
    with redirect_stdout(sys.stderr), display_for(args.display, clock, say_to_stderr, run) as display:
        invocation = Invocation(
            os.environ,
            clock,
            display.say,
            args.log_level,
            display.progress,
            resume_command=resume_command(args, request.run_id),
            ask=terminal_question(display.quiet) if display.asks else None,
            listen=display.listen,
        )
        return follow(request, selection, invocation, args.trial_filter)


def _as_json(finished: Finished, archived: Archived | None) -> str:
    import msgspec

    from promptrial.care.finished_run import run_document

    document = run_document(finished)
    if archived is not None:
        document = msgspec.structs.replace(document, archive=archive_command.as_values(archived))
    return json.dumps(msgspec.to_builtins(document), indent=2) + "\n"
