"""An answer as the OpenAI API words it: a chat completion, or a response with its items. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from promptrial_emulator.chat_completion import chat_completion
from promptrial_emulator.openai.logprobs import logprobs_of
from promptrial_emulator.openai.messages import EPOCH_S
from promptrial_emulator.openai.requests import CHAT
from promptrial_emulator.responders.base import Answer, ChatRow, Choice
from promptrial_emulator.settings import OpenAiSettings

__all__ = ["answer_body", "as_served"]

_EFFORT_TOKENS: Final = {"none": 0, "minimal": 4, "low": 16, "medium": 64, "high": 256, "xhigh": 512}
_USUAL_EFFORT: Final = "medium"
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


def as_served(answer: Answer, row: ChatRow, settings: OpenAiSettings) -> Answer:
    """Return an answer as a model of this API serves it: with reasoning that is paid for, and a prompt that is cut."""
    effort = _effort(row.body)
    thinks = effort is not None or row.body.get("model") in settings.fixed_sampling
    tokens = _EFFORT_TOKENS.get(effort or _USUAL_EFFORT, _EFFORT_TOKENS[_USUAL_EFFORT]) if thinks else 0
    most = settings.context_tokens
    return replace(
        answer,
        prompt_tokens=answer.prompt_tokens if most is None else min(answer.prompt_tokens, most),
        completion_tokens=answer.completion_tokens + tokens,
        reasoning_tokens=answer.reasoning_tokens + tokens,
    )


def _effort(body: Mapping[str, Any]) -> str | None:
    """Return how much reasoning a request asks for, or None."""
    reasoning = body.get("reasoning")
    found = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    return found if isinstance(found, str) else None


def answer_body(endpoint: str, row: ChatRow, answer: Answer, mark: int, created: int = EPOCH_S) -> dict[str, Any]:
    """Return the body of an answer; ``mark`` and the request make its id, ``created`` is in Unix seconds."""
    texts = [choice.text for choice in answer.choices]
    digest = hashlib.sha256(msgspec.json.encode((mark, row.custom_id, row.body, texts))).hexdigest()
    if endpoint == CHAT:
        made = chat_completion(answer, name=f"chatcmpl-{digest[:29]}", model=str(row.body["model"]), created=created)
        if row.body.get("logprobs"):
            for choice, shown in zip(answer.choices, made["choices"], strict=True):
                shown["logprobs"] = logprobs_of(choice, digest, row.body.get("top_logprobs") or 0)
        return {**made, "service_tier": "default", "system_fingerprint": "fp_emulator"}
    return _response(row.body, answer, digest, created)


def _response(body: Mapping[str, Any], answer: Answer, digest: str, created: int) -> dict[str, Any]:
    choice = answer.choices[0]
    reason = _INCOMPLETE.get(choice.finish_reason)
    return {
        "id": f"resp_{digest[:48]}",
        "object": "response",
        "created_at": created,
        "status": "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": answer.model or body["model"],
        "output": [*_items(choice, digest, thinks=bool(answer.reasoning_tokens))],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": _effort(body), "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        **({"usage": _usage(answer)} if answer.counted else {}),
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _items(choice: Choice, digest: str, *, thinks: bool) -> Iterator[dict[str, Any]]:
    """Yield the items of the output: what was thought, what was called, what was said."""
    if thinks or choice.reasoning:
        summary = [{"type": "summary_text", "text": choice.reasoning}] if choice.reasoning else []
        yield {"id": f"rs_{digest[:48]}", "type": "reasoning", "summary": summary}
    for call in choice.tool_calls:
        yield {
            "id": f"fc_{digest[:48]}", "type": "function_call", "status": "completed", "call_id": call["id"],
            **call["function"],
        }  # fmt: skip
    part = _part(choice)
    if part is not None:
        status = "incomplete" if choice.finish_reason in _INCOMPLETE else "completed"
        yield {"id": f"msg_{digest[:48]}", "type": "message", "status": status, "role": "assistant", "content": [part]}


def _part(choice: Choice) -> dict[str, Any] | None:
    if choice.refusal is not None:
        return {"type": "refusal", "refusal": choice.refusal}
    if choice.text is None:
        return None
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": choice.text}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.odd_total or answer.prompt_tokens + answer.completion_tokens,
    }
