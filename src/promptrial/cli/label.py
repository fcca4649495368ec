"""``promptrial label``: draw answers for people to label, and say what their labels show of a measure."""

from __future__ import annotations

import argparse
import os
import shlex
import webbrowser
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.new_file import free_path
from promptrial.cli.options import add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import number, port, positive, whole
from promptrial.config.environment import environment
from promptrial.errors import MissingDependencyError, UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.stop import StopToken, stop_on_signals
from promptrial.runtime.terminal import print_pieces, print_result, result_width, say_to_stderr

if TYPE_CHECKING:
    from promptrial.care.label_sheets import Sheet
    from promptrial.care.opened import ReadRun
    from promptrial.cli.results import Piece
    from promptrial.documents.labels import LabelReport
    from promptrial.model import Trial
    from promptrial.store.rundir import RunDir

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Check a measure against human labels. Writes a random sample of items to a CSV file, each with the answers of all
arms, without the names of the arms. People fill in the column "label".

With --serve, opens the sheet in a local browser, one answer at a time. Each label is saved immediately, and the same
command continues an existing sheet.

With --read FILE ..., compares the labels with the measure. Prints the agreement by arm, and the effect
corrected by the labels, with its interval. The run does not change."""
_ITEMS: Final = 60
_NAME: Final = "labels_{run}.csv"
_LOOK_EVERY_S: Final = 3600.0


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_flag(parser, "read", "completed sheets, one per person", type=Path, nargs="+",
             metavar="FILE")  # fmt: skip
    add_flag(parser, "trial_filter", "the trial whose name contains TEXT, if there are several",
             metavar="TEXT")  # fmt: skip
    add_experiments_dir(parser)
    group = parser.add_argument_group("drawing the sample")
    add_flag(parser, "measure", "the measure to check (default: the one for correctness, or else the first primary "
                                "endpoint)", group=group, rivals=("read",), metavar="NAME")  # fmt: skip
    add_flag(parser, "temp", "the temperature whose answers are labelled (default: the first)", group=group,
             type=number, rivals=("read",), metavar="T")  # fmt: skip
    add_flag(parser, "n", "number of items to draw; whole clusters are drawn, so there may be a few more or fewer "
                          f"(default: {_ITEMS})", group=group, type=positive, default=_ITEMS, metavar="N")  # fmt: skip
    add_flag(parser, "seed", "seed of the sample (default: stats.random_seed of the run)", group=group,
             type=whole, metavar="SEED")  # fmt: skip
    add_flag(parser, "out", "path of the new file (default: labels_RUN.csv in the current folder)",
             group=group, type=Path, metavar="FILE", rivals=("read",))  # fmt: skip
    group = parser.add_argument_group("labelling in a browser")
    add_flag(parser, "serve", "label the answers in a local browser; continues an existing sheet", group=group,
             action="store_true", rivals=("read",))  # fmt: skip
    add_flag(parser, "port", "port to listen on (default: a free one)", group=group, type=port, default=0,
             metavar="N")  # fmt: skip
    add_flag(parser, "no_open", "do not open a browser", group=group, action="store_true")
    group = parser.add_argument_group("reading completed sheets")
    add_flag(parser, "json", "machine-readable result on stdout", group=group, action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Draw a sheet, or read one.

    Raises
    ------
    UsageError
        If there is no such run, trial, measure or temperature, or the file already exists.
    DataError
        If the sheet that is read is not in order.

    Side effects: writes the sheet that is drawn.
    """
    from promptrial.care.label_results import label_report
    from promptrial.care.opened import read_run
    from promptrial.care.shown_items import chosen_trial
    from promptrial.documents import labels
    from promptrial.engine.session import Invocation

    if args.json and args.read is None:
        raise UsageError("--json goes with --read FILE", hint="draw the sheet without --json")
    if args.read is not None and (args.measure is not None or args.temp is not None):
        raise UsageError("--measure and --temp are for drawing", hint="leave them out: the sheet names both")
    run = run_or_latest(args)
    env = environment(os.environ, Path.cwd())
    found = read_run(run, env, Invocation(env, SystemClock(), lambda _text: None))
    trial = chosen_trial(found, args.trial_filter)
    if args.serve:
        return _serve(args, run, found, trial)
    if args.read is None:
        return _draw(args, run, found, trial)
    report = label_report(found, trial, args.read)
    if args.json:
        print_result(labels.encode(report).decode())
    else:
        print_pieces(_pieces(found, trial, report, result_width()))
    return 0


def _draw(args: argparse.Namespace, run: RunDir, found: ReadRun, trial: Trial) -> int:
    from promptrial.care.label_results import measure_of
    from promptrial.care.label_sheets import draw_sheet
    from promptrial.care.shown_items import sides_of
    from promptrial.care.unfinished import unfinished_warnings
    from promptrial.phases.agreement import FEWEST_ITEMS
    from promptrial.store.atomic import AtomicFile

    path = free_path(_path(args, run), run)
    sides = sides_of(found, trial)
    if found.spec.dry_run:
        say_to_stderr("Dry run: an emulator answered; labels of its answers say nothing about a model")
    for warning in unfinished_warnings(found, trial, "scores"):
        say_to_stderr(warning.line)
    seed = found.spec.config.stats.random_seed if args.seed is None else args.seed
    if seed < 0:
        raise UsageError(f"--seed {seed}: expected 0 or more", hint="give another seed")
    sheet = draw_sheet(sides, measure_of(sides, args.measure), args.n, seed, args.temp)
    with AtomicFile(path) as file:
        file.write(sheet.data)
    print_result("".join(f"{line}\n" for line in _drawn(sheet, path, _read_command(args, run, path), FEWEST_ITEMS)))
    return 0


def _path(args: argparse.Namespace, run: RunDir) -> Path:
    """Return where the sheet is, or will be."""
    return args.out or Path(_NAME.format(run=run.run_id))


def _serve(args: argparse.Namespace, run: RunDir, found: ReadRun, trial: Trial) -> int:
    """Serve a sheet until a signal comes; it is drawn first if it does not exist."""
    try:
        from promptrial.care.labelling.app import label_app
        from promptrial.care.labelling.sheet import opened_sheet
        from promptrial.care.view.server import LocalServer
    except ImportError as error:
        raise MissingDependencyError(
            f"label --serve needs {error.name}", hint="install it with: pip install 'promptrial[view]'"
        ) from error
    from promptrial.care.label_results import rubric_of
    from promptrial.care.shown_items import sides_of

    path = _path(args, run)
    if path.exists() and (args.measure is not None or args.temp is not None):
        raise UsageError(
            f"{path} already exists, and --measure and --temp are for drawing",
            hint="leave them out to continue this sheet, or name another file with --out FILE",
        )
    if not path.exists():
        _draw(args, run, found, trial)
    token = StopToken()
    with (
        opened_sheet(path, sides_of(found, trial), partial(rubric_of, found)) as sheet,
        stop_on_signals(token, lambda _: say_to_stderr("stopping")),
        LocalServer(partial(label_app, sheet, _read_command(args, run, path)), args.port) as server,
    ):
        print_result(f"{server.access.url}\n")
        say_to_stderr(f"Labels are saved in {path}. Press Ctrl-C to stop")
        if not args.no_open:
            webbrowser.open(server.access.url)
        while not token.wait(_LOOK_EVERY_S):
            pass
    return 0


def _drawn(sheet: Sheet, path: Path, command: str, fewest: int) -> Iterator[str]:
    clusters = f" in {sheet.n_clusters:,} clusters" if sheet.n_clusters != sheet.n_items else ""
    yield f"{path}: {sheet.n_answers:,} answers to {sheet.n_items:,} of {sheet.n_all_items:,} items{clusters}"
    if sheet.n_items < fewest:
        yield f"Fewer than {fewest} items: agreement will be computed, but no corrected effect."
    yield f'Fill in the column "label", then: {command}'


def _read_command(args: argparse.Namespace, run: RunDir, path: Path) -> str:
    """Return what a person types to compare the labels of a sheet with the measure."""
    trial = "" if args.trial_filter is None else f" --trial_filter {shlex.quote(args.trial_filter)}"
    return f"promptrial label {run.run_id}{run.place}{trial} --read {shlex.quote(str(path))}"


def _pieces(found: ReadRun, trial: Trial, report: LabelReport, width: int) -> Iterator[Piece]:
    from promptrial.care.shown_items import sides_of
    from promptrial.cli.results import DRY_RUN, line_pieces, table_pieces, warning_pieces
    from promptrial.reporting.labels import label_lines, label_tables
    from promptrial.reporting.plain import one_line, wrapped
    from promptrial.reporting.tables.words import wording

    with wording(sides_of(found, trial).scorers):
        lines, tables = label_lines(report), list(label_tables(report))
    if report.dry_run is True:
        yield f"{DRY_RUN}\n\n", "warning"
    yield from warning_pieces(report.warnings or (), width)
    for line in lines:
        yield from line_pieces(wrapped(one_line(line), width))
    yield "\n", ""
    for table in tables:
        yield from table_pieces(table, width)
