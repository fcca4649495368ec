"""What somebody probably meant who typed what a command does not know. Nothing is parsed or done here."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from promptrial.config.environment import DEFAULT_EXPERIMENTS
from promptrial.errors import UsageError

__all__ = ["DASHED", "before_verb", "check_variables", "meant_by_words", "meant_verb"]

DASHED: Final = re.compile(r"[\u2010-\u2015\u2212]{1,2}([A-Za-z][\w-]*)(=.*)?")
"""A flag with a dash in place of hyphens, as word processors write it."""
_CONFIGURATIONS: Final = (".yaml", ".yml")
_REMOVES: Final = "rm"
"""The verb that is never suggested for its look: `rum` is a slip for `run`."""
_OTHER_WORDS: Final = {
    "abort": "stop", "cancel": "stop", "kill": "stop", "continue": "resume", "cost": "costs", "delete": "rm",
    "diff": "compare", "evaluate": "run", "ls": "list", "new": "init", "remove": "rm", "runs": "list", "serve": "view",
    "start": "run", "ui": "view", "validate": "config", "watch": "status", "why": "explain",
}  # fmt: skip
"""What other programs call our verbs."""
_VARIABLE: Final = "PROMPTRIAL_"
_OF_NO_FLAG: Final = frozenset({"batch_file_emulator", "cache", "emulator_key", "traceback", "trusted_hosts"})
_CLOSE: Final = 0.75
_WITHOUT_VERB: Final = ("-h", "--help", "--version")


def meant_verb(word: str, verbs: Collection[str]) -> str | None:
    """Return the verb that was probably meant, by its look or by what it does; None if there is none."""
    if word.lower() in _OTHER_WORDS and _OTHER_WORDS[word.lower()] in verbs:
        return _OTHER_WORDS[word.lower()]
    return next(iter(_nearest(word.lower(), [each for each in verbs if each != _REMOVES])), None)


def before_verb(words: Sequence[str], verbs: Collection[str]) -> UsageError | None:
    """Return what to say about a command line that begins with a flag of a verb; None if it begins otherwise."""
    flag = words[0]
    if not flag.startswith("-") or flag in _WITHOUT_VERB:
        return None
    at = next((at for at, word in enumerate(words) if word in verbs), None)
    if at is not None:
        in_order = shlex.join([words[at], *words[:at], *words[at + 1 :]])
        return UsageError(f"{flag} comes before its verb", hint=f"promptrial {in_order}")
    near = ["--version"] if flag.lower() == "-v" else _nearest(flag, _WITHOUT_VERB)
    meant = f"; did you mean {near[0]}?" if near else ", and a verb comes first"
    return UsageError(f"there is no flag {flag} without a verb{meant}", hint="promptrial --help")


def meant_by_words(words: Sequence[str], flags: Collection[str], program: str) -> str:
    """Return what was probably meant by words that a command does not know, as the end of a sentence; may be empty.

    Parameters
    ----------
    words : sequence of str
    flags : collection of str
        Those of the command, without hyphens.
    program : str
        The command as it is typed: ``promptrial run``.
    """
    near = dict.fromkeys(meant for word in words if (meant := _near_flag(word, flags)))
    meant = f"; did you mean {' and '.join(near)}?" if near else ""
    if near and _is_cut(words[0], next(iter(near))):
        return meant
    return next(_elsewhere(words, flags, program), "") + meant


def _is_cut(word: str, flag: str) -> bool:
    """Whether a word is a flag that was not typed to its end, or too far."""
    name = word.partition("=")[0].replace("-", "_")
    return flag.replace("-", "_").startswith(name) or name.startswith(flag.replace("-", "_"))


def check_variables(source: str, variables: Collection[str], flags: Collection[str]) -> None:
    """Refuse a variable that looks like one of a command's flags, and sets none of any command.

    Parameters
    ----------
    source : str
        Where the variables are, for the message.
    variables : collection of str
        Their names. Those that do not begin with ``PROMPTRIAL_`` belong to others.
    flags : collection of str
        Those of the command, without hyphens.

    Raises
    ------
    UsageError
        Naming both: a limit that is misspelt would limit nothing.
    """
    for variable in sorted(each for each in variables if each.startswith(_VARIABLE)):
        name = variable.removeprefix(_VARIABLE).lower()
        if name in flags or name in _OF_NO_FLAG:
            continue
        near = _nearest(name, flags, _CLOSE)
        if near and not _flag_of_others(f"--{name}")[1]:
            raise UsageError(
                f"{source} {variable} sets nothing; did you mean {_VARIABLE}{near[0].upper()}?",
                hint=f"rename it, or remove it: unset {variable}",
            )


def _near_flag(word: str, flags: Collection[str]) -> str:
    """Return the flag that was probably meant by ``--flag``, ``--flag=value`` or ``flag=value``; empty if none was."""
    name, equals, value = word.partition("=")
    if not word.startswith("--") and not equals:
        return ""
    close = _nearest(name.lstrip("-").replace("-", "_"), flags)
    return f"--{close[0]}{'' if word.startswith('-') else f' {value}'}" if close else ""


def _elsewhere(words: Sequence[str], flags: Collection[str], program: str) -> Iterator[str]:
    """Yield what the first word is that has a meaning, if not here: a flag of other verbs, a verb, a configuration."""
    word = words[0]
    if word.startswith("-"):
        name, verbs = _flag_of_others(word.partition("=")[0])
        if name in flags:
            yield f"; did you mean --{name}?"
        elif verbs:
            yield f"; {word.partition('=')[0]} is a flag of {', '.join(verbs)}"
    elif word in _verbs():
        yield f"; {word} is a verb of its own: promptrial {shlex.join(words)}"
    elif "run_id" in flags and Path(DEFAULT_EXPERIMENTS, f"run_{word}").is_dir():
        yield f"; did you mean --run_id {shlex.quote(word)}?"
    elif Path(word).suffix in _CONFIGURATIONS and "config" in flags:
        yield f"; did you mean {program} --config {shlex.quote(word)}?"


def _verbs() -> Collection[str]:
    from promptrial.cli.main import COMMANDS

    return COMMANDS


def _flag_of_others(flag: str) -> tuple[str, list[str]]:
    """Return the name of a flag that other verbs have, and these verbs."""
    from promptrial.cli.main import COMMANDS, build_parser

    subs = build_parser(*COMMANDS)._subparsers  # noqa: SLF001 - argparse has no public list of them
    name, verbs = "", list[str]()
    for action in subs._group_actions if subs else ():  # noqa: SLF001 - argparse has no public name for it
        for verb, parser in action.choices.items() if isinstance(action.choices, dict) else ():
            found = parser._option_string_actions.get(flag)  # noqa: SLF001 - argparse has no public name for it
            if isinstance(found, argparse.Action):
                name = found.dest
                verbs.append(verb)
    return name, verbs


def _nearest(word: str, known: Iterable[str], least: float = 0.6) -> list[str]:
    """Return the known word that is closest, if one is as close as ``least`` (0 to 1)."""
    import difflib

    return difflib.get_close_matches(word, [*known], n=1, cutoff=least)
