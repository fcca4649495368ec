"""Reading what OpenAI's ``/v1/responses`` gives as the body of an answer. Which row it is in is not known here.

::

    {"id", "object": "response", "status": "completed" | "incomplete" | "failed", "incomplete_details": {"reason"},
     "output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text"}], "content": [{"type", "text"}]},
                {"type": "message", "content": [{"type": "output_text", "text"} | {"type": "refusal", "refusal"}]},
                {"type": "function_call", ...}],
     "usage": {"input_tokens", "input_tokens_details": {"cached_tokens"},
               "output_tokens", "output_tokens_details": {"reasoning_tokens"}, "total_tokens"}}

Items and parts of other types are left out. Finish reasons are said in the words of chat completions.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from promptrial.providers.wire import entries, mapping, read_json, text

__all__ = ["Reading", "read_output"]

_FINISH: Final = {"max_output_tokens": "length", "max_tokens": "length"}
_CALLS: Final = "_call"


class Reading(NamedTuple):
    """What a response says: its text or, where there is none, its refusal; its reasoning; why it ended."""

    text: str
    refusal: str
    reasoning: str
    finish_reason: str | None


class _Part(msgspec.Struct, gc=False):
    type: Any = None
    text: Any = None
    refusal: Any = None


class _Item(msgspec.Struct, gc=False):
    type: Any = None
    content: Any = None
    summary: Any = None


_ITEMS: Final = msgspec.json.Decoder(list[_Item])


def read_output(output: msgspec.Raw, status: object, details: object) -> Reading:
    """Read the output of a response.

    Parameters
    ----------
    output : msgspec.Raw
        The value of ``output``.
    status, details : object
        Those of ``status`` and ``incomplete_details``.

    Raises
    ------
    ValueError
        If the output is not a list of items.
    """
    items = read_json(_ITEMS, output)
    parts = [part for item in items if item.type == "message" for part in _parts(item.content)]
    reasoning = [part for item in items if item.type == "reasoning" for part in _thoughts(item)]
    calls = any(isinstance(item.type, str) and item.type.endswith(_CALLS) for item in items)
    said = "".join(text(part.text) for part in parts if part.type == "output_text")
    refusal = "\n".join(text(part.refusal) for part in parts if part.type == "refusal")
    reason = "tool_calls" if calls and not said else _finish_reason(status, details)
    return Reading(said, refusal, "\n".join(filter(None, (text(part.text) for part in reasoning))), reason)


def _thoughts(item: _Item) -> list[_Part]:
    """Return the parts of reasoning: the text of it where it is given, and else its summary."""
    return _parts(item.content) or _parts(item.summary)


def _parts(value: object) -> list[_Part]:
    return [msgspec.convert(part, _Part) for part in entries(value)]


def _finish_reason(status: object, details: object) -> str | None:
    if status == "completed":
        return "stop"
    reason = mapping(details).get("reason")
    if isinstance(reason, str):
        return _FINISH.get(reason, reason)
    return status if isinstance(status, str) else None
