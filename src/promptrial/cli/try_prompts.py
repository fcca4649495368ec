"""``promptrial try``: from prompts and questions to a verdict, without a configuration of one's own."""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
from pathlib import Path
from typing import Final

from promptrial.cli import draft_flags
from promptrial.cli import run as run_command
from promptrial.cli.options import add_experiments_dir, add_yes, experiments_dir, resume_command
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import environment
from promptrial.errors import RunExistsError, UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr
from promptrial.store.rundir import RunDir, check_run_id

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """Compare system prompts on your own questions, and show the verdict. No configuration file is needed.

This starts an ordinary run in experiments/, which can be stopped, resumed, extended and archived. Its configuration
and prompts are saved in experiments/tries/, where you can edit them and run them again."""
_ITEMS: Final = 30
_TRIES: Final = "tries"


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    draft_flags.add_draft_flags(parser, required=True)
    draft_flags.add_size_flags(parser, default=_ITEMS)
    add_flag(parser, "run_id", "name of the run; its folder is run_ID (default: the time in UTC)", metavar="ID")
    add_experiments_dir(parser)
    add_flag(parser, "dry_run", "use a local emulator instead of hosted providers: no key, no cost",
             action="store_true")  # fmt: skip
    add_yes(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def execute(args: argparse.Namespace) -> int:
    """Write the configuration, run it, and say how to go on.

    Raises
    ------
    MissingDependencyError
        If the embedded engine or its model is needed and not installed, with the line that installs them.
    UsageError
        If something given does not exist, or the key of a hosted model.
    """
    from promptrial.care.draft_inputs import check_engine, texts_in_words, variables_needed
    from promptrial.care.drafts import CONFIG_NAME, Given, new_files
    from promptrial.care.question_keys import separator_with_flag
    from promptrial.store.new_files import write_new

    model = draft_flags.model(args)
    questions, dataset = draft_flags.questions(args), draft_flags.dataset(args)
    given = Given("try", model, draft_flags.prompts(args, {}), questions, draft_flags.top(args), dataset)
    check_engine(model)
    env = environment(os.environ, Path.cwd())
    if not args.dry_run and (missing := variables_needed(model, env)):
        raise UsageError("\n".join(missing), hint="to try it without a key and without cost, add --dry_run")
    run_id, folder = _place(args)
    config = folder / CONFIG_NAME
    made = new_files(folder, given, env, shown=shlex.quote(str(config)), copies=True)
    write_new(folder, made.files)
    for sentence in (*texts_in_words(given.prompts), *map(separator_with_flag, made.sentences)):
        say_to_stderr(sentence)
    code = run_command.execute(run_command.parsed("try", _words(args, config, run_id)))
    if code == 0 and not args.json:
        print_result(_go_on(args, run_id, more=made.items > args.limit_items))
    return code


def _place(args: argparse.Namespace) -> tuple[str, Path]:
    """Return the name of the run and the folder of its configuration, neither of which exists.

    Raises
    ------
    RunExistsError
        If a run of the name that was given exists.
    """
    from promptrial.engine.opening import new_run_ids

    experiments = experiments_dir(args)
    if args.run_id is not None:
        run = RunDir(experiments, check_run_id(args.run_id))
        if os.path.lexists(run.root):
            raise RunExistsError(
                f"run {args.run_id} already exists", hint=f"resume it: {run.resume_command}; or choose another --run_id"
            )
        return args.run_id, experiments / _TRIES / args.run_id
    for run_id in itertools.islice(new_run_ids(SystemClock().now(), experiments), run_command.NAMES_TRIED):
        folder = experiments / _TRIES / run_id
        if not os.path.lexists(folder):
            return run_id, folder
    raise UsageError(f"{experiments / _TRIES}: every name is taken", hint="give one with --run_id")


def _words(args: argparse.Namespace, config: Path, run_id: str) -> list[str]:
    words = ["--config", str(config), "--run_id", run_id, "--experiments_dir", str(experiments_dir(args))]
    return [*words, *(f"--{name}" for name in ("dry_run", "yes", "json") if getattr(args, name))]


def _go_on(args: argparse.Namespace, run_id: str, *, more: bool) -> str:
    grow = f"Ask more questions: {resume_command(args, run_id)} --limit_items {2 * args.limit_items}\n" if more else ""
    return f"{grow}Keep it as your own files: promptrial init FOLDER {draft_flags.words_again(args, limited=more)}\n"
