"""``promptrial report``: the page of a finished run, written to another place, with or without its texts."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from promptrial.cli.new_file import free_path
from promptrial.cli.options import add_experiments_dir, add_run_id, run_or_latest
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import environment
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Export the HTML report of a run to a new file, to share it. The run does not change.

With --no_texts, the report has only numbers: no questions, passages, gold answers, answers or prompts."""
_NAME: Final = "report_{run}{kind}.html"


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_run_id(parser, or_latest=True)
    add_flag(parser, "no_texts", "leave out questions, passages, gold answers, answers and prompts",
             action="store_true")  # fmt: skip
    add_flag(parser, "out", "path of the new file (default: report_RUN.html in the current folder)",
             type=Path, metavar="FILE")  # fmt: skip
    add_experiments_dir(parser)


def execute(args: argparse.Namespace) -> int:
    """Write the page, and say where it is.

    Raises
    ------
    UsageError
        If there is no such run, it is not finished, or the file already exists.

    Side effects: writes the file.
    """
    from promptrial.care.opened import read_run
    from promptrial.care.shared_page import shared_page
    from promptrial.engine.session import Invocation
    from promptrial.store.atomic import AtomicFile

    run = run_or_latest(args)
    path = free_path(args.out or Path(_NAME.format(run=run.run_id, kind="_no_texts" if args.no_texts else "")), run)
    env = environment(os.environ, Path.cwd())
    found = read_run(run, env, Invocation(env, SystemClock(), lambda _text: None))
    page = shared_page(found, texts=not args.no_texts)
    with AtomicFile(path) as file:
        file.write(page.encode())
    print_result(f"{path}\n")
    return 0
