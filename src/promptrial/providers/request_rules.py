"""Rules about a model's options and a trial's decoding parameters that adapters of several vendors share. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from promptrial.config.schema import ExperimentConfig
from promptrial.errors import ConfigError
from promptrial.model import ModelSpec, Sampling

__all__ = ["CHAT_KEYS", "DEFAULT_TOP_K", "MESSAGES_KEYS", "check_extra_body", "require_untouched", "with_extra"]

DEFAULT_TOP_K: Final = ExperimentConfig.model_fields["top_k"].default
_PROMPTS: Final = "the messages come from the prompts and the questions"
_LEFT: Final = ", or `sampling: provider_default` to send none"
_COMMON: Final = {
    "messages": _PROMPTS,
    "model": "the model is `id`",
    "custom_id": "promptrial sets the ids of requests",
    "stream": "answers are not streamed",
    "n": "one answer is read from each request; use `samples_per_item`",
    "temperature": f"use `temps`{_LEFT}",
    "top_p": f"use `top_p`{_LEFT}",
    "top_k": "use `top_k`",
    "max_tokens": "use `max_new_tokens`",
}
CHAT_KEYS: Final[Mapping[str, str]] = _COMMON | {
    "input": _PROMPTS,
    "instructions": _PROMPTS,
    "seed": "use `seed`",
    "stop": "use `stop`",
    "max_completion_tokens": "use `max_new_tokens`",
    "max_output_tokens": "use `max_new_tokens`",
    "reasoning_effort": "use `reasoning_effort`",
    "reasoning.effort": "use `reasoning_effort`",
}
"""Keys of the body of a chat completion, or of a response, that have a place of their own, and what that is."""
MESSAGES_KEYS: Final[Mapping[str, str]] = _COMMON | {
    "system": _PROMPTS,
    "stop_sequences": "use `stop`",
    "thinking": "use `thinking_budget`",
    "output_config.effort": "use `reasoning_effort`",
}
"""The same of a message of Anthropic's."""


def check_extra_body(model: ModelSpec, own: Mapping[str, str]) -> None:
    """Refuse extra keys that have a place of their own: the record would say another thing than what is asked.

    Parameters
    ----------
    model : ModelSpec
    own : mapping
        Those keys, also within an object as ``outer.inner``, and what to use.

    Raises
    ------
    ConfigError
        Naming the key and what to use.
    """
    for key in _names(model):
        if key in own:
            raise ConfigError(
                f"models.{model.alias}.extra_body may not hold {key!r}: {own[key]}",
                hint=f"remove it from `models.{model.alias}.extra_body`",
            )


def _names(model: ModelSpec) -> Iterator[str]:
    for key, value in _extra(model).items():
        yield key
        if isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in value)


def _extra(model: ModelSpec) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(model.options.extra_body) if model.options.extra_body else {}
    return found


def with_extra(body: dict[str, Any], model: ModelSpec) -> dict[str, Any]:
    """Return a body with the extra keys of a model; of those that hold an object, what they do not name stays."""
    found = dict(body)
    for key, value in _extra(model).items():
        there = found.get(key)
        found[key] = there | value if isinstance(there, dict) and isinstance(value, dict) else value
    return found


def require_untouched(sampling: Sampling) -> None:
    """Refuse decoding parameters that were chosen where none is sent; a temperature of 1 is what vendors take then.

    Raises
    ------
    ConfigError
        Naming the first of them.
    """
    chosen = {
        "temps": sampling.temperature if sampling.temperature not in {0.0, 1.0} else None,
        "top_p": sampling.top_p if sampling.top_p != 1.0 else None,
        "top_k": sampling.top_k if sampling.top_k != DEFAULT_TOP_K else None,
    }
    for key, value in chosen.items():
        if value is not None:
            raise ConfigError(
                f"`{key}` is {value:g}, but with `sampling: provider_default` it is not sent",
                hint=f"remove `{key}`, or write `sampling: explicit`",
            )
