"""Pages of a list: ``limit``, ``after``, ``order``. Works on what the API shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from promptrial_emulator.database import Stored
from promptrial_emulator.faults.pages import moved
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.openai.messages import refused

__all__ = ["page"]

_T = TypeVar("_T", bound=Stored)


def page(
    things: Sequence[_T],
    show: Callable[[_T], dict[str, Any]],
    query: Mapping[str, str],
    faults: Injected,
    *,
    usual: int,
    most: int,
) -> dict[str, Any]:
    """Return one page of objects that are in the order of their creation; the newest come first, unless asked.

    Parameters
    ----------
    show : callable
        Returns an object as the API shows it; only those of the page are.
    usual, most : int
        The size of a page without a ``limit``, and the largest.

    Raises
    ------
    ApiError
        400 if the query cannot be read.
    """
    if fault := faults.get("F16", "stale"):
        things = things[: max(0, len(things) - fault.options["by"])]
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise refused(400, f"Invalid 'order': '{order}'; expected 'asc' or 'desc'.", "invalid_value", "order")
    found = things if order == "asc" else things[::-1]
    size, start = _size(query.get("limit", ""), usual, most), _start(found, query.get("after", ""))
    repeats = faults.get("F16", "repeated_token")
    start = 0 if repeats else moved(start, faults)
    data = [show(thing) for thing in found[start : start + size]]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": bool(repeats) or start + size < len(found),
    }


def _start(found: Sequence[Stored], after: str) -> int:
    """Return where a page begins: after the object that ended the page before."""
    if not after:
        return 0
    for position, each in enumerate(found):
        if each.id == after:
            return position + 1
    raise refused(400, f"Invalid 'after': there is no '{after}'.", "invalid_value", "after")


def _size(text: str, usual: int, most: int) -> int:
    if not text:
        return usual
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise refused(400, f"Invalid 'limit': '{text}'; expected 1 to {most}.", "invalid_value", "limit")
    return int(text)
