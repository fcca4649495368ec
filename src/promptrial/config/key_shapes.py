"""What a key looks like, where a name or a plain value should be. Pure.

A key differs from a name by what people do not write: a long word with digits between its letters. A name that is
refused by mistake costs a rename, a key that passes is written down. So where both are possible, it is a key.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_secret_value", "looks_like_key", "without_keys"]

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_PREFIX: Final = re.compile(r"(?:sk|rk|gsk|fw|hf|r8|gh[oprsu]|github_pat|glpat|npm|tgp|xai|xox[abp]|nvapi|pplx)[-_]")
_WHOLE: Final = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.[\w.-]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12}", re.IGNORECASE)
_AMID_LETTERS: Final = re.compile(r"[0-9](?=[A-Za-z])|[0-9]{5}")
"""A digit that ends no word: names have theirs at the end, and no more of them than a year has."""
_GROUP: Final = re.compile(r"[0-9]+")
_LONG: Final = 20
_LONG_BEHIND_PREFIX: Final = 16
_VERY_LONG: Final = 24
_PIECE: Final = 8
_HEADER: Final = re.compile(
    r"(?:bearer|basic)\s+\S{8,}|(?:sk|gsk|fw|hf|ghp|github_pat|xox[abp]|tgp)[-_][a-z0-9_-]{14,}", re.IGNORECASE
)
"""What headers with a key hold, in any case."""
_ACCOUNT: Final = re.compile(r"(?:org-|proj_)[A-Za-z0-9]+")
"""The ids of an organisation and of a project, which are recorded to tell accounts apart."""


def looks_like_key(text: str) -> bool:
    """Tell whether a text looks like a key rather than like the name of a variable, or plain words.

    Examples
    --------
    >>> looks_like_key("MISTRAL_API_KEY"), looks_like_key("teamKey1"), looks_like_key("q7Xk2" * 5)
    (False, False, True)
    """
    prefix = _PREFIX.match(text)
    words = _WORD.findall(text[prefix.end() :] if prefix else text)
    shortest = _LONG_BEHIND_PREFIX if prefix else _LONG
    return (
        _WHOLE.match(text) is not None
        or _UUID.search(text) is not None
        or any(len(word) >= shortest and _is_random(word) for word in words)
        or any(len(word) >= _VERY_LONG and _has_both_cases(word) for word in words if prefix)
        or sum(len(word) >= _PIECE and _has_both_cases(word) and _is_random(word) for word in words) > 1
    )


def is_secret_value(value: str) -> bool:
    """Tell whether the value of a header looks like a key, whatever the header is called.

    Examples
    --------
    >>> is_secret_value("Bearer abcdefgh1234"), is_secret_value("sk-proj-abcdefgh12345678"), is_secret_value("skiing")
    (True, True, False)
    """
    if _ACCOUNT.fullmatch(value):
        return False
    return _HEADER.fullmatch(value) is not None or looks_like_key(value)


def without_keys(sentence: str, given: object) -> str:
    """Return a sentence about a value that was given; without the value, if it looks like a key."""
    return sentence.replace(given, "[redacted]") if isinstance(given, str) and looks_like_key(given) else sentence


def _is_random(word: str) -> bool:
    """Whether digits are between letters; in capitals alone, where names have them too, several times."""
    if not (_AMID_LETTERS.search(word) and any(letter.isalpha() for letter in word)):
        return False
    return not word.isupper() or len(_GROUP.findall(word)) > 2


def _has_both_cases(word: str) -> bool:
    return word != word.lower() and word != word.upper()
