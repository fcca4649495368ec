"""``promptrial config show`` and ``config check``: what a configuration comes to, before anything is asked."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from msgspec import to_builtins

from promptrial.cli.options import (
    add_choices,
    add_config,
    add_experiments_dir,
    experiments_dir,
    override_sources,
    overrides,
)
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.prose import print_prose
from promptrial.config.environment import DEFAULT_CONFIG, environment
from promptrial.documents.printable import escaped
from promptrial.errors import ConfigError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr, terminal_width

if TYPE_CHECKING:
    from promptrial.care.shown_config import ShownConfig
    from promptrial.config.tree import KeyPath
    from promptrial.engine.checking import Checked

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = "Check a configuration, or show it with all defaults. Sends nothing and writes nothing."
_SHOW = """Show the resolved configuration as YAML, and where each value comes from.

A value can come from a line of the file, a flag, an environment variable, a default, or the question file. Values with
${VAR} are shown as written, so no secret is printed."""
_CHECK = """Check a configuration before any request is sent: files, columns, prompts, models, scorers, prices.

Lists every problem, not just the first, and shows the first question of each file as it will be sent. Sends nothing,
writes nothing, and runs no code that the configuration names. The exit code is 2 if a run would be refused."""


def configure(parser: Parser) -> None:
    """Add the actions, and their flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    show = actions.add_parser("show", help="show every value and where it comes from", description=_SHOW)
    add_config(show)
    add_flag(show, "run_id", "show the configuration of this run", metavar="ID")
    add_experiments_dir(show)
    add_choices(show, saved=False)
    add_flag(show, "json", "machine-readable result on stdout", action="store_true")
    check = actions.add_parser(
        "check", help="list everything that would make a run fail at the start", description=_CHECK
    )
    add_config(check)
    add_choices(check, saved=False)
    add_flag(check, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Show or check the configuration; returns 2 if a check finds a problem."""
    return _check(args) if args.action == "check" else _show(args)


def _check(args: argparse.Namespace) -> int:
    from promptrial.engine.checking import check_file

    path = args.config or DEFAULT_CONFIG
    found = check_file(path, environment(os.environ, Path.cwd()), overrides(args), SystemClock().now())
    if args.json:
        print_result(json.dumps(asdict(found), indent=2, default=to_builtins) + "\n")
    else:
        print_prose(_report(path, found))
    return ConfigError.exit_code if found.problems else 0


def _report(path: Path, found: Checked) -> str:
    count = len(found.problems)
    lines = [*found.served, *found.prices, *found.decided, *(f"note: {note}" for note in found.notes)]
    for dataset in found.datasets:
        read = f"{dataset.questions:,} questions" if dataset.is_all else f"the first {dataset.questions:,} questions"
        lines.append(f"\ndatasets.{dataset.name}: {read} read; the first one, as sent to the {dataset.arm} arm:")
        lines += [indent(f"{message.role}: {message.content}", "  ") for message in dataset.messages]
    lines += [f"\n{path}: {'no problem' if not count else f'{count} problem' + 's' * (count > 1)} found"]
    lines += [f"- {indent(problem, '  ').lstrip()}" for problem in found.problems]
    return escaped("\n".join(lines).lstrip("\n")) + "\n"


def _show(args: argparse.Namespace) -> int:
    """Show the configuration.

    Raises
    ------
    ConfigError, DataError
        If it is wrong.
    UsageError
        If there is no such run.
    """
    from promptrial.care.shown_config import config_of_file, config_of_run
    from promptrial.care.status import find_run

    if args.run_id is not None:
        shown = config_of_run(find_run(experiments_dir(args), args.run_id))
    else:
        env = environment(os.environ, Path.cwd())
        shown = config_of_file(args.config or DEFAULT_CONFIG, env, overrides(args), override_sources(args))
    for sentence in shown.sentences:
        say_to_stderr(sentence)
    print_result(_as_json(shown) if args.json else shown.as_yaml(terminal_width()))
    return 0


def _as_json(shown: ShownConfig) -> str:
    value = {"config": shown.tree, "sources": {_pointer(at): source for at, source in shown.sources.items()}}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _pointer(at: KeyPath) -> str:
    """Return a key path as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in at)
