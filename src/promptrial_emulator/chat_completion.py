"""An answer as a chat completion, which several APIs give: the message, why it ended, and the tokens."""

from __future__ import annotations

from typing import Any

from promptrial_emulator.responders.base import Answer, Choice

__all__ = ["chat_completion", "chat_usage"]


def chat_completion(answer: Answer, *, name: str, model: str, created: int) -> dict[str, Any]:
    """Return the completion; ``name`` is its id, ``created`` in Unix seconds."""
    return {
        "id": name,
        "object": "chat.completion",
        "created": created,
        "model": answer.model or model,
        "choices": [
            {"index": index, "message": _message(choice), "finish_reason": choice.finish_reason}
            for index, choice in enumerate(answer.choices)
        ],
        **({"usage": chat_usage(answer)} if answer.counted else {}),
    }


def chat_usage(answer: Answer) -> dict[str, Any]:
    """Return the tokens of an answer."""
    spent = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.completion_tokens}
    if answer.odd_total is not None:
        return {**spent, "total_tokens": answer.odd_total}
    reasoning = {"completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens}}
    return {
        **spent,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
        **(reasoning if answer.reasoning_tokens else {}),
    }


def _message(choice: Choice) -> dict[str, Any]:
    beside = {
        "refusal": choice.refusal,
        "tool_calls": [*choice.tool_calls],
        "reasoning_content": choice.reasoning,
    }
    return {"role": "assistant", "content": choice.text, **{key: value for key, value in beside.items() if value}}
