"""``promptrial completion``: the script that lets a shell complete verbs, flags, their values, and names of runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from promptrial import registry
from promptrial.cli.options import add_experiments_dir, config_file, experiments_dir
from promptrial.cli.parser import Parser
from promptrial.runtime.terminal import print_result

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Print a script that lets your shell complete commands, flags, their values, and names of runs.

  bash:  promptrial completion bash > ~/.local/share/bash-completion/completions/promptrial
  zsh:   promptrial completion zsh > DIR/_promptrial    (DIR: a folder in fpath)
  fish:  promptrial completion fish > ~/.config/fish/completions/promptrial.fish

Then start a new shell. The scripts call `promptrial completion runs`, which prints the names of the runs."""
_RUNS: Final = "runs"
_NAMES_RUN: Final = ("run", "run_id", "run_a", "run_b", "reuse")
_PATHS: Final = (Path, config_file)
_NAME_PHASE: Final = ("only_step", "from_step", "to_step", "phase")


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("what", metavar="SHELL", choices=("bash", "zsh", "fish", _RUNS), help="bash, zsh, fish or runs")
    add_experiments_dir(parser)


def execute(args: argparse.Namespace) -> int:
    """Print the script, or the names."""
    if args.what == _RUNS:
        print_result("".join(f"{name}\n" for name in _run_names(args)))
        return 0
    import shtab

    from promptrial.cli.main import COMMANDS, build_parser

    parser = build_parser(*COMMANDS)
    runs, phases = (
        shtab.cmd(f"promptrial completion {_RUNS} 2>/dev/null"),
        shtab.cmd(f"printf '%s\\n' {' '.join(registry.PHASES)}"),
    )
    _complete(parser, dict.fromkeys(_NAMES_RUN, runs) | dict.fromkeys(_NAME_PHASE, phases))
    print_result(shtab.complete(parser, args.what).rstrip("\n") + "\n")
    return 0


def _run_names(args: argparse.Namespace) -> list[str]:
    """Return the names of runs, of which no file is read: a key was pressed, and waits."""
    from promptrial.store.rundir import known_runs

    return known_runs(experiments_dir(args))


def _complete(parser: argparse.ArgumentParser, by: Mapping[str, object]) -> None:
    """Say what completes flags and words of a parser and of its verbs: some by their names, paths as files."""
    import shtab

    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - nor a name for this
            for sub in action.choices.values():
                _complete(sub, by)
        elif action.dest in by:
            action.complete = by[action.dest]  # type: ignore[attr-defined] # what shtab looks for
        elif action.type in _PATHS:
            action.complete = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]  # shtab's own mark
