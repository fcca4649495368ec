"""The flags of a new configuration that say how to read its questions: as the keys that they write, and in hints."""

from __future__ import annotations

import re
import shlex
from typing import Any, Final

import yaml

from promptrial.care.draft_inputs import check_unicode
from promptrial.config.datasets import ColumnsConfig, encoding_name
from promptrial.config.environment import VARIABLE
from promptrial.errors import PromptrialError, UsageError

__all__ = ["columns_given", "encoding_given", "separator_given", "separator_with_flag", "with_flags"]

_ROLES: Final = tuple(ColumnsConfig.model_fields)
_SEVERAL: Final = ("answers", "choices")
_NEXT: Final = re.compile(rf",(?=\s*(?:{'|'.join(_ROLES)})\s*=)")
"""A comma before another role; any other is part of a column's name."""
_SECTION: Final = r"(?: in (?:the section of the data set|its section of `datasets`))?"
_COLUMNS: Final = re.compile(r"`columns: (\{[^`]*\})`" + _SECTION)
_SEPARATOR: Final = re.compile(r'write `separator: "(.)"` under `datasets\.\w+`')
_ENCODING: Final = re.compile(r"`encoding: (\S+)`" + _SECTION)
_OTHER: Final = (
    (re.compile(r"`columns(?:\.\w+)?`(?: of the data set)?"), "`--columns ROLE=COLUMN`"),
    (re.compile(r"`encoding:?`"), "`--encoding NAME`"),
    (re.compile(r"in (?:the section of the data set|its section of `datasets`)(?:: |, such as )"), "as "),
)


def columns_given(text: str) -> dict[str, object]:
    """Return the section ``columns`` that a text such as ``question=Frage,answers=Antwort`` stands for.

    A role that is named again has several columns: ``answers=Antwort,answers=Alias``.

    Raises
    ------
    UsageError
        If a part is not ROLE=COLUMN, a role is unknown, or cannot have several columns.
    """
    check_unicode("--columns", text)
    found: dict[str, list[str]] = {}
    for part in _NEXT.split(text):
        role, equals, column = (each.strip() for each in part.partition("="))
        if role not in _ROLES or not equals or not column:
            raise UsageError(
                f"--columns: {part.strip()!r} is not ROLE=COLUMN",
                hint=f"write it as question=Frage,answers=Antwort; the roles are {', '.join(_ROLES)}",
            )
        if VARIABLE.search(column):
            raise UsageError(
                f"--columns: a configuration would read ${{...}} in {column!r} as a variable", hint="rename the column"
            )
        found.setdefault(role, []).append(column)
    many = next((role for role, columns in found.items() if len(columns) > 1 and role not in _SEVERAL), None)
    if many is not None:
        raise UsageError(f"--columns: {many} names several columns", hint=f"only {' and '.join(_SEVERAL)} may")
    return {role: columns[0] if len(columns) == 1 else columns for role, columns in found.items()}


def encoding_given(text: str) -> str:
    """Return the name of an encoding.

    Raises
    ------
    UsageError
        If Python has none of that name.
    """
    try:
        return encoding_name(text)
    except ValueError as error:
        raise UsageError(f"--encoding {text!r}: {error}", hint="for example cp1252, latin-1 or utf-16-le") from None


def separator_given(text: str) -> str:
    """Return what is between several answers in one cell.

    Raises
    ------
    UsageError
        If it is blank, or would be read as a variable.
    """
    check_unicode("--separator", text)
    if not text.strip() or VARIABLE.search(text):
        raise UsageError(f"--separator {text!r}: no separator", hint="for example --separator ';'")
    return text


def separator_with_flag(sentence: str) -> str:
    """Return a sentence about questions with ``--separator`` where it names the key of a configuration.

    Examples
    --------
    >>> separator_with_flag('if it separates several, write `separator: ";"` under `datasets.questions`')
    "if it separates several, add `--separator ';'`"
    """
    return _SEPARATOR.sub(lambda match: f"add `--separator {shlex.quote(match[1])}`", sentence)


def with_flags(error: PromptrialError) -> PromptrialError:
    """Return an error in a question file whose hint names the flags where it named keys of a configuration."""
    if error.hint is None:
        return error
    hint = _COLUMNS.sub(_columns_flag, error.hint)
    hint = _ENCODING.sub(lambda match: f"`--encoding {match[1]}`", hint)
    for pattern, words in reversed(_OTHER):
        hint = pattern.sub(words, hint)
    error.hint = hint
    return error


def _columns_flag(match: re.Match[str]) -> str:
    try:
        columns: Any = yaml.safe_load(match[1])
    except yaml.YAMLError:
        return match[0]
    named = ",".join(f"{role}={column}" for role, column in columns.items())
    return f"`--columns {shlex.quote(named)}`"
