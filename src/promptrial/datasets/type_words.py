"""What is wrong with a value of the wrong type, in plain words: the messages of msgspec, translated."""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["in_words"]

_KINDS: Final = {
    "str": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_AT: Final = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_TYPE: Final = re.compile(r"Expected `(?P<wanted>[a-z| ]+)`, got `(?P<found>[a-z]+)`")
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_PATTERN: Final = re.compile(r"Expected `str` matching regex '(?P<pattern>.*)'", re.DOTALL)


def in_words(error: msgspec.ValidationError) -> str:
    """Return the problem that an error of msgspec tells; one that is not known as it is.

    Examples
    --------
    >>> in_words(msgspec.ValidationError("Expected `str`, got `int` - at `$.answer[0]`"))
    '`answer[0]` is a number, and should be a text'
    >>> in_words(msgspec.ValidationError("Object missing required field `text` - at `$.answers`"))
    '`answers.text` is missing'
    """
    parts = _AT.fullmatch(str(error))
    if parts is None:
        return str(error)
    problem, path = parts["problem"], (parts["path"] or "").replace("[...]", "[]")
    if found := _MISSING.fullmatch(problem):
        return f"`{'.'.join(filter(None, (path, found['name'])))}` is missing"
    subject = f"`{path}`" if path else "this"
    if found := _TYPE.fullmatch(problem):
        wanted = dict.fromkeys(_kind(kind) for kind in found["wanted"].split(" | ") if kind != "null")
        return f"{subject} is {_kind(found['found'])}, and should be {' or '.join(wanted)}"
    if found := _PATTERN.fullmatch(problem):
        return f"{subject} is a text that does not match {found['pattern']}"
    return str(error)


def _kind(kind: str) -> str:
    return _KINDS.get(kind, kind)
