"""``promptrial list``: all runs at a glance, read from their files."""

from __future__ import annotations

import argparse
import json

import msgspec

from promptrial.care.listing import list_runs
from promptrial.care.run_documents import ListDocument, ListedRun
from promptrial.cli.options import add_experiments_dir, experiments_dir
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import place_flag
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, terminal_width

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = (
    "List all runs, most recently changed first. Only reads files, so it is safe while other processes use the runs."
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Print the list.

    Raises
    ------
    UsageError
        If the folder that a flag names does not exist.
    """
    named = args.experiments_dir
    if named is not None and not named.exists():
        raise UsageError(
            f"--experiments_dir {named}: there is no such folder",
            hint="give the folder that holds the folders run_..., or start a run there: promptrial run"
            f"{place_flag(named)}",
        )
    found = list_runs(experiments_dir(args), SystemClock())
    text = json.dumps(msgspec.to_builtins(found), indent=2) + "\n" if args.json else _as_text(found)
    print_result(text)
    return 0


def _as_text(found: ListDocument) -> str:
    from promptrial.reporting.cells import Table
    from promptrial.reporting.plain import summary_text

    headers = ("Run", "Status", "Phases", "Answers", "USD", "Age", "Notes")
    title = f"{len(found.runs)} run{'' if len(found.runs) == 1 else 's'} in {found.experiments_dir}"
    return summary_text(Table(title, headers, tuple(map(_row, found.runs)), (), "lllrrrl"), terminal_width())


def _row(run: ListedRun) -> tuple[str, ...]:
    from promptrial.reporting.cells import MISSING, amount, count

    answers = MISSING if run.answers is None else f"{count(run.answers)} of {count(run.expected_answers)}"
    said = (
        ("migrated", run.migrated),
        ("dry run", run.dry_run),
        ("A/A run", run.aa),
        ("cost cap reached", run.at_cap),
        ("pilot finished", run.pilot_ended),
        ("sealed", run.sealed),
    )
    remarks = [name for name, holds in said if holds is True]
    remarks += [run.problem] if run.problem else []
    return (
        run.run_id,
        run.status.replace("_", " "),
        run.phases or MISSING,
        answers,
        amount(run.usd),
        MISSING if run.age_s is None else _age(run.age_s),
        ", ".join(remarks),
    )


def _age(seconds: float) -> str:
    """Return an age in its largest whole unit: ``3 h``."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{int(seconds // size)} {unit}"
