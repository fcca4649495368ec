"""Whether what came with the status of a success is a failure of the server: that is no answer, and may work later.

Routers and gateways answer so when the server behind them fails::

    {"error": {"code": 502, "message"}}                                  instead of choices, or beside empty ones
    {"error": {"code": "rate_limit_exceeded", "message"}}                the code may be a name, or a number as text
    {"error": "upstream timeout"}
    {"choices": [{"finish_reason": "error", "message", "error": {"code", "message"}}]}     it failed amid the answer

An error that is about the request itself stays an answer, for it would come again: one with a status from 400 to 499
(but 408, 409, 425 and 429), or with a name such as ``content_filter``. Any other is taken to be the server's.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from promptrial.providers.http_outcomes import printable
from promptrial.providers.wire import mapping

__all__ = ["FAILED", "FailedReplyError", "error_text", "require_no_failure"]

FAILED: Final = "error"
"""The finish reason of an answer that the server could not finish."""
_MAY_WORK_LATER: Final = frozenset({408, 409, 425, 429})
_OF_THE_REQUEST: Final = frozenset(
    {"content_filter", "content_policy_violation", "context_length_exceeded", "model_not_found", "not_found_error"}
)
_SUCH_ARE: Final = ("invalid", "unsupported", "string_above", "exceed_context")
"""How other names of errors begin that are about the request."""
_TOO_MANY: Final = ("rate_limit", "too_many_requests")


class FailedReplyError(Exception):
    """An answer says, with the status 200, that the server has failed.

    Parameters
    ----------
    message : str
        What it says.
    is_slow_down : bool
        Whether it asks for fewer requests.
    was_begun : bool
        Whether there is something of an answer, which may be billed.
    """

    def __init__(self, message: str, *, is_slow_down: bool, was_begun: bool) -> None:
        super().__init__(message)
        self.is_slow_down = is_slow_down
        self.was_begun = was_begun


def require_no_failure(error: Raw | UnsetType, choices: Raw | UnsetType, usage: Raw | UnsetType) -> None:
    """Look at the parts of an answer, as they came.

    Raises
    ------
    FailedReplyError
        If it is a failure of the server.
    """
    first = _first(_value(choices))
    said = _value(error) or first.get("error") or (first.get("finish_reason") == FAILED and "the answer is not whole")
    status, names = _status(said), _names(said)
    if not _is_said(said) or _is_of_the_request(status, names):
        return
    raise FailedReplyError(
        printable(error_text(said) or "no reason given"),
        is_slow_down=status == 429 or any(name.startswith(_TOO_MANY) for name in names),
        was_begun=bool(first) or bool(_value(usage)),
    )


def _value(raw: Raw | UnsetType) -> Any:  # noqa: ANN401 - JSON
    try:
        return None if raw is UNSET else msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


def _first(choices: object) -> dict[str, Any]:
    return dict(mapping(choices[0])) if isinstance(choices, list) and choices else {}


def _is_said(error: object) -> bool:
    """Tell whether an error says anything: an empty one, beside an answer, is none."""
    return any(mapping(error).values()) if isinstance(error, dict) else isinstance(error, str) and bool(error)


def _status(error: object) -> int | None:
    for name in ("code", "status"):
        value = mapping(error).get(name)
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if text.isascii() and text.isdecimal() and len(text) == 3:
            return int(text)
    return None


def _names(error: object) -> list[str]:
    values = (mapping(error).get(name) for name in ("code", "type"))
    return [value.casefold() for value in values if isinstance(value, str)]


def _is_of_the_request(status: int | None, names: list[str]) -> bool:
    if status is not None:
        return 400 <= status < 500 and status not in _MAY_WORK_LATER
    return any(name in _OF_THE_REQUEST or name.startswith(_SUCH_ARE) for name in names)


def error_text(error: object) -> str:
    """Return what an error says: itself, if it is a text, else its code, type and message; empty if it says nothing."""
    if isinstance(error, str):
        return error
    parts = [mapping(error).get(name) for name in ("code", "type", "message")]
    return ": ".join(str(part) for part in parts if part)
