"""Fault F11, the half that only Anthropic has: rows of a batch that are errors, and messages of an odd shape. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from promptrial_emulator.anthropic.messages import error_object
from promptrial_emulator.faults.rules import Fault

__all__ = ["bad_row"]

_Message = dict[str, Any]


def bad_row(name: str, message: _Message, fault: Fault) -> tuple[bytes, str]:
    """Return the line of a row that had a good message, and the count that it belongs to."""
    if change := _MESSAGES.get(fault.variant):
        change(message)
        return _line({"custom_id": name, "result": {"type": "succeeded", "message": message}}), "succeeded"
    error = error_object(fault.options["code"], "the request failed")
    whole = {"type": "error", "error": error, "request_id": None}
    results: dict[str, dict[str, Any]] = {
        "errored": {"type": "errored", "error": whole},
        "errored_text": {"type": "errored", "error": "the request failed"},
        "errored_flat": {"type": "errored", "error": error},
        "errored_no_id": {"type": "errored", "error": whole},
        "canceled_row": {"type": "canceled"},
        "expired_row": {"type": "expired"},
        "unknown_result": {"type": "deferred"},
    }
    named = {} if fault.variant == "errored_no_id" else {"custom_id": name}
    return _line({**named, "result": results[fault.variant]}), _COUNTS.get(fault.variant, "errored")


def _line(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode(row)


def _stopped(message: _Message) -> None:
    message.update(stop_reason="stop_sequence", stop_sequence="\n")


def _context_window(message: _Message) -> None:
    message.update(stop_reason="model_context_window_exceeded")


def _no_content(message: _Message) -> None:
    message["content"] = None


def _in_parts(message: _Message) -> None:
    """Split the text into two blocks."""
    text = message["content"][-1]["text"]
    half = len(text) // 2
    message["content"][-1:] = [{"type": "text", "text": part} for part in (text[:half], text[half:])]


_MESSAGES: Final[dict[str, Callable[[_Message], None]]] = {
    "stop_sequence": _stopped,
    "context_window": _context_window,
    "no_content": _no_content,
    "two_blocks": _in_parts,
}
_COUNTS: Final = {"canceled_row": "canceled", "expired_row": "expired"}
