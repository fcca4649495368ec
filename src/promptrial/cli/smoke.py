"""``promptrial smoke``: dry runs stopped at chosen points and resumed, and a table of what came of each."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli import run as run_command
from promptrial.cli.options import config_file, overrides
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import positive
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr, terminal_width

if TYPE_CHECKING:
    from promptrial.care.smoke import Trip

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Run a tiny experiment against the emulator: once without stopping, and once for each stop point, where it is stopped
and then resumed.

Checks that exit codes, states and rows are correct, that each part has exactly one accepted job, and that the files of
a resumed run are byte for byte those of the uninterrupted run. The exit code is 1 if a check fails."""
_CONFIG: Final = Path("config/eval_config.fireworks.yaml")
_POINTS: Final = ("post_build", "mid_submission", "mid_polling", "pre_parse")
_RUN_ID: Final = "smoke"
_PARTS: Final = 3
_JOBS: Final = 2
"""Fewer jobs at a time than parts, so that there is a moment with some parts submitted and some not."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_flag(parser, "dry_run", "required: the smoke test is always a dry run against a local emulator",
             action="store_true")  # fmt: skip
    add_flag(parser, "n", "number of items from each data set (default: 3)", type=positive, default=3, metavar="N")
    add_flag(parser, "prompt_set", "name of the prompt set (default: operational_only)", default="operational_only",
             metavar="NAME")  # fmt: skip
    add_flag(parser, "stop_point", f"where the run stops: {', '.join(_POINTS)}, or all, one run each (default: all)",
             default="all", choices=(*_POINTS, "all"), metavar="POINT")  # fmt: skip
    add_flag(
        parser, "config", f"configuration file (default: {_CONFIG})", type=config_file, default=_CONFIG, metavar="FILE"
    )
    add_flag(parser, "keep", "keep the folder with the runs, and print its path", action="store_true")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Make the runs, then print the table; returns 1 if anything was wrong.

    Raises
    ------
    UsageError
        Without ``--dry_run``, or for an experiment without a hosted provider.
    """
    if not args.dry_run:
        raise UsageError(
            "the smoke test is always a dry run: real runs would cost money five times",
            hint=f"promptrial smoke --n {args.n} --prompt_set {shlex.quote(args.prompt_set)} --dry_run",
        )
    with _folder(keep=args.keep) as folder:
        trips = []
        for trip in _trips(args, folder):
            trips.append(trip)
            for problem in (*trip.problems, *trip.differences):
                say_to_stderr(f"{trip.stop_point}: {problem}")
    print_result(_as_json(trips) if args.json else _as_text(trips))
    return 0 if all(trip.ok for trip in trips) else 1


def _trips(args: argparse.Namespace, folder: Path) -> Iterator[Trip]:
    from promptrial.care.smoke import Smoke
    from promptrial.engine.opening import RunRequest

    flags = (
        "--run_id", _RUN_ID, "--config", str(args.config), "--prompt_sets", args.prompt_set, "--limit_items",
        str(args.n), "--parts_per_dataset", str(_PARTS), "--max_concurrent_jobs", str(_JOBS), "--dry_run",
    )  # fmt: skip
    request = RunRequest(folder, _RUN_ID, config=args.config, overrides=_overrides(flags), dry_run=True)
    smoke = Smoke(request, flags, folder, os.environ, SystemClock(), say_to_stderr)
    smoke.check()
    yield smoke.uninterrupted()
    for point in _POINTS if args.stop_point == "all" else (args.stop_point,):
        yield smoke.interrupted(point)


def _overrides(flags: Sequence[str]) -> dict[tuple[str | int, ...], object]:
    """Return what the flags change, read as ``promptrial run`` reads them."""
    parser = Parser(prog="promptrial run")
    run_command.configure(parser)
    return overrides(parser.parse_args(list(flags)))


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="promptrial-smoke-"))
    try:
        yield folder
    finally:
        if keep:
            say_to_stderr(f"the runs are in {folder}")
        else:
            shutil.rmtree(folder)


def _as_json(trips: Sequence[Trip]) -> str:
    value = {"ok": all(trip.ok for trip in trips), "runs": [{**asdict(trip), "ok": trip.ok} for trip in trips]}
    return json.dumps(value, indent=2) + "\n"


def _as_text(trips: Sequence[Trip]) -> str:
    from promptrial.reporting.cells import Table
    from promptrial.reporting.plain import summary_text

    rows = tuple(
        (
            trip.stop_point, ", ".join(map(str, trip.exit_codes)), str(trip.jobs), str(trip.intents), str(trip.rows),
            str(len(trip.differences)), str(len(trip.problems)), f"{trip.seconds:.1f}",
        )
        for trip in trips
    )  # fmt: skip
    headers = ("Stop point", "Exit codes", "Jobs", "Intents", "Rows", "Differences", "Problems", "Seconds")
    wrong = sum(not trip.ok for trip in trips)
    said = f"{wrong} of {len(trips)} runs failed a check" if wrong else "all checks passed"
    title = "Dry runs, stopped and resumed"
    return summary_text(Table(title, headers, rows, (), "llrrrrrr"), terminal_width()) + f"\n{said}\n"
