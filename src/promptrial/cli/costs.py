"""``promptrial costs``: what a run has spent beside what its answers used, and every attempt for accounting."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath

import msgspec

from promptrial.cli.options import add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.runtime.terminal import print_result, say_to_stderr

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Show what a run has spent, in USD. This includes attempts whose answers were lost or are not used.

Amounts are computed from the reported tokens and the prices recorded with the run; the provider's invoice may differ.
Only reads files, so it is safe while another process is using the run."""
_SCREEN = 12
"""How many trials are shown unless all are asked for."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_experiments_dir(parser)
    add_flag(parser, "all", "show every trial, even if there are many", action="store_true")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")
    add_flag(parser, "csv", "write one line per attempt to a new CSV file (- for stdout)", metavar="FILE", type=Path)


def execute(args: argparse.Namespace) -> int:
    """Print the costs.

    Raises
    ------
    UsageError
        If there is no such run, or the file already exists.
    """
    from promptrial.phases.accounts import read_ledger
    from promptrial.reporting.ledger_csv import ledger_csv

    run = run_or_latest(args)
    ledger = read_ledger(run)
    if args.csv is not None:
        _write_csv(args.csv, ledger_csv(ledger))
    elif args.json:
        print_result(msgspec.json.format(msgspec.json.encode(ledger), indent=2).decode() + "\n")
    else:
        from promptrial.reporting.ledger_text import ledger_text

        text = ledger_text(ledger, most_trials=None if args.all else _SCREEN)
        print_result(f"{text}\nEvery attempt: promptrial costs {run.run_id}{run.place} --csv FILE\n")
    return 0


def _write_csv(path: Path, text: str) -> None:
    from promptrial.store.new_files import write_new

    if str(path) == "-":
        print_result(text)
        return
    write_new(path.parent, {PurePosixPath(path.name): text.encode()})
    say_to_stderr(f"{path}: {text.count(chr(10)) - 1} attempts written")
