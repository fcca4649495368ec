"""The answer of a responder as a message of the API: blocks, stop reason, usage. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import msgspec

from promptrial_emulator.anthropic.caching import CacheUse
from promptrial_emulator.anthropic.params import THOUGHT_TOKENS, MessageParams
from promptrial_emulator.faults.rows import REASONING
from promptrial_emulator.responders.base import Answer

__all__ = ["Tier", "message"]

Tier = Literal["standard", "batch"]
_STOP_REASONS: Final = {"stop": "end_turn", "length": "max_tokens"}


def message(seed: int, params: MessageParams, answer: Answer, use: CacheUse, tier: Tier) -> dict[str, Any]:
    """Return a message.

    Parameters
    ----------
    seed : int
        Another seed gives other ids.
    params : MessageParams
    answer : Answer
    use : CacheUse
        What the request read from the cache and wrote to it.
    tier : {"standard", "batch"}
    """
    text, reason, sequence, tokens = _ended(params, answer)
    thought = THOUGHT_TOKENS if params.thinks else 0
    blocks = [{"type": "text", "text": text}] if text else []
    mark = hashlib.sha256(msgspec.json.encode((seed, params.chat.custom_id, params.chat.body))).hexdigest()
    return {
        "id": f"msg_{mark[:24]}",
        "type": "message",
        "role": "assistant",
        "model": params.model,
        "content": [*_thinking(params, mark), *blocks],
        "stop_reason": reason,
        "stop_sequence": sequence,
        "stop_details": None,
        "usage": {**_input(answer.prompt_tokens, use), **_output(tokens, thought), "service_tier": tier},
    }


def _ended(params: MessageParams, answer: Answer) -> tuple[str, str, str | None, int]:
    """Return the text up to the first stop sequence, why it ended, that sequence, and how many tokens it has."""
    choice = answer.choices[0]
    if params.max_tokens == 0:
        return "", "max_tokens", None, 0
    found = [(choice.text.find(stop), stop) for stop in params.stop_sequences if stop in choice.text]
    if found:
        at, stop = min(found)
        text = choice.text[:at]
        return text, "stop_sequence", stop, len(text.split())
    return choice.text, _STOP_REASONS.get(choice.finish_reason, choice.finish_reason), None, answer.completion_tokens


def _thinking(params: MessageParams, mark: str) -> list[dict[str, str]]:
    if not params.thinks:
        return []
    return [{"type": "thinking", "thinking": REASONING if params.shows_thinking else "", "signature": mark}]


def _input(tokens: int, use: CacheUse) -> dict[str, Any]:
    """Return the usage of the input, in which the three counts add up to the whole."""
    written = use.written_5m + use.written_1h
    return {
        "input_tokens": max(0, tokens - use.read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": use.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.written_5m,
            "ephemeral_1h_input_tokens": use.written_1h,
        },
    }


def _output(tokens: int, thought: int) -> dict[str, Any]:
    details = {"output_tokens_details": {"thinking_tokens": thought}} if thought else {}
    return {"output_tokens": tokens + thought, **details}
