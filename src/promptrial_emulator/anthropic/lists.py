"""Pages of a list, newest first: ``limit``, ``after_id``, ``before_id``. Works on what the API shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptrial_emulator.anthropic.messages import refused
from promptrial_emulator.faults.pages import moved
from promptrial_emulator.faults.rules import Injected

__all__ = ["page"]

_DEFAULT: Final = 20
_MOST: Final = 1000


def page(newest_first: Sequence[dict[str, Any]], query: Mapping[str, str], faults: Injected) -> dict[str, Any]:
    """Return one page.

    Raises
    ------
    ApiError
        400 if the query cannot be read.
    """
    found = list(newest_first)
    if fault := faults.get("F16", "stale"):
        found = found[fault.options["by"] :]
    limit, after, before = _limit(query.get("limit")), query.get("after_id"), query.get("before_id")
    if after and before:
        raise refused(400, "after_id, before_id: only one of them may be given")
    start = moved(_place(found, after, "after_id") + 1, faults) if after else 0
    end = _place(found, before, "before_id") if before else len(found)
    if before:
        start = max(0, end - limit)
    shown = found[start : min(start + limit, end)]
    more = start > 0 if before else start + limit < end
    reply = {
        "data": shown,
        "has_more": more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }
    if more and faults.get("F16", "repeated_token"):
        reply["last_id"] = after or found[0]["id"]
    return reply


def _place(found: Sequence[dict[str, Any]], name: str, field: str) -> int:
    for position, each in enumerate(found):
        if each["id"] == name:
            return position
    raise refused(400, f"{field}: there is no {name!r} in this list")


def _limit(text: str | None) -> int:
    limit = int(text) if text and text.isascii() and text.isdecimal() else _DEFAULT if not text else 0
    if not 1 <= limit <= _MOST:
        raise refused(400, f"limit: Input should be a whole number from 1 to {_MOST}")
    return limit
