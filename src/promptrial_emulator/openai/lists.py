"""Pages of a list: ``limit``, ``after``, ``order``. Works on what the API shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from promptrial_emulator.faults.pages import moved
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.openai.messages import refused

__all__ = ["Shown", "page"]

_T = TypeVar("_T")
_Shown = dict[str, Any]


class Shown(Sequence[_Shown]):
    """Objects as the API shows them, each when it is asked for: a page shows few of them."""

    def __init__(self, things: Sequence[_T], show: Callable[[_T], _Shown]) -> None:
        self._things = things
        self._show: Callable[[Any], _Shown] = show

    def __len__(self) -> int:
        return len(self._things)

    @overload
    def __getitem__(self, at: int) -> _Shown: ...

    @overload
    def __getitem__(self, at: slice) -> Shown: ...

    def __getitem__(self, at: int | slice) -> _Shown | Shown:
        return Shown(self._things[at], self._show) if isinstance(at, slice) else self._show(self._things[at])


def page(
    shown: Sequence[_Shown], query: Mapping[str, str], faults: Injected, *, usual: int, most: int
) -> dict[str, Any]:
    """Return one page of objects that stand in the order of their creation; the newest come first, unless asked.

    Parameters
    ----------
    usual, most : int
        The size of a page without a ``limit``, and the largest.

    Raises
    ------
    ApiError
        400 if the query cannot be read.
    """
    if fault := faults.get("F16", "stale"):
        shown = shown[: max(0, len(shown) - fault.options["by"])]
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise refused(400, f"Invalid 'order': '{order}'; expected 'asc' or 'desc'.", "invalid_value", "order")
    found = shown if order == "asc" else shown[::-1]
    size, start = _size(query.get("limit", ""), usual, most), _start(found, query.get("after", ""))
    repeats = faults.get("F16", "repeated_token")
    start = 0 if repeats else moved(start, faults)
    data = [*found[start : start + size]]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": bool(repeats) or start + size < len(found),
    }


def _start(found: Sequence[_Shown], after: str) -> int:
    """Return where a page begins: behind the object that ended the page before."""
    if not after:
        return 0
    for position, each in enumerate(found):
        if each["id"] == after:
            return position + 1
    raise refused(400, f"Invalid 'after': there is no '{after}'.", "invalid_value", "after")


def _size(text: str, usual: int, most: int) -> int:
    if not text:
        return usual
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise refused(400, f"Invalid 'limit': '{text}'; expected 1 to {most}.", "invalid_value", "limit")
    return int(text)
