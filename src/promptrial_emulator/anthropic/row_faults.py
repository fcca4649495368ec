"""Fault F11 for messages: rows of a batch that are errors, and messages that are odd. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from promptrial_emulator.anthropic.messages import error_object
from promptrial_emulator.faults.rows import REASONING
from promptrial_emulator.faults.rules import Fault

__all__ = ["bad_message", "bad_row"]

_Message = dict[str, Any]
_Change = Callable[[_Message], None]


def bad_message(message: _Message, fault: Fault) -> None:
    """Change a good message as a fault says; nothing happens for a variant that is an error row."""
    if change := _MESSAGES.get(fault.variant):
        change(message)
        if reason := fault.options.get("finish_reason"):
            message["stop_reason"] = reason


def bad_row(row: dict[str, Any], fault: Fault) -> tuple[bytes, str]:
    """Return what becomes of a good row, and the count that it belongs to."""
    if fault.variant in _MESSAGES:
        bad_message(row["result"]["message"], fault)
        return msgspec.json.encode(row), "succeeded"
    name, error = row["custom_id"], error_object(fault.options["code"], "the request failed")
    whole = {"type": "error", "error": error, "request_id": None}
    rows: dict[str, tuple[dict[str, Any], str]] = {
        "errored": ({"custom_id": name, "result": {"type": "errored", "error": whole}}, "errored"),
        "errored_text": ({"custom_id": name, "result": {"type": "errored", "error": "the request failed"}}, "errored"),
        "errored_flat": ({"custom_id": name, "result": {"type": "errored", "error": error}}, "errored"),
        "errored_no_id": ({"result": {"type": "errored", "error": whole}}, "errored"),
        "canceled_row": ({"custom_id": name, "result": {"type": "canceled"}}, "canceled"),
        "expired_row": ({"custom_id": name, "result": {"type": "expired"}}, "expired"),
        "unknown_result": ({"custom_id": name, "result": {"type": "deferred"}}, "errored"),
    }
    changed, count = rows[fault.variant]
    return msgspec.json.encode(changed), count


def _ended(stop_reason: str, *content: dict[str, Any], **fields: object) -> _Change:
    """Return what replaces the content of a message and the reason why it ended."""

    def change(message: _Message) -> None:
        message.update(content=list(content), stop_reason=stop_reason, **fields)

    return change


def _cut(message: _Message) -> None:
    message["stop_reason"] = "max_tokens"


def _stopped(message: _Message) -> None:
    message.update(stop_reason="stop_sequence", stop_sequence="\n")


def _no_content(message: _Message) -> None:
    message["content"] = None


def _odd_usage(message: _Message) -> None:
    message["usage"] = {"input_tokens": -1, "output_tokens": 2**63, "cache_read_input_tokens": "11"}


def _with_thinking(message: _Message) -> None:
    message["content"].insert(0, _THINKING)
    message["usage"]["output_tokens"] += len(REASONING.split())


def _thinking_alone(message: _Message) -> None:
    _with_thinking(message)
    message.update(content=[_THINKING], stop_reason="max_tokens")


def _in_parts(message: _Message) -> None:
    """Split the text into two blocks."""
    text = message["content"][-1]["text"]
    half = len(text) // 2
    message["content"][-1:] = [{"type": "text", "text": part} for part in (text[:half], text[half:])]


_THINKING: Final = {"type": "thinking", "thinking": REASONING, "signature": "emulated"}
_TOOL_USE: Final = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
_DETAILS: Final = {"type": "refusal", "category": "general_harms", "explanation": "The request was declined."}


def _text(pattern: str, stop_reason: str | None = None) -> _Change:
    """Return what puts text around the answer, which stands for ``{}``."""

    def change(message: _Message) -> None:
        text = pattern.format(message["content"][-1]["text"])
        message["content"][-1] = {"type": "text", "text": text}
        message["usage"]["output_tokens"] += len(REASONING.split())
        message["stop_reason"] = stop_reason or message["stop_reason"]

    return change


_MESSAGES: Final[dict[str, _Change]] = {
    "refusal": _ended("refusal", stop_details=_DETAILS),
    "length": _cut,
    "empty": _ended("end_turn"),
    "null_content": _no_content,
    "content_filter": _ended("refusal"),
    "tool_calls": _ended("tool_use", _TOOL_USE),
    "stop_sequence": _stopped,
    "reasoning_field": _with_thinking,
    "reasoning_alone": _thinking_alone,
    "think_tags": _text(f"<think>\n{REASONING}\n</think>\n\n{{}}"),
    "think_end_tag": _text(f"{REASONING}\n</think>\n\n{{}}"),
    "think_unclosed": _text(f"<think>\n{REASONING}", "max_tokens"),
    "context_window": _ended("model_context_window_exceeded"),
    "two_blocks": _in_parts,
    "odd_usage": _odd_usage,
}
