"""``promptrial view``: look at runs in a browser on this machine, until it is stopped."""

from __future__ import annotations

import argparse
import os
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from promptrial.cli.options import add_experiments_dir, experiments_dir, newest_run
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import port
from promptrial.config.environment import environment
from promptrial.errors import MissingDependencyError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.stop import StopToken, stop_on_signals
from promptrial.runtime.terminal import print_result, say_to_stderr

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Show runs in your browser: the list of runs, live progress, reports, every item, and comparisons of two runs.

The server listens only on this machine, and requires the token in the address that it prints. It changes nothing,
unless --allow_stop adds a button that stops a run."""
_LOOK_EVERY_S: Final = 3600.0


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run_id", nargs="*", metavar="RUN_ID", default=[],
                        help=(
                            "the run to open; with several, the list of runs opens (default: the most recently "
                            "changed run)"
                        ))  # fmt: skip
    add_flag(parser, "port", "port to listen on (default: a free one)", type=port, default=0, metavar="N")
    add_flag(parser, "no_open", "do not open a browser", action="store_true")
    add_flag(parser, "allow_stop", "show a button that stops a run", action="store_true")
    add_experiments_dir(parser)


def execute(args: argparse.Namespace) -> int:
    """Serve until a signal comes.

    Raises
    ------
    UsageError
        If there is no such run, or the port is taken.
    MissingDependencyError
        If a package that it needs is not installed.
    """
    from promptrial.care.status import find_run

    experiments = experiments_dir(args)
    if not args.run_id and any(experiments.glob("run_*")):
        args.run_id = [newest_run(experiments)]
    for run_id in args.run_id:
        find_run(experiments, run_id)
    try:
        from promptrial.care.view.held_items import load_libraries
        from promptrial.care.view.server import ViewServer
        from promptrial.care.view.viewer import Viewer
    except ImportError as error:
        raise MissingDependencyError(
            f"view needs {error.name}", hint="install it with: pip install 'promptrial[view]'"
        ) from error
    token = StopToken()
    viewer = Viewer(experiments, environment(os.environ, Path.cwd()), SystemClock(), args.allow_stop)
    with stop_on_signals(token, lambda _: say_to_stderr("stopping")), ViewServer(viewer, args.port) as server:
        url = server.access.address(*_opened(args.run_id))
        print_result(f"{url}\n")
        say_to_stderr("Press Ctrl-C to stop")
        if not args.no_open:
            webbrowser.open(url)
        load_libraries()  # while the browser opens
        while not token.wait(_LOOK_EVERY_S):
            pass
    return 0


def _opened(run_ids: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """Return the path and the query of the page that is opened: of the only run, or of the list of those named."""
    if len(run_ids) == 1:
        return f"/run/{run_ids[0]}", []
    return "/", [("run", run_id) for run_id in run_ids]
