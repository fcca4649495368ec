"""The answer of a responder as a message of the API: blocks, stop reason, usage. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

import msgspec

from promptrial_emulator.anthropic.caching import CacheUse
from promptrial_emulator.anthropic.params import THOUGHT_TOKENS, MessageParams
from promptrial_emulator.faults.answers import REASONING
from promptrial_emulator.responders.base import Answer, Choice, without_attempt

__all__ = ["Tier", "as_asked", "message"]

Tier = Literal["standard", "batch"]
_STOP_REASONS: Final = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal",
}  # fmt: skip


def as_asked(params: MessageParams, answer: Answer) -> Answer:
    """Return an answer with the thinking that was asked for, and without a text where none was."""
    choice = answer.choices[0]
    if params.max_tokens == 0:
        return replace(answer, choices=(Choice("", "length"),), completion_tokens=0)
    if not params.thinks:
        return answer
    return replace(
        answer,
        choices=(replace(choice, reasoning=REASONING),),
        completion_tokens=answer.completion_tokens + THOUGHT_TOKENS,
        reasoning_tokens=THOUGHT_TOKENS,
    )


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
    choice = answer.choices[0]
    at, stop = _first_stop(params, choice.text or "")
    reason = "refusal" if choice.refusal else _STOP_REASONS.get(choice.finish_reason, choice.finish_reason)
    tokens = answer.completion_tokens
    if stop is not None and choice.text is not None:
        tokens -= len(choice.text[at:].split())
        choice, reason = replace(choice, text=choice.text[:at]), "stop_sequence"
    asked = (seed, without_attempt(params.chat.custom_id), params.chat.body)
    mark = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
    return {
        "id": f"msg_{mark[:24]}",
        "type": "message",
        "role": "assistant",
        "model": answer.model or params.model,
        "content": _blocks(params, choice, mark),
        "stop_reason": reason,
        "stop_sequence": stop,
        "stop_details": _details(choice) if reason == "refusal" else None,
        **(
            {"usage": {**_input(answer, use), **_output(answer, tokens), "service_tier": tier}}
            if answer.counted
            else {}
        ),
    }


def _first_stop(params: MessageParams, text: str) -> tuple[int, str | None]:
    """Return where the first stop sequence begins in a text, and which it is."""
    found = [(text.find(stop), stop) for stop in params.stop_sequences if stop in text]
    return min(found) if found else (len(text), None)


def _blocks(params: MessageParams, choice: Choice, mark: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if choice.reasoning:
        shown = choice.reasoning if params.shows_thinking else ""
        blocks.append({"type": "thinking", "thinking": shown, "signature": mark})
    if choice.text:
        blocks.append({"type": "text", "text": choice.text})
    return [*blocks, *map(_tool_use, choice.tool_calls)]


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    given = msgspec.json.decode(function["arguments"])
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


def _details(choice: Choice) -> dict[str, Any]:
    return {"type": "refusal", "category": None, "explanation": choice.refusal}


def _input(answer: Answer, use: CacheUse) -> dict[str, Any]:
    """Return the usage of the input, in which the three counts add up to the whole."""
    written = use.written_5m + use.written_1h
    return {
        "input_tokens": answer.prompt_tokens - use.read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": use.read if answer.odd_total is None else answer.odd_total,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.written_5m,
            "ephemeral_1h_input_tokens": use.written_1h,
        },
    }


def _output(answer: Answer, tokens: int) -> dict[str, Any]:
    thought = answer.reasoning_tokens
    return {"output_tokens": tokens, **({"output_tokens_details": {"thinking_tokens": thought}} if thought else {})}
