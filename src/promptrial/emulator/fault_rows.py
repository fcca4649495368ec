"""Faults F11 and F12: rows that are errors or no real answers, and files of rows that are not as they should be. Pure.

What is chosen, is chosen by position or by hash, so that the same job is spoilt in the same way again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from promptrial.emulator.faults import Fault

__all__ = ["bad_row", "garbled", "spread"]

_LONG: Final = 5_000_000
_BOM: Final = b"\xef\xbb\xbf"
_encode: Final = msgspec.json.encode


def spread(position: int, share: float) -> bool:
    """Tell whether a position belongs to a share of all positions, chosen as evenly as can be.

    Examples
    --------
    >>> [spread(position, 0.5) for position in range(4)]
    [False, True, False, True]
    """
    return int((position + 1) * share) > int(position * share)


def bad_row(row: dict[str, Any], fault: Fault) -> tuple[bytes, bool]:
    """Return what becomes of a good row, and whether it belongs to the errors."""
    if fault.variant in _ANSWERS:
        _ANSWERS[fault.variant](row["response"]["choices"][0])
        return _encode(row), False
    return _error(row["custom_id"], fault), True


def _error(name: str, fault: Fault) -> bytes:
    code = fault.options["code"]
    error = {"code": code, "message": "the request failed"}
    if fault.variant == "garbage":
        return b"upstream connect error or disconnect/reset before headers"
    shapes: dict[str, dict[str, Any]] = {
        "code_message": {"custom_id": name, "error": error},
        "text": {"custom_id": name, "error": "the request failed"},
        "in_response": {"custom_id": name, "response": {"error": error}},
        "status_body": {"custom_id": name, "response": {"status_code": code, "body": {"error": error}}},
        "no_id": {"error": error},
    }
    return _encode(shapes[fault.variant])


def _refuse(choice: dict[str, Any]) -> None:
    choice["message"] = {"role": "assistant", "content": None, "refusal": "I can't help with that."}


def _say(text: str | None, finish_reason: str | None = None) -> Callable[[dict[str, Any]], None]:
    def change(choice: dict[str, Any]) -> None:
        choice["message"]["content"] = text
        choice["finish_reason"] = finish_reason or choice["finish_reason"]

    return change


def _cut_short(choice: dict[str, Any]) -> None:
    choice["finish_reason"] = "length"


_ANSWERS: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "refusal": _refuse,
    "length": _cut_short,
    "empty": _say(""),
    "null_content": _say(None),
}


def garbled(lines: list[bytes], variant: str) -> bytes:
    """Return the file of some rows, spoilt in one way."""
    changed = _ROWS[variant](lines) if variant in _ROWS else lines
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
    row["response"]["choices"][0]["message"]["content"] += " (said again)"


def _other_id(row: dict[str, Any]) -> None:
    row["custom_id"] = "never-asked"


def _no_id(row: dict[str, Any]) -> None:
    del row["custom_id"]


def _padded(row: dict[str, Any]) -> None:
    row["padding"] = "x" * _LONG


def _invalid_utf8(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"content":"', b'"content":"\xff\xfe', 1), *lines[1:]] if lines else lines


_ROWS: Final[dict[str, Callable[[list[bytes]], list[bytes]]]] = {
    "shuffled": _shuffled,
    "duplicate_same": lambda lines: [*lines, *lines[:1]],
    "duplicate_different": _first(_other_answer, added=True),
    "unknown_id": _first(_other_id, added=True),
    "no_id": _first(_no_id),
    "missing_rows": lambda lines: lines[::2],
    "invalid_utf8": _invalid_utf8,
    "long_line": _first(_padded),
}
