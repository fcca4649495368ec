"""The argument parser of every command: underscores or hyphens, environment variables, errors that name what was meant.

Every flag ``--some_flag`` may be written ``--some-flag``, and is also read from ``PROMPTRIAL_SOME_FLAG``, in the
environment or in ``.env``. What is typed wins over the environment, which wins over ``.env``; a flag also takes the
place of those that exclude it and are further down.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from promptrial import registry
from promptrial.cli.help_format import HelpFormatter
from promptrial.cli.slips import DASHED, check_variables, meant_by_words, meant_verb
from promptrial.cli.values import truth
from promptrial.config.environment import dotenv
from promptrial.errors import UsageError
from promptrial.runtime.terminal import print_result, say_to_stderr

__all__ = ["Parser", "Verbs", "add_flag"]

_NAMED: Final = re.compile(r"^argument (?:-\w/)?([\w-]+)(?:/--[\w-]+)?(?=:)")
"""How argparse begins what it says about a word or a flag: with each spelling of it."""
_GIVEN_TO_SWITCH: Final = re.compile(r"^(--\w+): ignored explicit argument .*$", re.DOTALL)


class _Flag(NamedTuple):
    """A flag as it may be set without being typed. ``rivals`` are the flags that it excludes.

    One that is not ``in_dotenv`` is set by the environment alone: a ``.env`` may be in a folder that came
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


class Verbs(argparse._SubParsersAction):  # type: ignore[type-arg]  # noqa: SLF001 - nor has it a public name
    """The verbs of a program. Those that are not wanted are known by name only: making 32 parsers takes 5 ms."""

    def add_name(self, name: str, summary: str) -> None:
        """Add a verb that help lists and that is known when another is misspelt, but whose flags are not wanted."""
        self._choices_actions.append(self._ChoicesPseudoAction(name, (), summary))
        self._name_parser_map[name] = None


class Parser(argparse.ArgumentParser):
    """An argument parser that does not guess abbreviations, and ends with exit code 2 like every usage error."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own options
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **options)
        self.flags: dict[str, _Flag] = {}
        self._sorts_words = False

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ANN401, ARG002 - argparse's own
        """Print help and version, as every result is printed."""
        if message:
            print_result(message)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, and where they are described; end with exit code 2."""
        said = _GIVEN_TO_SWITCH.sub(r"\1: takes no value", _NAMED.sub(lambda found: found[1], message))
        say_to_stderr(f"error: {said}\n  next: {self.prog} --help")
        raise SystemExit(UsageError.exit_code)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:  # noqa: ANN401 - argparse's own
        """Parse, then fill in from the environment, ``.env`` and the defaults what was not typed."""
        for word in args or ():
            dashed = DASHED.fullmatch(word)
            if dashed is not None and (name := dashed[1].replace("-", "_")) in self.flags:
                self.error(f"{word} begins with a dash instead of two hyphens; did you mean --{name}?")
        if self._sorts_words:
            return super().parse_known_args(args, namespace)
        found, rest = super().parse_known_args(args, namespace)
        if self._may_be_names(rest):
            found, rest = self._sorted(args)
        if self.flags:
            if rest:
                self.error(f"unrecognized arguments: {' '.join(rest)}{meant_by_words(rest, self.flags, self.prog)}")
            self._fill(found.__dict__)
        return found, rest

    def _may_be_names(self, rest: Sequence[str]) -> bool:
        """Whether words are left that may be names after a flag: argparse fills optional ones before the first flag."""
        if not self.flags or not rest or any(word.startswith("-") for word in rest):
            return False
        return any(each.nargs == argparse.OPTIONAL for each in self._get_positional_actions())

    def _sorted(self, args: Any) -> tuple[Any, list[str]]:  # noqa: ANN401 - argparse's own
        """Parse flags first, and then the words that they leave, wherever those are."""
        self._sorts_words = True
        try:
            return self.parse_known_intermixed_args(args)
        finally:
            self._sorts_words = False

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - argparse's own
        """Refuse a value that is none of the choices, and name the one that was probably meant."""
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:  # noqa: SLF001 - argparse has no public name for it
            meant = meant_verb(str(value), action.choices)
            said = f"known: {', '.join(action.choices)}" if meant is None else f"did you mean {meant!r}?"
            raise argparse.ArgumentError(None, f"there is no {str(action.metavar).lower()} {value!r}; {said}")
        if action.choices is not None and value not in action.choices:
            known = registry.near_misses(str(value), [*map(str, action.choices)])
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{known}")

    def _fill(self, values: dict[str, Any]) -> None:
        given_by = {name: f"flag --{name}" for name in self.flags if name in values}
        for source, variables in (("environment variable", os.environ), (".env:", dotenv(Path.cwd()))):
            if source == ".env:":
                self._check_dotenv(variables)
            check_variables(source, variables, self.flags)
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
                    f".env: {flag.variable}: this cannot be set in a file, because the file may come from someone else",
                    hint=f"remove it from .env, and pass --{flag.name} on the command line",
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
    **options: Any,  # noqa: ANN401 - argparse's own options
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
