"""Whether what came with the status of a success is a failure of the server: that is not an answer, and may work later.

Routers and gateways answer so when the server behind them fails::

    {"error": {"code": 502, "message"}}                                  instead of choices, or beside empty ones
    {"error": {"code": "rate_limit_exceeded", "message"}}                the code may be a name, or a number as text
    {"error": "upstream timeout"}
    {"choices": [{"finish_reason": "error", "message", "error": {"code", "message"}}]}     it failed amid the answer

An error that is about the request itself stays an answer, because it would come again: one with a status from 400 to
499 (but 408, 409, 425 and 429), or, without one, with a name or a message such as ``content_filter`` and ``too long``.
A key that is refused and an account without credit end the run, as a status of 401 does. Any other error is
taken to be the server's. An error whose code is that of a success says nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from promptrial.errors import PermanentError, ProviderError, SlowDownError, UncertainError
from promptrial.providers.http_outcomes import FailedThereError, printable
from promptrial.providers.wire import mapping

__all__ = ["FAILED", "FailedReplyError", "error_text", "is_of_success", "require_no_failure"]

FAILED: Final = "error"
"""The finish reason of an answer that the server could not finish."""
_MAY_WORK_LATER: Final = frozenset({408, 409, 425, 429})
_OF_SUCCESS: Final = frozenset({"0", "200", "ok", "success"})
_REFUSES_ALL: Final = frozenset({401, 402})
_ALL: Final = re.compile(
    r"authentication ?error|unauthori[sz]ed|(invalid|incorrect) api ?key|insufficient ?(quota|credit|balance|funds)"
)
_NAMES: Final = re.compile(
    r"invalid|unsupported|bad ?request|content ?(filter|policy)|moderation|not ?found|unprocessable|string ?above|"
    r"exceed ?context|context ?(length|size|window)|too ?(long|large)"
)
"""How errors are named that are about the request."""
_SENTENCES: Final = re.compile(
    r"not (be )?support|(invalid|bad) request|context (length|size|window)|(exceeds|maximum) context|too (long|large)|"
    r"content (filter|policy)"
)
"""What a server writes of a request; *invalid* alone may be said about what another server answered."""
_WORDS: Final = re.compile(r"[\W_]+")
_TOO_MANY: Final = re.compile(r"rate ?limit|too many requests")


class FailedReplyError(Exception):
    """An answer says, with the status 200, that the server has failed.

    Parameters
    ----------
    message : str
        What it says.
    kind : type of ProviderError
        What it means for the run. An answer that was started may be billed.
    hint : str, optional
        What to do about it.
    """

    def __init__(self, message: str, kind: type[ProviderError], hint: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.hint = hint


def require_no_failure(error: Raw | UnsetType, choices: Raw | UnsetType, usage: Raw | UnsetType) -> None:
    """Look at the parts of an answer, as they came.

    Raises
    ------
    FailedReplyError
        If it is a failure of the server.
    """
    first = _first(_value(choices))
    broken = "the answer is not whole" if first.get("finish_reason") == FAILED else None
    said = next(filter(_is_said, (_value(error), first.get("error"), broken)), None)
    if said is None:
        return
    status, words = _status(said), _words(error_text(said))
    kind = _kind(status, words, is_begun=bool(first) or bool(_value(usage)))
    if kind is PermanentError or not _is_of_the_request(status, _names(said), words):
        hint = "check the key, and whether the account has credit; then resume" if kind is PermanentError else None
        raise FailedReplyError(printable(error_text(said) or "no reason given"), kind, hint)


def _kind(status: int | None, words: str, *, is_begun: bool) -> type[ProviderError]:
    """Return what an error means, unless it is about the request."""
    if status in _REFUSES_ALL or (status is None and _ALL.search(words)):
        return PermanentError
    if status == 429 or _TOO_MANY.search(words):
        return SlowDownError
    return UncertainError if is_begun else FailedThereError


def _value(raw: Raw | UnsetType) -> Any:  # noqa: ANN401 - JSON
    try:
        return None if raw is UNSET else msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


def _first(choices: object) -> dict[str, Any]:
    return dict(mapping(choices[0])) if isinstance(choices, list) and choices else {}


def _is_said(error: object) -> bool:
    """Tell whether an error says anything: an empty one, or the code of a success, beside an answer is none."""
    if not isinstance(error, dict):
        return isinstance(error, str) and bool(error)
    return any(error.values()) and not is_of_success(error.get("code"))


def is_of_success(code: object) -> bool:
    """Tell whether the code of an error says that there is none."""
    return str(code).casefold() in _OF_SUCCESS


def _status(error: object) -> int | None:
    for name in ("code", "status"):
        value = mapping(error).get(name)
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if text.isascii() and text.isdecimal() and len(text) == 3:
            return int(text)
    return None


def _words(said: str) -> str:
    """Return the words of a text or a name in small letters, with a blank between: ``BadRequest`` is one word."""
    return _WORDS.sub(" ", said).casefold()


def _names(error: object) -> str:
    return _words(" ".join(str(mapping(error).get(name) or "") for name in ("code", "type")))


def _is_of_the_request(status: int | None, names: str, words: str) -> bool:
    if status is not None:
        return 400 <= status < 500 and status not in _MAY_WORK_LATER
    return _NAMES.search(names) is not None or _SENTENCES.search(words) is not None


def error_text(error: object) -> str:
    """Return what an error says: itself, if it is a text, else its code, type and message; empty if it says nothing."""
    if isinstance(error, str):
        return error
    parts = [mapping(error).get(name) for name in ("code", "type", "message")]
    return ": ".join(str(part) for part in parts if part)
