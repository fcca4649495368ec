"""``promptrial run``: run or resume an experiment, and end with the results in short."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Final

from promptrial.cli import archive as archive_command
from promptrial.cli import plan as plan_command
from promptrial.cli.options import Parser, add_flag, add_run_flags, experiments_dir, overrides, resume_command
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import are_shown_together, print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.archive.writing import Archived
    from promptrial.design.plan import Selection
    from promptrial.engine.opening import RunRequest
    from promptrial.engine.session import Finished

__all__ = ["DESCRIPTION", "NAMES_TRIED", "configure", "execute", "follow_and_print", "parsed"]

DESCRIPTION = "Run an experiment, or resume one. Without flags: the sample experiment on the embedded model."

NAMES_TRIED = 100
"""How many names are tried for a run that was given none."""
_WARNING: Final = "warning: "


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_flags(parser)
    add_flag(parser, "resume", "resume an existing run", action="store_true")
    add_flag(parser, "plan_only", "show what would be done, and do nothing", action="store_true")
    add_flag(parser, "force", "resume even if the configuration changed; recorded in the state", action="store_true")
    add_flag(parser, "rebuy", "ask again, and pay again, where a provider has lost answers that were paid for",
             action="store_true")  # fmt: skip
    add_flag(parser, "allow_code", "let code that came with the run be executed, now and later",
             action="store_true", in_dotenv=False)  # fmt: skip
    add_flag(parser, "archive", "archive the run when it has finished, to paths.archive_dir of the configuration or "
             "else experiments/archives", action="store_true")  # fmt: skip
    add_flag(parser, "log_level", "minimum log level on stderr (default: info)", default="info",
             choices=("debug", "info", "warning", "error"))  # fmt: skip


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
    if args.run_id is not None:
        return follow_and_print(args, _request(args, args.run_id, selection), selection)
    for run_id in itertools.islice(new_run_ids(SystemClock().now(), experiments_dir(args)), NAMES_TRIED):
        try:
            return follow_and_print(args, _request(args, run_id, selection), selection)
        except (RunExistsError, RunLockedError) as error:  # begun by another process in this very second
            taken = error
    raise taken


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
        allow_code=args.allow_code,
    )


def follow_and_print(args: argparse.Namespace, request: RunRequest, selection: Selection) -> int:
    """Follow a run to its end with progress on stderr, and print the results on stdout."""
    from promptrial.cli.progress import terminal_progress
    from promptrial.engine.session import Invocation, follow

    clock, seen = SystemClock(), set[str]()
    # What code of the user's prints, as a scorer may, is no result.
    with redirect_stdout(sys.stderr), terminal_progress(clock, partial(_say, seen)) as (progress, say):
        command = resume_command(args, request.run_id)
        invocation = Invocation(os.environ, clock, say, args.log_level, progress, resume_command=command)
        finished = follow(request, selection, invocation, args.trial_filter)
    if not args.json:
        print_result(_as_text(finished, seen if are_shown_together() else set()))
    archived = archive_command.archive_finished(args, finished)
    if args.json:
        print_result(_as_json(finished, archived))
    elif archived is not None:
        print_result(archive_command.as_text(archived))
    return 0


def _say(seen: set[str], text: str) -> None:
    """Say a sentence, and remember a warning."""
    say_to_stderr(text)
    if text.startswith(_WARNING):
        seen.add(text)


def _as_json(finished: Finished, archived: Archived | None) -> str:
    run = finished.opened.run
    value = {
        "run_id": run.run_id,
        "config_hash": finished.opened.config_hash,
        "dry_run": finished.opened.dry_run,
        "folder": str(run.root),
        "trials": [
            {
                "slug": trial.slug,
                "report": str(run.trial(trial.slug).reports / "report.md"),
                "significance": str(run.trial(trial.slug).results / "significance.json"),
            }
            for trial in (result.facts.trial for result in finished.results)
        ],
    }
    if archived is not None:
        value["archive"] = archive_command.as_values(archived)
    return json.dumps(value, indent=2) + "\n"


def _as_text(finished: Finished, seen: Collection[str]) -> str:
    """Return the results; warnings that have been seen beside them are left out."""
    from promptrial.reporting.plain import summary_text
    from promptrial.reporting.responses import response_warnings
    from promptrial.reporting.scaling import as_shares
    from promptrial.reporting.summary import cost_sentence
    from promptrial.reporting.tables import subgroup_summaries, summary_table
    from promptrial.reporting.tables.words import wording

    run = finished.opened.run
    blocks = []
    for result in finished.results:
        trial = run.trial(result.facts.trial.slug)
        with wording(result.facts.scorers):
            significance = as_shares(result.significance)
            tables = [summary_table(significance), *subgroup_summaries(significance)]
            table = "\n".join(map(summary_text, tables))
        warnings = "".join(
            f"Warning: {text}\n\n"
            for text in response_warnings(result.significance.attrition)
            if f"{_WARNING}{trial.slug}: {text}" not in seen
        )
        blocks.append(
            f"{trial.slug}\n\n{warnings}{table}\n{cost_sentence(result.costs)}\nReport: {trial.reports / 'report.md'}\n"
            f"Answers: {trial.results / 'predictions.csv'}\n"
        )
    if finished.opened.dry_run:
        blocks.append(
            "Dry run: an emulator stood in for every hosted provider; these figures say nothing about a model.\n"
        )
    where = f"All trials: {run.aggregate_report}\n" if run.aggregate_report.exists() else ""
    return "\n".join([*blocks, f"{where}Run folder: {run.root}\n"])
