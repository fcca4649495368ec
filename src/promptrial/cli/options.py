"""Flags that several commands share, and the habits of them all: underscores or hyphens, environment variables.

Every flag ``--some_flag`` may be written ``--some-flag``, and is also read from ``PROMPTRIAL_SOME_FLAG``, in the
environment or in ``.env``. What is typed wins over the environment, which wins over ``.env``; a flag also takes the
place of those that exclude it and stand further down.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from promptrial import registry
from promptrial.cli.values import names, numbers, positive, truth
from promptrial.config.environment import DEFAULT_CONFIG, DEFAULT_EXPERIMENTS, dotenv, environment, experiments_dir_of
from promptrial.errors import UsageError
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:  # importing the configuration costs half a second that --help can do without
    from promptrial.config.loading import KeyPath
    from promptrial.store.rundir import RunDir

__all__ = [
    "ALL_ARMS",
    "Parser",
    "add_choices",
    "add_config",
    "add_experiments_dir",
    "add_flag",
    "add_run_flags",
    "add_run_id",
    "config_file",
    "experiments_dir",
    "override_sources",
    "overrides",
    "resume_command",
    "run_or_latest",
]

ALL_ARMS: Final = "both"
"""What ``--condition`` takes for all arms."""


@dataclass(frozen=True, slots=True)
class _Flag:
    """A flag as it may be set without being typed. ``rivals`` are the flags that it excludes.

    One that is not ``in_dotenv`` is set by the environment alone: a ``.env`` may stand in a folder that came
    from elsewhere.
    """

    name: str
    convert: Callable[[str], object]
    choices: Sequence[str] | None
    default: object
    required: bool
    rivals: tuple[str, ...]
    in_dotenv: bool

    @property
    def variable(self) -> str:
        return f"PROMPTRIAL_{self.name.upper()}"

    def read(self, text: str, source: str) -> object:
        """Return the value that a variable gives.

        Raises
        ------
        UsageError
            If the flag cannot have it; names the variable.
        """
        try:
            value = self.convert(text)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise UsageError(f"{source} {self.variable}: {error}") from error
        if self.choices is not None and value not in self.choices:
            raise UsageError(f"{source} {self.variable}: expected one of {', '.join(self.choices)}; got {text!r}")
        return value


class Parser(argparse.ArgumentParser):
    """An argument parser that does not guess abbreviations, and ends with exit code 2 like every usage error."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own options
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.flags: dict[str, _Flag] = {}

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401, ARG002 - argparse's own
        """Print help and version, as every result is printed."""
        if message:
            print_result(message)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, and end with exit code 2."""
        say_to_stderr(f"{self.format_usage()}{self.prog}: error: {message}")
        raise SystemExit(UsageError.exit_code)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:  # noqa: ANN401
        """Parse, then fill in from the environment, ``.env`` and the defaults what was not typed."""
        found, rest = super().parse_known_args(args, namespace)
        if self.flags:
            if rest:
                self.error(f"unrecognized arguments: {' '.join(rest)}{self._meant(rest)}")
            self._fill(found.__dict__)
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - argparse's own
        """Refuse a value that is none of the choices; of a verb, name the one that was probably meant."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:  # noqa: SLF001
            close = difflib.get_close_matches(str(value), [*action.choices], n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            known = ", ".join(action.choices)
            raise argparse.ArgumentError(
                None, f"there is no {str(action.metavar).lower()} {value!r}; {meant}known: {known}"
            )
        super()._check_value(action, value)

    def _meant(self, words: Sequence[str]) -> str:
        """Return the flags that were probably meant by unknown ones, as a question; empty if there are none."""
        typed = [word.partition("=")[0].lstrip("-").replace("-", "_") for word in words if word.startswith("--")]
        close = dict.fromkeys(
            f"--{near}" for name in typed for near in difflib.get_close_matches(name, [*self.flags], n=1)
        )
        return f"; did you mean {' and '.join(close)}?" if close else ""

    def _fill(self, values: dict[str, Any]) -> None:
        given_by = {name: f"flag --{name}" for name in self.flags if name in values}
        for source, variables in (("environment variable", os.environ), (".env:", dotenv(Path.cwd()))):
            if source == ".env:":
                self._check_dotenv(variables)
            found = _given(self.flags.values(), values, source, variables)
            given_by |= {name: f"{source} {self.flags[name].variable}" for name in found}
            values |= found
        missing = [f"--{flag.name}" for flag in self.flags.values() if flag.required and flag.name not in values]
        if missing:
            self.error(f"the following arguments are required: {', '.join(missing)}")
        for flag in self.flags.values():
            values.setdefault(flag.name, flag.default)
        values["given_by"] = given_by

    def _check_dotenv(self, variables: Mapping[str, str]) -> None:
        for flag in self.flags.values():
            if not flag.in_dotenv and variables.get(flag.variable):
                raise UsageError(
                    f".env: {flag.variable}: a file cannot give it, for the file may have come from elsewhere",
                    hint=f"remove it from .env, and give --{flag.name} with the command",
                )


def _given(
    flags: Iterable[_Flag], values: Mapping[str, object], source: str, variables: Mapping[str, str]
) -> dict[str, object]:
    """Return what variables give to flags that have no value yet and no rival with one; an empty one gives nothing."""
    return {
        flag.name: flag.read(text, source)
        for flag in flags
        if (text := variables.get(flag.variable, "")) and not {flag.name, *flag.rivals} & values.keys()
    }


def add_flag(
    parser: Parser,
    name: str,
    help_text: str,
    *,
    group: Any = None,  # noqa: ANN401 - argparse has no public name for its groups
    default: object = None,
    required: bool = False,
    rivals: tuple[str, ...] = (),
    in_dotenv: bool = True,
    short: str = "",
    **options: Any,  # noqa: ANN401
) -> None:
    """Add ``--name`` with its hyphenated twin and its environment variable, which ``.env`` may set unless told."""
    spellings = dict.fromkeys([*([f"-{short}"] if short else []), f"--{name}", f"--{name.replace('_', '-')}"])
    is_switch = options.get("action") == "store_true"
    (group or parser).add_argument(
        *spellings, dest=name, help=help_text, default=argparse.SUPPRESS, **options
    )  # without a default, so that what was typed can be told
    parser.flags[name] = _Flag(
        name=name,
        convert=truth if is_switch else options.get("type", str),
        choices=options.get("choices"),
        default=False if is_switch else default,
        required=required,
        rivals=rivals,
        in_dotenv=in_dotenv,
    )


def add_run_id(parser: Parser, *, or_latest: bool = False) -> None:
    """Add the name of a run, as the first word or as ``--run_id``; with ``or_latest`` it may be left out."""
    help_text = "name of the run" + (" (default: the one that changed last)" if or_latest else "")
    parser.add_argument("run_id", nargs="?", metavar="RUN_ID", default=argparse.SUPPRESS, help=help_text)
    add_flag(parser, "run_id", "same as RUN_ID", metavar="ID", required=not or_latest)


def run_or_latest(args: argparse.Namespace, verb: str) -> RunDir:
    """Return the run that is named; without a name the one that changed last, which is said.

    Raises
    ------
    UsageError
        If there is no such run, or no run at all.
    """
    from promptrial.care.status import find_run

    experiments = experiments_dir(args)
    if args.run_id is None:
        from promptrial.care.listing import latest_run
        from promptrial.runtime.clock import SystemClock

        args.run_id, count = latest_run(experiments, SystemClock())
        others = f"; of {count} runs the one that changed last. Others: promptrial list, promptrial {verb} RUN_ID"
        say_to_stderr(f"run {args.run_id}{others if count > 1 else ''}")
    return find_run(experiments, args.run_id)


def add_experiments_dir(parser: Parser) -> None:
    """Add ``--experiments_dir``; ``experiments_dir`` returns its value."""
    help_text = "where runs are kept (default: paths.experiments_dir of the configuration, or else experiments)"
    add_flag(parser, "experiments_dir", help_text, type=Path, metavar="DIR")


def experiments_dir(args: argparse.Namespace) -> Path:
    """Return where runs are kept, as a flag, the environment, the configuration or the default says."""
    if args.experiments_dir is None:
        config: Path = getattr(args, "config", None) or DEFAULT_CONFIG
        args.experiments_dir = experiments_dir_of(config, environment(os.environ, Path.cwd())) or DEFAULT_EXPERIMENTS
    found: Path = args.experiments_dir
    blocking = next((path for path in (found, *found.parents) if os.path.exists(path)), found)  # noqa: PTH110 - it never raises
    if os.path.exists(blocking) and not blocking.is_dir():  # noqa: PTH110
        raise UsageError(
            f"{blocking}: not a folder, so no runs can be kept in {found}",
            hint="give a folder with --experiments_dir, or change paths.experiments_dir in the configuration",
        )
    return found


def resume_command(args: argparse.Namespace, run_id: str) -> str:
    """Return the command that resumes a run."""
    from promptrial.store.rundir import RunDir

    return RunDir(experiments_dir(args), run_id).resume_command


def add_run_flags(parser: Parser) -> None:
    """Add the flags that ``run`` and ``plan`` share."""
    steps = ", ".join(registry.PHASES)
    add_config(parser)
    add_flag(parser, "run_id", "name of the run; its folder is run_ID (default: the time in UTC)", metavar="ID")
    add_experiments_dir(parser)
    group = parser.add_argument_group("steps", f"in order: {steps}")
    add_flag(parser, "only_step", "run only this step", group=group, rivals=("from_step", "to_step"), metavar="STEP")
    add_flag(parser, "from_step", "start with this step", group=group, rivals=("only_step",), metavar="STEP")
    add_flag(parser, "to_step", "stop after this step", group=group, rivals=("only_step",), metavar="STEP")
    add_flag(parser, "trial_filter", "work only on trials whose name contains this", metavar="TEXT")
    add_choices(parser)
    group = parser.add_argument_group("execution")
    add_flag(parser, "max_concurrent_jobs", "jobs in flight at hosted providers (default: 8)", group=group,
             type=positive, metavar="N")  # fmt: skip
    add_flag(parser, "no_sharing", "ask requests that several trials have in common once for each trial", group=group,
             action="store_true")  # fmt: skip
    add_flag(parser, "dry_run", "use a local emulator instead of a hosted provider: no key, no cost; "
             "remembered by the run", group=group, action="store_true")  # fmt: skip
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def add_config(parser: Parser) -> None:
    """Add ``--config``."""
    add_flag(parser, "config", f"configuration file, or its folder (default: {DEFAULT_CONFIG})", type=config_file,
             metavar="FILE")  # fmt: skip


def config_file(text: str) -> Path:
    """Return the path of a configuration, which is found by its usual name in a folder."""
    found = Path(text, DEFAULT_CONFIG.name)
    return found if os.path.isfile(found) else Path(text)  # noqa: PTH113 - it never raises


def add_choices(parser: Parser) -> None:
    """Add the flags that choose a part of what the configuration has, or change a value of it."""
    group = parser.add_argument_group("what to run (remembered by the run)")
    add_flag(parser, "models", "aliases of models, separated by commas", group=group, type=names, metavar="A,B")
    add_flag(parser, "prompt_sets", "names of prompt sets, separated by commas", group=group, type=names,
             metavar="A,B")  # fmt: skip
    add_flag(parser, "temps", "temperatures, separated by commas", group=group, type=numbers, metavar="T,T")
    add_flag(parser, "arms", "names of arms, separated by commas (default: all)", group=group, type=names,
             rivals=("condition",), metavar="A,B")  # fmt: skip
    add_flag(parser, "condition", f"run this arm only; {ALL_ARMS} runs all. An alias of --arms", group=group,
             rivals=("arms",), metavar="ARM")  # fmt: skip
    add_flag(parser, "limit_items", "use at most N items of each dataset", group=group, type=positive, metavar="N")
    add_flag(parser, "parts_per_dataset", "split each arm into N parts", group=group, type=positive,
             rivals=("lines_per_part",), metavar="N")  # fmt: skip
    add_flag(parser, "lines_per_part", "put at most N requests into each part", group=group, type=positive,
             rivals=("parts_per_dataset",), metavar="N")  # fmt: skip


_FLAGS: Final[Mapping[KeyPath, tuple[str, ...]]] = {
    ("trials",): ("models", "prompt_sets"),
    ("sweep", "models"): ("models",),
    ("sweep", "prompt_sets"): ("prompt_sets",),
    ("conditions",): ("arms", "condition"),
    ("execution", "share_identical_arms"): ("no_sharing",),
}
"""The flags that give a key, where they are not named like it."""


def override_sources(args: argparse.Namespace) -> dict[KeyPath, str]:
    """Return what gave each value of ``overrides``: a flag, or the variable in its place."""
    return {
        at: next(
            (args.given_by[name] for name in _FLAGS.get(at, (str(at[-1]),)) if name in args.given_by), "another flag"
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
        raise UsageError("--parts_per_dataset excludes --lines_per_part")
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
        raise UsageError("--arms excludes --condition")
    if args.arms is not None:
        return {("conditions",): args.arms}
    if args.condition is not None:
        return {("conditions",): None if args.condition == ALL_ARMS else [args.condition]}
    return {}


def _execution(args: argparse.Namespace) -> dict[KeyPath, object]:
    values: dict[KeyPath, object] = {}
    if getattr(args, "max_concurrent_jobs", None) is not None:
        values["execution", "max_concurrent_jobs"] = args.max_concurrent_jobs
    if getattr(args, "no_sharing", False):
        values["execution", "share_identical_arms"] = False
    return values
