"""Flags that several commands share, and the habits of them all: underscores or hyphens, environment variables.

Every flag ``--some_flag`` may be written ``--some-flag``, and is also read from ``PROMPTRIAL_SOME_FLAG``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptrial import registry
from promptrial.errors import UsageError
from promptrial.model import CONDITIONS

if TYPE_CHECKING:  # importing the configuration costs half a second that --help can do without
    from promptrial.config.loading import KeyPath

__all__ = ["Parser", "add_flag", "add_run_flags", "overrides"]


class Parser(argparse.ArgumentParser):
    """An argument parser that does not guess abbreviations, and ends with exit code 2 like every usage error."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own options
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)


def add_flag(parser: argparse.ArgumentParser, name: str, help_text: str, **options: Any) -> None:  # noqa: ANN401
    """Add ``--name`` with its hyphenated twin and its environment variable."""
    spellings = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
    variable = f"PROMPTRIAL_{name.upper()}"
    given = os.environ.get(variable)
    convert: Callable[[str], object] = options.get("type", str)
    if given is not None:
        try:
            options["default"] = _truth(variable, given) if options.get("action") == "store_true" else convert(given)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise UsageError(f"environment variable {variable}: {error}") from error
    parser.add_argument(*spellings, dest=name, help=help_text, **options)


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that ``run`` and ``plan`` share."""
    steps = ", ".join(registry.PHASES)
    add_flag(parser, "config", "configuration file (default: config/eval_config.yaml)", type=Path, metavar="FILE")
    add_flag(parser, "run_id", "name of the run, its folder is run_ID (default: the time in UTC)", metavar="ID")
    add_flag(parser, "experiments_dir", "where runs are kept (default: experiments)", type=Path, metavar="DIR",
             default=Path("experiments"))  # fmt: skip
    steps_group = parser.add_argument_group("steps", f"in order: {steps}")
    add_flag(steps_group, "only_step", "do this step alone", metavar="STEP")  # type: ignore[arg-type]
    add_flag(steps_group, "from_step", "begin with this step", metavar="STEP")  # type: ignore[arg-type]
    add_flag(steps_group, "to_step", "end with this step", metavar="STEP")  # type: ignore[arg-type]
    add_flag(parser, "trial_filter", "work only on trials whose name contains this", metavar="TEXT")
    what: Any = parser.add_argument_group("what to run (remembered by the run)")
    add_flag(what, "models", "aliases of models, separated by commas", type=_names, metavar="A,B")
    add_flag(what, "prompt_sets", "names of prompt sets, separated by commas", type=_names, metavar="A,B")
    add_flag(what, "temps", "temperatures, separated by commas", type=_numbers, metavar="T,T")
    add_flag(what, "condition", "run one arm only (default: both)", choices=(*CONDITIONS, "both"))
    add_flag(what, "limit_items", "at most so many items of each dataset", type=_positive, metavar="N")
    add_flag(what, "parts_per_dataset", "cut each arm into so many parts", type=_positive, metavar="N")
    add_flag(what, "lines_per_part", "put at most so many requests into a part", type=_positive, metavar="N")
    add_flag(parser, "json", "machine-readable result on stdout", action="store_true")


def overrides(args: argparse.Namespace) -> dict[KeyPath, object]:
    """Return the configuration values that flags gave, by key path."""
    values: dict[KeyPath, object] = {}
    if args.models is not None or args.prompt_sets is not None:
        values["trials",] = None  # flags ask for a sweep of their own
    if args.models is not None:
        values["sweep", "models"] = args.models
    if args.prompt_sets is not None:
        values["sweep", "prompt_sets"] = args.prompt_sets
    if args.temps is not None:
        values["temps",] = args.temps
    if args.condition is not None:
        values["conditions",] = list(CONDITIONS) if args.condition == "both" else [args.condition]
    if args.limit_items is not None:
        values["limit_items",] = args.limit_items
    for name, other in (("parts_per_dataset", "lines_per_part"), ("lines_per_part", "parts_per_dataset")):
        if getattr(args, name) is not None:
            values[name,] = getattr(args, name)
            values.setdefault((other,), None)  # the flag takes the place of whichever the file gives
    return values


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("expected names separated by commas")
    return names


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in _names(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got {text!r}") from error


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def _truth(variable: str, text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError(f"{variable}: expected 1 or 0, got {text!r}")
