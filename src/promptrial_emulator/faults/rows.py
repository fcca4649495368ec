"""Fault F12: files of rows that are not as they should be, whatever API the rows are of. Pure.

What is chosen, is chosen by position or by hash, so that the same job is spoilt in the same way again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from promptrial_emulator.faults.rules import Fault

__all__ = ["garbled", "spread"]

_LONG: Final = 5_000_000
_BOM: Final = b"\xef\xbb\xbf"
_TEXTS: Final = ("content", "text")
"""Where an answer's text is: in the message of a chat completion, or in a part of an answer in parts."""
_START_OF_TEXT: Final = re.compile(rb'("(?:content|text)":")')
_encode: Final = msgspec.json.encode


def spread(position: int, share: float) -> bool:
    """Tell whether a position belongs to a share of all positions, chosen as evenly as can be.

    Examples
    --------
    >>> [spread(position, 0.5) for position in range(4)]
    [False, True, False, True]
    """
    return int((position + 1) * share) > int(position * share)


def garbled(lines: list[bytes], fault: Fault) -> bytes:
    """Return the file of some rows, spoilt in one way."""
    variant, changed = fault.variant, lines
    if variant == "foreign_rows":
        changed = [*lines, *_foreign(lines, fault.options["rows"])]
    elif variant in _ROWS:
        changed = _ROWS[variant](lines)
    if variant == "blank_lines":
        return b"\n" + b"".join(line + b"\n\n  \n" for line in changed)
    if variant == "crlf":
        return b"".join(line + b"\r\n" for line in changed)
    whole = b"".join(line + b"\n" for line in changed)
    if variant == "bom":
        return _BOM + whole
    if variant == "no_final_newline":
        return whole[:-1]
    if variant == "torn_last_line":
        return whole[: -(len(changed[-1]) // 2 + 1)] if changed else whole
    return whole


def _foreign(lines: list[bytes], count: int) -> Iterator[bytes]:
    """Yield copies of the first row under other ids; none if there is no row."""
    for line in lines[:1]:
        row = msgspec.json.decode(line)
        yield from (_encode({**row, "custom_id": f"never-asked-{n}"}) for n in range(count))


def _shuffled(lines: list[bytes]) -> list[bytes]:
    mixed = sorted(lines, key=lambda line: hashlib.sha256(line).digest())
    return mixed if mixed != lines else mixed[::-1]


def _first(change: Callable[[dict[str, Any]], None], *, added: bool = False) -> Callable[[list[bytes]], list[bytes]]:
    """Return what changes the first row, or adds a changed copy of it at the end."""

    def changed(lines: list[bytes]) -> list[bytes]:
        if not lines:
            return lines
        row = msgspec.json.decode(lines[0])
        change(row)
        return [*lines, _encode(row)] if added else [_encode(row), *lines[1:]]

    return changed


def _other_answer(row: dict[str, Any]) -> None:
    _say_again(row)


def _say_again(value: object) -> bool:
    """Change the first text of an answer, wherever its API has it, and tell whether there was one."""
    if isinstance(value, list):
        return any(_say_again(each) for each in value)
    if not isinstance(value, dict):
        return False
    for key in _TEXTS:
        if isinstance(value.get(key), str):
            value[key] += " (said again)"
            return True
    return any(_say_again(each) for each in value.values())


def _other_id(row: dict[str, Any]) -> None:
    row["custom_id"] = "never-asked"


def _no_id(row: dict[str, Any]) -> None:
    del row["custom_id"]


def _padded(row: dict[str, Any]) -> None:
    row["padding"] = "x" * _LONG


def _invalid_utf8(lines: list[bytes]) -> list[bytes]:
    return [_START_OF_TEXT.sub(rb"\1" + b"\xff\xfe", lines[0], count=1), *lines[1:]] if lines else lines


_ROWS: Final[dict[str, Callable[[list[bytes]], list[bytes]]]] = {
    "shuffled": _shuffled,
    "duplicate_same": lambda lines: [*lines, *lines[:1]],
    "duplicate_different": _first(_other_answer, added=True),
    "unknown_id": _first(_other_id, added=True),
    "no_id": _first(_no_id),
    "missing_rows": lambda lines: lines[::2],
    "skipped_row": lambda lines: lines[1:],
    "no_rows": lambda _lines: [],
    "invalid_utf8": _invalid_utf8,
    "long_line": _first(_padded),
}
