"""``promptrial init``: a configuration of one's own, with its prompts, and questions if there are none yet."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli import draft_flags
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import DEFAULT_CONFIG, environment
from promptrial.runtime.terminal import print_result

if TYPE_CHECKING:
    from promptrial.care.drafts import NewFiles

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Write a configuration file for your own trial. It can be run as it is, or what to fix first is printed.

The question file is read to find its format, its columns and suitable scorers. Without --questions, five sample
questions are written. For each prompt that you do not give, a sample prompt is written.

Files that you name stay where they are. A prompt given as text is saved to a file. Existing files are never
replaced."""
_FOLDER: Final = DEFAULT_CONFIG.parent


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("folder", nargs="?", type=Path, default=_FOLDER, metavar="FOLDER",
                        help=f"folder to write to (default: {_FOLDER}, where run and plan look)")  # fmt: skip
    draft_flags.add_draft_flags(parser, required=False)
    draft_flags.add_size_flags(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Write the files, then say what was found and what to do next.

    Raises
    ------
    UsageError
        If a file exists already, or something given does not exist.
    """
    from promptrial.care.draft_inputs import as_name, variables_needed
    from promptrial.care.drafts import CONFIG_NAME, Given, new_files, sample_prompts
    from promptrial.store.new_files import check_new, write_new

    folder: Path = args.folder
    config = folder / CONFIG_NAME
    given = Given(
        name=as_name(folder.resolve().name if folder != _FOLDER else Path.cwd().name),
        model=draft_flags.model(args),
        prompts=draft_flags.prompts(args, sample_prompts()),
        questions=draft_flags.questions(args),
        top=draft_flags.top(args),
        dataset=draft_flags.dataset(args),
    )
    check_new(folder, given.names(copies=False))  # before questions are read, which may take a while
    env = environment(os.environ, Path.cwd())
    made = new_files(folder, given, env, shown=shlex.quote(str(config)), copies=False)
    write_new(folder, made.files)
    made = replace(made, sentences=(*made.sentences, *variables_needed(given.model, env)))
    print_result(_as_json(folder, config, made) if args.json else _as_text(folder, config, made))
    return 0


def _as_json(folder: Path, config: Path, made: NewFiles) -> str:
    value = {
        "config": str(config),
        "files": [str(folder / name) for name in made.files],
        "found": list(made.sentences),
        "next": _next(config),
    }
    return json.dumps(value, indent=2) + "\n"


def _as_text(folder: Path, config: Path, made: NewFiles) -> str:
    written = [f"Wrote {folder / name}" for name in made.files]
    return "\n".join([*written, *made.sentences, "Next:", *(f"  {command}" for command in _next(config))]) + "\n"


def _next(config: Path) -> list[str]:
    flag = "" if config == DEFAULT_CONFIG else f" --config {shlex.quote(str(config))}"
    return [f"promptrial plan{flag}", f"promptrial run{flag}"]
