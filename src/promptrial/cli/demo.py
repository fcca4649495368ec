"""``promptrial demo``: the sample experiment on the embedded model, in any folder."""

from __future__ import annotations

import argparse
from typing import Final

from promptrial.cli import run as run_command
from promptrial.cli.options import add_experiments_dir
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import positive

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Run a real trial on the embedded model and show the result. Needs no key, network or files.

Sample questions and prompts are included. The run is kept in experiments/ in the current folder."""
_ITEMS: Final = 12
"""Items of each of the two sets: 48 requests, which two cores answer in about a minute or less."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    add_flag(parser, "limit_items", f"number of questions from each of the two sets (default: {_ITEMS}; at most 52)",
             short="n", type=positive, default=_ITEMS, metavar="N")  # fmt: skip
    add_flag(parser, "run_id", "name of the run; its folder is run_ID (default: the time in UTC)", metavar="ID")
    add_experiments_dir(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Run the sample experiment.

    Raises
    ------
    MissingDependencyError
        If the engine or its model is not installed, with the line that installs them.
    """
    from promptrial.config.sample import sample_config
    from promptrial.providers.embedded_weights import check_installed

    check_installed(with_model=True)
    words = ["--config", str(sample_config()), "--limit_items", str(args.limit_items)]
    words += ["--run_id", args.run_id] if args.run_id else []
    words += ["--experiments_dir", str(args.experiments_dir)] if args.experiments_dir else []
    words += ["--json"] if args.json else []
    return run_command.execute(run_command.parsed("demo", words))
