"""The bodies of chat completions and of responses: what is refused, and what a responder gets to see of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from promptrial_emulator.openai.logprobs import MOST_ALTERNATIVES
from promptrial_emulator.responders.base import ChatRow, Refusal, content
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["CHAT", "ENDPOINTS", "RESPONSES", "chat_row"]

CHAT: Final = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"
_COMMON: Final = (
    "model temperature top_p top_logprobs metadata parallel_tool_calls prompt_cache_key prompt_cache_retention "
    "safety_identifier service_tier store stream stream_options tool_choice tools user"
)
_KNOWN: Final = {
    CHAT: frozenset(
        f"{_COMMON} messages audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
        "max_tokens modalities n prediction presence_penalty reasoning_effort response_format seed stop verbosity "
        "web_search_options".split()
    ),
    RESPONSES: frozenset(
        f"{_COMMON} input background conversation include instructions max_output_tokens max_tool_calls "
        "previous_response_id prompt reasoning text truncation".split()
    ),
}
ENDPOINTS: Final = tuple(_KNOWN)
"""The endpoints whose requests can be answered, in batches and live."""
_LIMITS: Final = {CHAT: ("max_completion_tokens", "max_tokens"), RESPONSES: ("max_output_tokens",)}
_MOST_TOKENS: Final = 2**31 - 1
_COUNTS: Final = {
    "n": 128,
    "max_tokens": _MOST_TOKENS,
    "max_completion_tokens": _MOST_TOKENS,
    "max_output_tokens": _MOST_TOKENS,
}


def chat_row(
    endpoint: str, name: str, body: Mapping[str, Any], settings: EmulatorSettings, *, strict: bool
) -> ChatRow | Refusal:
    """Return a request as a responder gets it, or why it is refused.

    Parameters
    ----------
    endpoint : str
        One of ``ENDPOINTS``.
    name : str
        The id by which the oracle knows a question.
    strict : bool
        Whether parameters that OpenAI does not know are refused.
    """
    refusal = _unknown(endpoint, body) if strict else None
    refusal = refusal or _unsupported(endpoint, body, settings)
    if refusal is not None:
        return refusal
    messages = _chat_messages(body) if endpoint == CHAT else _input_messages(body)
    if isinstance(messages, Refusal):
        return messages
    limit = next((body[key] for key in _LIMITS[endpoint] if body.get(key)), None)
    row = ChatRow(name, messages, {**body, **({} if limit is None else {"max_tokens": limit})})
    return _overflowing(row, settings) or row


def _unknown(endpoint: str, body: Mapping[str, Any]) -> Refusal | None:
    for name in body:
        if name not in _KNOWN[endpoint]:
            return Refusal(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
    return None


def _unsupported(endpoint: str, body: Mapping[str, Any], settings: EmulatorSettings) -> Refusal | None:
    """Return why a model does not take a request's parameters, or None."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        return Refusal(400, "you must provide a model parameter", None, "model")
    if settings.models is not None and model not in settings.models:
        return Refusal(404, f"The model `{model}` does not exist or you do not have access to it.", "model_not_found")
    for name, most in _COUNTS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most):
            return Refusal(400, f"Invalid '{name}': expected an integer from 1 to {most}.", "invalid_value", name)
    refusal = _likelihoods(body) if endpoint == CHAT else None
    return refusal or (_fixed(endpoint, body) if model in settings.openai.fixed_sampling else None)


def _likelihoods(body: Mapping[str, Any]) -> Refusal | None:
    """Return why a request for probabilities of tokens is refused, or None."""
    top = body.get("top_logprobs")
    if not isinstance(body.get("logprobs"), bool | None):
        return Refusal(400, "Invalid type for 'logprobs': expected a boolean.", "invalid_type", "logprobs")
    if top is None:
        return None
    if not isinstance(top, int) or isinstance(top, bool) or not 0 <= top <= MOST_ALTERNATIVES:
        text = f"Invalid 'top_logprobs': expected an integer from 0 to {MOST_ALTERNATIVES}."
        return Refusal(400, text, "invalid_value", "top_logprobs")
    if not body.get("logprobs"):
        text = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        return Refusal(400, text, "invalid_value", "top_logprobs")
    return None


def _fixed(endpoint: str, body: Mapping[str, Any]) -> Refusal | None:
    """Return which parameter a model whose sampling is fixed refuses."""
    if body.get("temperature") not in (None, 1):
        text = f"Unsupported value: 'temperature' does not support {body['temperature']} with this model."
        return Refusal(400, f"{text} Only the default (1) value is supported.", "unsupported_value", "temperature")
    for name in ("top_p", "max_tokens"):
        if name in body and (name, endpoint) != ("max_tokens", RESPONSES):
            text = f"Unsupported parameter: '{name}' is not supported with this model."
            return Refusal(400, text, "unsupported_parameter", name)
    return None


def _chat_messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]] | Refusal:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Refusal(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    if not all(isinstance(each, dict) and isinstance(each.get("role"), str) for each in messages):
        return Refusal(400, "Invalid type for 'messages': expected objects with a role.", "invalid_type", "messages")
    return messages


def _input_messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]] | Refusal:
    """Return the input of a response as messages, the instructions first."""
    given, instructions = body.get("input"), body.get("instructions")
    first = [{"role": "system", "content": instructions}] if isinstance(instructions, str) and instructions else []
    if isinstance(given, str) and given:
        return [*first, {"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        return Refusal(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    if not all(isinstance(each, dict) for each in given):
        return Refusal(400, "Invalid type for 'input': expected objects.", "invalid_type", "input")
    return [*first, *given]


def _overflowing(row: ChatRow, settings: EmulatorSettings) -> Refusal | None:
    most = settings.openai.context_tokens
    if most is None or settings.openai.overflow == "truncate":
        return None
    used = prompt_tokens(row)
    if used <= most:
        return None
    text = f"This model's maximum context length is {most} tokens. However, your messages resulted in {used} tokens."
    return Refusal(400, f"{text} Please reduce the length of the messages.", "context_length_exceeded", "messages")


def prompt_tokens(row: ChatRow) -> int:
    """Return how many tokens the messages of a request have, which are words."""
    return sum(len(content(message).split()) for message in row.messages)
