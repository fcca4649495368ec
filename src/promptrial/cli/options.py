"""Flags that several commands share, and what they mean together: where runs are, which run, which configuration."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial import registry
from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import amount, names, numbers, positive
from promptrial.config.environment import (
    DEFAULT_CONFIG,
    DEFAULT_EXPERIMENTS,
    environment,
    experiments_dir_of,
    place_flag,
)
from promptrial.config.flags import FLAGS
from promptrial.errors import UsageError
from promptrial.runtime.terminal import say_to_stderr

if TYPE_CHECKING:  # importing the configuration costs half a second that --help can do without
    from promptrial.config.loading import KeyPath
    from promptrial.store.rundir import RunDir

__all__ = [
    "ALL_ARMS",
    "add_cap",
    "add_choices",
    "add_config",
    "add_display",
    "add_experiments_dir",
    "add_resuming",
    "add_run_flags",
    "add_run_id",
    "add_yes",
    "config_file",
    "experiments_dir",
    "newest_run",
    "override_sources",
    "overrides",
    "resume_command",
    "run_or_latest",
]

ALL_ARMS: Final = "both"
"""What ``--condition`` takes for all arms."""


def add_run_id(parser: Parser, *, or_latest: bool = False) -> None:
    """Add the name of a run, as the first word or as ``--run_id``; with ``or_latest`` it may be left out."""
    help_text = "name of the run" + (" (default: the most recently changed run)" if or_latest else "")
    parser.add_argument("run_id", nargs="?", metavar="RUN_ID", default=argparse.SUPPRESS, help=help_text)
    add_flag(parser, "run_id", "same as RUN_ID", metavar="ID", required=not or_latest)


def run_or_latest(args: argparse.Namespace) -> RunDir:
    """Return the run that is named; without a name the one that changed last, which is said.

    Raises
    ------
    UsageError
        If there is no such run, its folder holds nothing of one, or there is no run at all.
    """
    from promptrial.care.status import find_run

    experiments = experiments_dir(args)
    if args.run_id is None:
        args.run_id = newest_run(experiments)
    return find_run(experiments, args.run_id)


def newest_run(experiments: Path) -> str:
    """Return the name of the run that changed last, and say it on stderr.

    Raises
    ------
    UsageError
        If there is no run.
    """
    from promptrial.care.listing import latest_run
    from promptrial.runtime.clock import SystemClock

    run_id, count = latest_run(experiments, SystemClock())
    others = f", the most recently changed of {count} (see all: promptrial list{place_flag(experiments)})"
    say_to_stderr(f"run {run_id}{others if count > 1 else ''}")
    return run_id


def add_experiments_dir(parser: Parser) -> None:
    """Add ``--experiments_dir``; ``experiments_dir`` returns its value."""
    help_text = "folder that holds the runs (default: paths.experiments_dir in the configuration, or experiments)"
    add_flag(parser, "experiments_dir", help_text, type=Path, metavar="DIR")


def experiments_dir(args: argparse.Namespace) -> Path:
    """Return where runs are kept, as a flag, the environment, the configuration or the default says."""
    if args.experiments_dir is None:
        config: Path = getattr(args, "config", None) or DEFAULT_CONFIG
        args.experiments_dir = experiments_dir_of(config, environment(os.environ, Path.cwd())) or DEFAULT_EXPERIMENTS
    found: Path = args.experiments_dir
    blocking = next((path for path in (found, *found.parents) if os.path.exists(path)), found)  # noqa: PTH110 - it never raises
    if os.path.exists(blocking) and not blocking.is_dir():  # noqa: PTH110 - it never raises
        raise UsageError(
            f"{blocking}: not a folder, so no runs can be kept in {found}",
            hint="give a folder with --experiments_dir, or change paths.experiments_dir in the configuration",
        )
    return found


def resume_command(args: argparse.Namespace, run_id: str) -> str:
    """Return the command that resumes a run."""
    from promptrial.store.rundir import RunDir

    return RunDir(experiments_dir(args), run_id).resume_command


def add_run_flags(parser: Parser, *, saved: bool = True) -> None:
    """Add the flags that ``run`` and ``plan`` share; ``saved`` says that what they give is kept with the run."""
    steps, kept = ", ".join(registry.PHASES), "; saved with the run" if saved else ""
    add_config(parser)
    add_flag(parser, "run_id", "name of the run; its folder is run_ID (default: the time in UTC)", metavar="ID")
    add_experiments_dir(parser)
    group = parser.add_argument_group("phases to run", f"in order: {steps}")
    add_flag(parser, "only_step", "run only this phase", group=group, rivals=("from_step", "to_step"), metavar="PHASE")
    add_flag(parser, "from_step", "start with this phase", group=group, rivals=("only_step",), metavar="PHASE")
    add_flag(parser, "to_step", "stop after this phase", group=group, rivals=("only_step",), metavar="PHASE")
    add_flag(parser, "trial_filter", "only trials whose name contains TEXT", metavar="TEXT")
    add_choices(parser, saved=saved)
    group = parser.add_argument_group("execution")
    add_flag(parser, "max_concurrent_jobs", "maximum number of jobs in flight at hosted "
                                            "providers (default: 8)", group=group,
             type=positive, metavar="N")  # fmt: skip
    add_flag(parser, "workers", "number of processes that parse and score, and of threads that compute "
                                "statistics (default: one per core if there are many answers)", group=group,
             type=positive, metavar="N")  # fmt: skip
    add_flag(parser, "executor", "what parses and scores: processes of this machine, or Ray (default: processes)",
             group=group, choices=tuple(registry.EXECUTORS))  # fmt: skip
    add_flag(parser, "ray_address", "with --executor ray: HOST:PORT of the head of a Ray cluster that this machine "
                                    "belongs to, or `auto` (default: start Ray on this machine)", group=group,
             metavar="ADDRESS")  # fmt: skip
    add_flag(parser, "no_sharing", "send identical requests once per trial, instead of once for all trials",
             group=group, action="store_true")  # fmt: skip
    add_flag(parser, "reuse", f"reuse these runs' answers to identical requests (names or folders of runs){kept}; "
                              "`none` turns it off", group=group, action="extend", type=names,
             metavar="RUN,RUN")  # fmt: skip
    add_flag(parser, "recheck", "with --reuse: send N randomly chosen requests of the control again, and test "
                                "whether its answers have changed", group=group, type=positive,
             metavar="N")  # fmt: skip
    add_flag(parser, "dry_run", f"use a local emulator instead of hosted providers: no key, no cost{kept}",
             group=group, action="store_true")  # fmt: skip
    add_flag(parser, "pilot", "first ask N questions of each data set, then show the expected cost of the rest, and "
                              "stop",
             group=group, type=positive, metavar="N")  # fmt: skip
    add_cap(parser, saved=saved)
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def add_cap(parser: Parser, *, saved: bool = True) -> None:
    """Add ``--max_cost_usd``."""
    kept = "saved with the run; " if saved else ""
    add_flag(parser, "max_cost_usd", "maximum cost of the run, including requests in flight; the run stops with "
                                     f"exit code 6 before it would spend more ({kept}default: "
                                     "spending.max_usd)", type=amount,
             metavar="USD")  # fmt: skip


def _add_verify(parser: Parser) -> None:
    """Add ``--verify``."""
    add_flag(parser, "verify", "check the digest of every file, even of files that seem unchanged since the last "
                               "check", action="store_true", in_dotenv=False)  # fmt: skip


def _add_looks(parser: Parser) -> None:
    """Add the flags by which people depart from a stopping rule."""
    add_flag(parser, "unblind", "for trials with a stopping rule: end them now, using the most recent interim "
                                "look, and show the results; this is recorded and stated in the reports",
             rivals=("past_stop",), action="store_true", in_dotenv=False)  # fmt: skip
    add_flag(parser, "past_stop", "for trials that stopped early: continue with the next wave of questions; this is "
                                  "recorded and stated in the reports", rivals=("unblind",), action="store_true",
             in_dotenv=False)  # fmt: skip


def add_display(parser: Parser) -> None:
    """Add ``--display`` and ``--log_level``: what stderr shows while a run works."""
    add_flag(parser, "display", "what to show on stderr: a live panel (rich), a line every ten seconds (plain), "
                                "one event per line (json), or errors only (none) (default: rich on a terminal, "
                                "plain otherwise)",
             choices=("rich", "plain", "json", "none"))  # fmt: skip
    add_flag(parser, "log_level", "minimum log level on stderr (default: info)", default="info",
             choices=("debug", "info", "warning", "error"))  # fmt: skip


def add_yes(parser: Parser) -> None:
    """Add ``--yes``. A command for which nobody may be there, as a script is, sets ``unattended`` instead."""
    add_flag(parser, "yes", "spend without asking, and continue after a pilot",
             action="store_true", in_dotenv=False)  # fmt: skip
    parser.set_defaults(unattended=False)


def add_resuming(parser: Parser) -> None:
    """Add the flags that say what a run may do beyond resuming what it has started."""
    add_flag(
        parser, "force", "resume even if the configuration has changed; the change is recorded", action="store_true"
    )
    add_flag(parser, "rebuy", "send requests again, and pay again, if paid answers were lost",
             action="store_true")  # fmt: skip
    _add_verify(parser)
    _add_looks(parser)
    add_yes(parser)
    add_flag(parser, "allow_code", "allow scorers in the run's configuration that are code (a Python file or a "
                                   "command) to be executed; they stay allowed on this machine until the code changes",
             action="store_true", in_dotenv=False)  # fmt: skip


def add_config(parser: Parser) -> None:
    """Add ``--config``."""
    add_flag(parser, "config", f"configuration file or its folder (default: {DEFAULT_CONFIG})", type=config_file,
             metavar="FILE")  # fmt: skip


def config_file(text: str) -> Path:
    """Return the path of a configuration, which is found by its usual name in a folder."""
    found = Path(text, DEFAULT_CONFIG.name)
    return found if os.path.isfile(found) else Path(text)  # noqa: PTH113 - it never raises


def add_choices(parser: Parser, *, saved: bool = True) -> None:
    """Add the flags that choose a part of what the configuration has, or change a value of it; ``saved`` as above."""
    group = parser.add_argument_group(f"what to run{' (saved with the run)' if saved else ''}")
    add_flag(parser, "models", "models to run, by alias, separated by commas", group=group, type=names, metavar="A,B")
    add_flag(parser, "prompt_sets", "prompt sets to run, separated by commas", group=group, type=names,
             metavar="A,B")  # fmt: skip
    add_flag(parser, "temps", "temperatures, separated by commas", group=group, type=numbers, metavar="T,T")
    add_flag(parser, "arms", "arms to run, separated by commas (default: all)", group=group, type=names,
             rivals=("condition",), metavar="A,B")  # fmt: skip
    add_flag(parser, "condition", f"run only this arm (`{ALL_ARMS}` means all); an alias for --arms", group=group,
             rivals=("arms",), metavar="ARM")  # fmt: skip
    add_flag(parser, "aa", "an A/A run: run the control arm twice and no treatment, to see how often chance alone "
                           "looks like a difference", group=group, rivals=("arms", "condition"),
             action="store_true")  # fmt: skip
    add_flag(parser, "limit_items", "use at most N items of each data set", group=group, type=positive, metavar="N")
    add_flag(parser, "parts_per_dataset", "split the requests of each arm into N parts; a part is one batch job",
             group=group, type=positive,
             rivals=("lines_per_part",), metavar="N")  # fmt: skip
    add_flag(parser, "lines_per_part", "put at most N requests into each part", group=group, type=positive,
             rivals=("parts_per_dataset",), metavar="N")  # fmt: skip


def override_sources(args: argparse.Namespace) -> dict[KeyPath, str]:
    """Return what gave each value of ``overrides``: a flag, or the variable in its place."""
    return {
        at: next(
            (args.given_by[name] for name in FLAGS.get(at, (str(at[-1]),)) if name in args.given_by), "another flag"
        )
        for at in overrides(args)
    }


def overrides(args: argparse.Namespace) -> dict[KeyPath, object]:
    """Return the configuration values that flags gave, by key path.

    Raises
    ------
    UsageError
        If two flags exclude each other.
    """
    if args.parts_per_dataset is not None and args.lines_per_part is not None:
        raise UsageError("--parts_per_dataset and --lines_per_part cannot be combined")
    values: dict[KeyPath, object] = {}
    if args.models is not None or args.prompt_sets is not None:
        values["trials",] = None  # flags ask for a sweep of their own
    if args.models is not None:
        values["sweep", "models"] = args.models
    if args.prompt_sets is not None:
        values["sweep", "prompt_sets"] = args.prompt_sets
    if args.temps is not None:
        values["temps",] = args.temps
    if args.limit_items is not None:
        values["limit_items",] = args.limit_items
    values |= _arms(args) | _execution(args)
    for name, other in (("parts_per_dataset", "lines_per_part"), ("lines_per_part", "parts_per_dataset")):
        if getattr(args, name) is not None:
            values[name,] = getattr(args, name)
            values[other,] = None  # the flag takes the place of whichever the file gives
    return values


def _arms(args: argparse.Namespace) -> dict[KeyPath, object]:
    if args.arms is not None and args.condition is not None:
        raise UsageError("--arms and --condition cannot be combined")
    if getattr(args, "aa", False):
        for name in ("arms", "condition"):
            if getattr(args, name) is not None:
                raise UsageError(f"--aa and --{name} cannot be combined", hint="an A/A run asks its control twice")
        return {("aa",): True}
    if args.arms is not None:
        return {("conditions",): args.arms}
    if args.condition is not None:
        if "," in args.condition:
            raise UsageError("--condition takes a single arm", hint=f"for several arms: --arms {args.condition}")
        return {("conditions",): None if args.condition == ALL_ARMS else [args.condition]}
    return {}


def _execution(args: argparse.Namespace) -> dict[KeyPath, object]:
    values: dict[KeyPath, object] = {}
    if getattr(args, "executor", None) not in {None, "ray"} and args.ray_address is None:
        values["execution", "ray_address"] = None  # the flag takes the place of both that the file gives
    for name in ("max_concurrent_jobs", "workers", "executor", "ray_address"):
        if getattr(args, name, None) is not None:
            values["execution", name] = getattr(args, name)
    if getattr(args, "no_sharing", False):
        values["execution", "share_identical_arms"] = False
    if getattr(args, "recheck", None) is not None:
        if args.reuse is None and not getattr(args, "resume", False):
            raise UsageError("--recheck goes with --reuse RUN", hint="it asks part of the reused answers again")
        values["execution", "recheck_items"] = args.recheck
    return values
