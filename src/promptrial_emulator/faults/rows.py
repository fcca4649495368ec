"""Faults F11 and F12: rows that are errors or odd answers, and files of rows that are not as they should be. Pure.

What is chosen, is chosen by position or by hash, so that the same job is spoilt in the same way again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from promptrial_emulator.faults.rules import Fault

__all__ = ["REASONING", "bad_row", "garbled", "spread"]

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
        _ANSWERS[fault.variant](row["response"])
        if reason := fault.options.get("finish_reason"):
            _choice(row["response"])["finish_reason"] = reason
        return _encode(row), False
    return _error(row, fault), True


def _error(row: dict[str, Any], fault: Fault) -> bytes:
    name, code = row["custom_id"], fault.options["code"]
    error = {"code": code, "message": "the request failed"}
    if fault.variant == "garbage":
        return b"upstream connect error or disconnect/reset before headers"
    shapes: dict[str, dict[str, Any]] = {
        "code_message": {"custom_id": name, "error": error},
        "text": {"custom_id": name, "error": "the request failed"},
        "in_response": {"custom_id": name, "response": {"error": error}},
        "status_body": {"custom_id": name, "response": {"status_code": code, "body": {"error": error}}},
        "billed": {"custom_id": name, "error": error, "response": {"usage": row["response"]["usage"]}},
        "no_id": {"error": error},
    }
    return _encode(shapes[fault.variant])


_Response = dict[str, Any]
_Change = Callable[[_Response], None]
REASONING: Final = "Who is asked for here? It might be Paris. Or I do not know."


def _choice(response: _Response) -> dict[str, Any]:
    choice: dict[str, Any] = response["choices"][0]
    return choice


def _message(finish_reason: str | None = None, **message: object) -> _Change:
    """Return what changes keys of the message, and why it ended."""

    def change(response: _Response) -> None:
        choice = _choice(response)
        choice["message"] |= message
        choice["finish_reason"] = finish_reason or choice["finish_reason"]

    return change


def _text(pattern: str, finish_reason: str | None = None) -> _Change:
    """Return what puts text around the answer, which stands for ``{}``."""

    def change(response: _Response) -> None:
        content = pattern.format(_choice(response)["message"]["content"])
        _message(finish_reason, content=content)(response)

    return change


def _reason(response: _Response) -> None:
    usage, tokens = response["usage"], len(REASONING.split())
    usage["completion_tokens"] += tokens
    usage["total_tokens"] += tokens
    usage["completion_tokens_details"] = {"reasoning_tokens": tokens}


def _both(*changes: _Change) -> _Change:
    def change(response: _Response) -> None:
        for each in changes:
            each(response)

    return change


def _odd_usage(response: _Response) -> None:
    response["usage"] = {"prompt_tokens": -1, "completion_tokens": 2**63, "total_tokens": "11"}


_CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
_ANSWERS: Final[dict[str, _Change]] = {
    "refusal": _message(content=None, refusal="I can't help with that."),
    "length": _message("length"),
    "empty": _message(content=""),
    "null_content": _message(content=None),
    "content_filter": _message("content_filter", content=None),
    "tool_calls": _message("tool_calls", content=None, tool_calls=[_CALL]),
    "reasoning_field": _both(_reason, _message(reasoning_content=REASONING)),
    "reasoning_alone": _both(_reason, _message("length", content=None, reasoning_content=REASONING)),
    "think_tags": _both(_reason, _text(f"<think>\n{REASONING}\n</think>\n\n{{}}")),
    "think_end_tag": _both(_reason, _text(f"{REASONING}\n</think>\n\n{{}}")),
    "think_unclosed": _both(_reason, _text(f"<think>\n{REASONING}", "length")),
    "odd_usage": _odd_usage,
}


def garbled(lines: list[bytes], fault: Fault) -> bytes:
    """Return the file of some rows, spoilt in one way."""
    variant, changed = fault.variant, lines
    if variant == "foreign_rows":
        changed = [*lines, *_foreign(fault.options["rows"] if lines else 0)]
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


def _foreign(count: int) -> Iterator[bytes]:
    return (_encode({"custom_id": f"never-asked-{n}", "response": {}}) for n in range(count))


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
    "skipped_row": lambda lines: lines[1:],
    "no_rows": lambda _lines: [],
    "invalid_utf8": _invalid_utf8,
    "long_line": _first(_padded),
}
