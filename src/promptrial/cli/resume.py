"""``promptrial resume``: resume a run by its id alone, after migrating it if an older tool made it."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial import registry
from promptrial.care.status import find_folder
from promptrial.cli import plan as plan_command
from promptrial.cli import run as run_command
from promptrial.cli.options import (
    add_cap,
    add_display,
    add_experiments_dir,
    add_resuming,
    config_file,
    experiments_dir,
    resume_command,
)
from promptrial.cli.parser import Parser, add_flag
from promptrial.config.environment import place_flag
from promptrial.errors import PromptrialError, UsageError
from promptrial.runtime.clock import Clock, SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    from promptrial.engine.opening import RunRequest
    from promptrial.engine.session import Invocation
    from promptrial.legacy.migration import Migration

__all__ = ["DESCRIPTION", "configure", "execute"]

DESCRIPTION = """\
Resume a run by its name.

A run of promptrial's predecessor, the older tool that it replaced, is migrated first; none of its requests is sent
again. You can recognise such a run by its effective_config.yaml, which has no task_instructions."""


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    parser.add_argument("run", nargs="?", metavar="ID", help="name of the run")
    add_flag(parser, "run_id", "same as ID", metavar="ID")
    add_experiments_dir(parser)
    add_flag(parser, "config", "configuration file (default: the one the run was started with)", type=config_file,
             metavar="FILE")  # fmt: skip
    add_flag(parser, "prepared", "folder with the questions of a run of the older tool (default: the run's own)",
             type=Path, metavar="DIR")  # fmt: skip
    group = parser.add_argument_group("phases to run", f"in order: {', '.join(registry.PHASES)}")
    add_flag(parser, "only_step", "run only this phase", group=group, rivals=("from_step", "to_step"), metavar="PHASE")
    add_flag(parser, "from_step", "start with this phase", group=group, rivals=("only_step",), metavar="PHASE")
    add_flag(parser, "to_step", "stop after this phase", group=group, rivals=("only_step",), metavar="PHASE")
    add_flag(parser, "trial_filter", "only trials whose name contains TEXT", metavar="TEXT")
    add_flag(parser, "plan_only", "show what is on disk and what would be done, but do nothing", action="store_true")
    add_resuming(parser)
    add_cap(parser)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")
    add_display(parser)


def execute(args: argparse.Namespace) -> int:
    """Migrate the run if it needs that, then resume it, or show its plan.

    Raises
    ------
    UsageError
        If no run is named, or there is none of that name.
    """
    from promptrial.engine.opening import require_names
    from promptrial.engine.session import Invocation
    from promptrial.legacy.detection import needs_migration
    from promptrial.legacy.migration import migrate
    from promptrial.store.lock import RunLock

    run_id = args.run or args.run_id
    if run_id is None or (args.run and args.run_id and args.run != args.run_id):
        place = place_flag(experiments_dir(args))
        raise UsageError(f"name one run: promptrial resume ID{place}", hint=f"list all runs: promptrial list{place}")
    run, clock = find_folder(experiments_dir(args), run_id), SystemClock()
    require_names(run.root.parent, args.config or run.config_path)  # before anything of it is migrated
    invocation = Invocation(
        os.environ, clock, say_to_stderr, args.log_level, resume_command=resume_command(args, run_id)
    )
    if not needs_migration(run):
        return _go_on(args, run, clock)
    if args.plan_only:
        with _shadow(run) as shadow:
            _preview(args, run, shadow, replace(invocation, say=_Translated(run, shadow).say))
        return 0
    with RunLock(run.lock_path, since=clock.now(), clock=clock, stop_command=run.command("stop")):
        run.check_links()
        _say(migrate(run, args.prepared, invocation), say_to_stderr, done=True)
    return _go_on(args, run, clock)


@contextmanager
def _shadow(run: RunDir) -> Iterator[RunDir]:
    """Yield a copy of a run that may be changed: no file is ever written in place, so links will do."""
    with tempfile.TemporaryDirectory() as folder:
        experiments = Path(folder)
        shutil.copytree(run.root, experiments / run.root.name, copy_function=_link_or_copy)
        yield RunDir(experiments, run.run_id)


@dataclass(frozen=True, slots=True)
class _Translated:
    """What is said about a copy of a run, as it is true of the run itself: its folder, and commands that find it."""

    run: RunDir
    shadow: RunDir

    def __call__(self, text: str) -> str:
        """Return a text that names the run's own folder."""
        text = text.replace(self.shadow.place, self.run.place)
        return text.replace(str(self.shadow.root.parent), str(self.run.root.parent))

    def say(self, text: str) -> None:
        """Say a sentence on stderr."""
        say_to_stderr(self(text))


def _preview(args: argparse.Namespace, run: RunDir, shadow: RunDir, invocation: Invocation) -> None:
    """Print what a resume of an older tool's run would do, found out with a copy.

    Raises
    ------
    PromptrialError
        As the resume would.
    """
    from promptrial.legacy.migration import migrate

    translated = _Translated(run, shadow)
    try:
        _say(migrate(shadow, args.prepared, invocation), translated.say, done=False)
        print_result(translated(_planned(args, shadow, invocation)))
    except PromptrialError as error:
        error.message = translated(error.message)
        error.hint = None if error.hint is None else translated(error.hint)
        raise


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _say(migration: Migration, say: Callable[[str], None], *, done: bool) -> None:
    say(
        "this run was made by promptrial's predecessor"
        + ("; it was migrated" if done else "; a resume would migrate it")
    )
    for title, sentences in (("on disk", migration.sure), ("inferred", migration.inferred)):
        for sentence in sentences:
            say(f"  {title}: {sentence}")


def _go_on(args: argparse.Namespace, run: RunDir, clock: Clock) -> int:
    from promptrial.design.plan import select_phases
    from promptrial.engine.session import Invocation

    if args.plan_only:
        print_result(_planned(args, run, Invocation(os.environ, clock, say_to_stderr)))
        return 0
    selection = select_phases(args.only_step, args.from_step, args.to_step)
    return run_command.follow_and_print(args, _request(args, run), selection)


def _planned(args: argparse.Namespace, run: RunDir, invocation: Invocation) -> str:
    from promptrial.design.plan import select_phases

    selection = select_phases(args.only_step, args.from_step, args.to_step)
    plans = plan_command.previews(_request(args, run), selection, invocation, args)
    return plan_command.printed(plans, json_wanted=args.json)


def _request(args: argparse.Namespace, run: RunDir) -> RunRequest:
    from promptrial.engine.opening import RunRequest

    return RunRequest(
        experiments=run.root.parent,
        run_id=run.run_id,
        config=args.config,
        resume=run.state_path.exists(),
        rebuild=True,
        force=args.force,
        plan_only=args.plan_only,
        rebuy=args.rebuy,
        trusts_kept_digests=not args.verify,
        unblind=args.unblind,
        past_stop=args.past_stop,
        yes=args.yes,
        unattended=args.unattended,
        allow_code=args.allow_code,
        max_cost_usd=args.max_cost_usd,
    )
