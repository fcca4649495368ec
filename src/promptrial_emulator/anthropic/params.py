"""What a message may ask for: the parameters of one request checked, and read into what a responder takes. Pure.

A batch checks its rows when it answers them, so a bad one is an errored row; a live message is refused. Parameters that
have no meaning here (tools, metadata, effort and the like) are read and have no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from promptrial_emulator.anthropic.caching import Breakpoint, breakpoints
from promptrial_emulator.faults.answers import REASONING
from promptrial_emulator.responders.base import ChatRow, content

__all__ = ["THOUGHT_TOKENS", "VERSIONS", "BadParamsError", "MessageParams", "read_params", "samplers_in"]

WITHOUT_SAMPLERS: Final = "2026-10-21"
"""The version under which the sampler fields are refused."""
VERSIONS: Final = ("2023-01-01", "2023-06-01", WITHOUT_SAMPLERS)
SAMPLERS: Final = ("temperature", "top_p", "top_k")
THOUGHT_TOKENS: Final = len(REASONING.split())
"""How long the thinking of every answer is that has some."""
_KNOWN: Final = frozenset(
    {"model", "messages", "max_tokens", "system", "stop_sequences", "thinking", "cache_control", "container",
     "diagnostics", "inference_geo", "metadata", "output_config", "prefill", "service_tier", "speed", "tool_choice",
     "tools", "user_profile_id", *SAMPLERS}
)  # fmt: skip
_LEAST_BUDGET: Final = 1024
_EXTRA: Final = "Extra inputs are not permitted"


class BadParamsError(ValueError):
    """A request asks for what it may not; the text names the parameter."""


@dataclass(frozen=True, slots=True)
class MessageParams:
    """One request that may be answered.

    Attributes
    ----------
    model : str
    chat : ChatRow
        What the responder gets; its ``stop`` are the stop sequences.
    max_tokens : int
        0 asks for nothing but a write to the cache.
    stop_sequences : tuple of str
    thinks : bool
        Whether the answer begins with a block of thinking.
    shows_thinking : bool
        Whether that block has its text, and not its signature alone.
    breakpoints : list of Breakpoint
        The ends of the prefixes that are to be cached.
    """

    model: str
    chat: ChatRow
    max_tokens: int
    stop_sequences: tuple[str, ...]
    thinks: bool
    shows_thinking: bool
    breakpoints: list[Breakpoint]


def samplers_in(params: Mapping[str, Any], version: str) -> str:
    """Return the first sampler field that a version refuses; empty if there is none."""
    if version != WITHOUT_SAMPLERS:
        return ""
    return next((name for name in SAMPLERS if name in params), "")


def read_params(name: str, params: Mapping[str, Any], version: str, *, batch: bool) -> MessageParams:
    """Check the parameters of a request and read them.

    Parameters
    ----------
    name : str
        The ``custom_id``; empty for a live message without one.
    params : mapping
    version : str
        The ``anthropic-version`` that the request came with.
    batch : bool
        Whether it is a row of a batch.

    Raises
    ------
    BadParamsError
        If something is missing, unknown or out of its range.
    """
    _check_names(params, version)
    model = params.get("model")
    if not isinstance(model, str) or not model:
        raise BadParamsError("model: Input should be a valid string")
    max_tokens = _whole(params, "max_tokens", least=1 if batch else 0)
    stops = _stop_sequences(params.get("stop_sequences"))
    _check_cache_control("", params)
    messages = [*_system(params.get("system")), *_messages(params.get("messages"))]
    thinking = _thinking(params.get("thinking"), max_tokens)
    _check_samplers(params, thinks=bool(thinking))
    body = {key: params[key] for key in (*SAMPLERS, "output_config") if key in params}
    plain: list[Mapping[str, Any]] = [{"role": message["role"], "content": content(message)} for message in messages]
    limit = max(1, max_tokens - (THOUGHT_TOKENS if thinking else 0))
    body |= {"model": model, "max_tokens": limit, "messages": plain}
    if stops:
        body["stop"] = stops
    return MessageParams(
        model=model,
        chat=ChatRow(name, plain, body),
        max_tokens=max_tokens,
        stop_sequences=stops,
        thinks=bool(thinking),
        shows_thinking=thinking.get("display") != "omitted",
        breakpoints=breakpoints(model, messages, params.get("cache_control")),
    )


def _check_names(params: Mapping[str, Any], version: str) -> None:
    if sampler := samplers_in(params, version):
        raise BadParamsError(f"{sampler}: not supported with anthropic-version {version}")
    if params.get("stream"):
        raise BadParamsError("stream: this emulator answers without streaming")
    for name in params:
        if name not in _KNOWN and name != "stream":
            raise BadParamsError(f"{name}: {_EXTRA}")


def _whole(params: Mapping[str, Any], name: str, least: int) -> int:
    value = params.get(name)
    if value is None:
        raise BadParamsError(f"{name}: Field required")
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadParamsError(f"{name}: Input should be a whole number greater than or equal to {least}")
    return value


def _system(system: object) -> Iterator[dict[str, Any]]:
    if system is None:
        return
    if not isinstance(system, str | list):
        raise BadParamsError("system: Input should be a valid string or list")
    if isinstance(system, list):
        _check_blocks("system", system)
    yield {"role": "system", "content": system}


def _messages(messages: object) -> Iterator[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise BadParamsError("messages: at least one message is required")
    for number, message in enumerate(messages):
        at = f"messages.{number}"
        if not isinstance(message, dict):
            raise BadParamsError(f"{at}: Input should be an object")
        if message.get("role") not in ("user", "assistant"):
            raise BadParamsError(f"{at}.role: Input should be 'user' or 'assistant'")
        said = message.get("content")
        if not isinstance(said, str | list) or not said:
            raise BadParamsError(f"{at}.content: text content must be non-empty")
        if isinstance(said, list):
            _check_blocks(f"{at}.content", said)
        yield message


def _check_blocks(at: str, blocks: list[Any]) -> None:
    for number, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise BadParamsError(f"{at}.{number}.type: Field required")
        if block["type"] == "text" and not (isinstance(block.get("text"), str) and block["text"]):
            raise BadParamsError(f"{at}.{number}.text: text content must be non-empty")
        _check_cache_control(f"{at}.{number}.", block)


def _check_cache_control(at: str, holder: Mapping[str, Any]) -> None:
    """Refuse a ``cache_control`` of a block, or of the request itself, that is none."""
    control = holder.get("cache_control")
    if control is None:
        return
    fits = isinstance(control, dict) and control.get("type") == "ephemeral"
    if not fits or control.get("ttl") not in (None, "5m", "1h"):
        raise BadParamsError(f"{at}cache_control: Input should be ephemeral, with a ttl of '5m' or '1h'")


def _stop_sequences(stops: object) -> tuple[str, ...]:
    if stops is None:
        return ()
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop.strip() for stop in stops):
        raise BadParamsError("stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(stops)


def _thinking(thinking: object, max_tokens: int) -> Mapping[str, Any]:
    """Return how the answer is thought about; empty where it is not."""
    if thinking is None:
        return {}
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if not isinstance(thinking, dict) or kind not in ("enabled", "adaptive", "disabled", "between_tools"):
        raise BadParamsError("thinking.type: Input should be 'enabled', 'adaptive', 'disabled' or 'between_tools'")
    if kind == "enabled":
        try:
            budget = _whole(thinking, "budget_tokens", least=_LEAST_BUDGET)
        except BadParamsError as error:
            raise BadParamsError(f"thinking.enabled.{error}") from error
        if budget >= max_tokens:
            raise BadParamsError("max_tokens must be greater than thinking.budget_tokens")
    return thinking if kind in ("enabled", "adaptive") else {}


def _check_samplers(params: Mapping[str, Any], *, thinks: bool) -> None:
    """Refuse values out of range, and with thinking what does not go together with it."""
    for name in ("temperature", "top_p"):
        value = params.get(name)
        if value is not None and not (_is_number(value) and 0 <= value <= 1):
            raise BadParamsError(f"{name}: Input should be a number from 0 to 1")
    if params.get("top_k") is not None:
        _whole(params, "top_k", least=0)
    if thinks and params.get("temperature") not in (None, 1):
        raise BadParamsError("temperature: may only be set to 1 when thinking is enabled")
    if thinks and params.get("top_k") is not None:
        raise BadParamsError("top_k: must be unset when thinking is enabled")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
