"""What is wrong with a text that should be JSON, in plain words and with the fix. Also keys that occur twice."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from promptrial.datasets.place import Place, shown
from promptrial.datasets.type_words import in_words
from promptrial.errors import DataError

__all__ = ["check_keys", "error_byte", "has_repeats_perhaps", "json_error", "too_deep", "type_error"]

_SEE: Final = "see docs/question_files.md#json"
_BYTE: Final = re.compile(r" ?\(byte (\d+)\)")
# What msgspec's message begins with, the text from that byte on, what this means, and the fix.
_WORDS: Final = tuple(
    (begins, re.compile(following, re.DOTALL), words, fix)
    for begins, following, words, fix in (
        (
            "trailing characters",
            rb"\s*,",
            "a comma after the end of the object",
            "remove the comma: objects on separate lines need none",
        ),
        (
            "trailing characters",
            rb"\s*[{\[]",
            "a second value after the end of the first",
            "put each object on its own line, or all in one list",
        ),
        ("trailing characters", rb"", "text after the end of the value", "remove the text after it"),
        ("trailing comma in object", rb"", "a comma before the } that closes an object", "remove the comma"),
        ("trailing comma in array", rb"", "a comma before the ] that closes a list", "remove the comma"),
        (
            "object keys must be strings",
            rb"",
            "a key that is not in double quotes",
            'write keys and texts in double quotes: {"question": "..."}',
        ),
        (
            "invalid character",
            rb"(NaN|-?Infinity|None|True|False|undefined)\b",
            "NaN, Infinity, None, True, False and undefined are not JSON values",
            "write null, true or false",
        ),
        ("invalid character", rb"'", "a text in single quotes", "write texts in double quotes"),
        ("invalid character", rb"[\t\r\n]", "a tab or line end inside a text", r"write \t or \n for it"),
        (
            "Input data was truncated",
            rb".*\\u",
            "it ends too early, or holds half of a surrogate pair",
            r"close all brackets and quotes, and write both halves, as in \ud83d\ude00",
        ),
        (
            "Input data was truncated",
            rb"",
            "it ends too early: a text, list or object is not closed",
            "close it, and put each object on one line",
        ),
    )
)


def error_byte(error: msgspec.DecodeError) -> int | None:
    """Return the byte, from 0, at which a text stops being JSON; None if it ends too early."""
    found = _BYTE.search(str(error))
    if found is None:
        return None
    return int(found[1]) - ("trailing characters" in str(error))  # msgspec counts the first of these as read


def json_error(place: Place, error: msgspec.DecodeError, rest: bytes) -> DataError:
    """Return the error for a text that is not JSON; ``rest`` is the text from the byte of the error on."""
    problem, fix = _in_words(_BYTE.sub("", str(error)).removeprefix("JSON is malformed: "), rest)
    return place.error(f"not valid JSON: {problem}", hint=f"{fix}; {_SEE}")


def _in_words(problem: str, rest: bytes) -> tuple[str, str]:
    """Return what is wrong and the fix. The words of ``problem`` are those of msgspec."""
    for begins, following, words, fix in _WORDS:
        if problem.startswith(begins) and following.match(rest):
            return words, fix
    return problem, "check the text there" + (f": {_shown(rest)}" if rest else "")


def type_error(place: Place, error: msgspec.ValidationError) -> DataError:
    """Return the error for JSON that is not an object where one should be, or holds a number too large to read."""
    problem = in_words(error)
    fix = "write each question as an object" if "object" in problem else "write the number as a text"
    return place.error(problem, hint=f'{fix}: {{"question": "...", "answer": "..."}}; {_SEE}')


def _shown(text: bytes) -> str:
    line = text.split(b"\n", 1)[0].strip().decode(errors="replace")
    return shown(line)


def check_keys(place: Place, text: bytes, value: Mapping[str, object]) -> None:
    """Refuse an object in which a key occurs twice, however deep.

    A text without such a key has as many quotes as its value when that is written again, because both escape a quote
    alike. Where the numbers differ, or a quote is spelled by its number, it is read again, key by key.

    Raises
    ------
    DataError
        That names the key.
    """
    if has_repeats_perhaps(text, value):
        try:
            json.loads(text, object_pairs_hook=_without_repeats)
        except _RepeatedKeyError as error:
            raise place.error(
                f"the key {shown(error.key)} occurs twice in one object",
                hint=f'keep one of the two; several answers are one list: ["first", "second"]; {_SEE}',
            ) from error
        except RecursionError as error:
            raise too_deep(place) from error


def has_repeats_perhaps(text: bytes, value: object) -> bool:
    """Whether a key may occur twice in an object of a text that was read as ``value``; if not, none does."""
    return b"\\u0022" in text or text.count(b'"') != msgspec.json.encode(value).count(b'"')


def too_deep(place: Place) -> DataError:
    """Return the error for JSON with more lists and objects inside each other than can be read."""
    return place.error(
        "not readable: JSON nested too deeply",
        hint=f"write each question as a flat object, without lists inside lists; {_SEE}",
    )


class _RepeatedKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _without_repeats(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _RepeatedKeyError(key)
        seen.add(key)
