"""What models of OpenAI's API take of sampling and of further keys: known before anything is sent. Pure.

Which models refuse a temperature is a rule about their names, from OpenAI's guide to reasoning models (read November
2026): the o series and gpt-5 do, save its chat variant, and its later versions take one where they do not reason. A
name that is not known is let through: then each row says what the vendor says.
"""

from __future__ import annotations

import json
import re
from typing import Final

from promptrial.config.schema import ExperimentConfig
from promptrial.errors import ConfigError
from promptrial.model import ModelSpec, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.openai_rows import RowShape

__all__ = ["check_model", "check_sampling", "sent_of"]

_REASONING: Final = re.compile(r"(ft:)?(o[1-9]|gpt-5(\.[0-9]+)?)(?![a-z0-9.])(?!-chat)")
_TAKES_NONE_OF_IT: Final = re.compile(r"gpt-5\.[0-9]+")
"""Models that reason only if asked to, and take a temperature while they do not."""
_OURS: Final = {
    "messages": "the messages are those of the prompts and the questions",
    "input": "the messages are those of the prompts and the questions",
    "instructions": "the messages are those of the prompts and the questions",
    "model": "the model is `id`",
    "custom_id": "the ids of requests are made here",
    "stream": "answers are not streamed",
    "n": "one answer is read of each request; use `samples_per_item`",
    "temperature": "use `temps`, or `sampling: provider_default` to send none",
    "top_p": "use `top_p`, or `sampling: provider_default` to send none",
    "top_k": "use `top_k`",
    "seed": "use `seed`",
    "stop": "use `stop`",
    "max_tokens": "use `max_new_tokens`",
    "max_completion_tokens": "use `max_new_tokens`",
    "max_output_tokens": "use `max_new_tokens`",
}
"""Keys of a body that have a place of their own, and what that is."""
_DEFAULT_TOP_K: Final = ExperimentConfig.model_fields["top_k"].default


def check_model(model: ModelSpec) -> None:
    """Refuse a model that takes no temperature where one is sent, and extra keys that have a place of their own.

    Raises
    ------
    ConfigError
        With what to write instead.
    """
    options = model.options
    if options.sampling == "explicit" and _refuses_temperature(model):
        also = ", or `reasoning_effort: none`" if _TAKES_NONE_OF_IT.match(model.id.removeprefix("ft:")) else ""
        raise ConfigError(
            f"{model.shown_id} is a reasoning model, and takes no temperature and no top_p",
            hint=f"write `sampling: provider_default` into `models.{model.alias}`{also}",
        )
    for key in json.loads(options.extra_body or "{}"):
        if key in _OURS:
            raise ConfigError(
                f"`extra_body` of the model may not hold {key!r}: {_OURS[key]}",
                hint=f"remove it from `models.{model.alias}.extra_body`",
            )


def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str | None:
    """Refuse decoding parameters that were chosen and that the API does not have.

    Parameters
    ----------
    model : ModelSpec
    sampling : Sampling
        Those of a trial that asks it.
    instance : Instance

    Returns
    -------
    str or None
        What is not sent although it has a value, in one sentence.

    Raises
    ------
    ConfigError
        If leaving it out would change what was asked for.
    """
    options, shape = model.options, RowShape.of(instance)
    api = f"{instance.label}'s {'responses' if options.endpoint == 'responses' else 'chat completions'}"
    if sampling.stop and options.endpoint == "responses":
        raise ConfigError(f"{api} have no stop sequences", hint="remove `stop`, or write `endpoint: chat`")
    if options.sampling == "provider_default":
        _require_untouched(sampling)
        return f"{api}: temperature, top_p, top_k and seed are left to the vendor"
    takes_top_k = shape.top_k and options.endpoint == "chat"
    if not takes_top_k and sampling.top_k != _DEFAULT_TOP_K:
        raise ConfigError(f"{api} have no top_k, and `top_k` is {sampling.top_k}", hint="remove `top_k`")
    unsent = [*([] if takes_top_k else ["top_k"]), *(["seed"] if options.endpoint == "responses" else [])]
    return f"{api} have no {' and no '.join(unsent)}: none is sent" if unsent else None


def _require_untouched(sampling: Sampling) -> None:
    """Refuse decoding parameters that were chosen where none is sent; a temperature of 1 is what vendors take then."""
    chosen = {
        "temps": sampling.temperature if sampling.temperature not in {0.0, 1.0} else None,
        "top_p": sampling.top_p if sampling.top_p != 1.0 else None,
        "top_k": sampling.top_k if sampling.top_k != _DEFAULT_TOP_K else None,
    }
    for key, value in chosen.items():
        if value is not None:
            raise ConfigError(
                f"`{key}` has {value:g}, and with `sampling: provider_default` it is not sent",
                hint=f"remove `{key}`, or write `sampling: explicit`",
            )


def sent_of(model: ModelSpec, shape: RowShape) -> str:
    """Return which decoding parameters are sent, for the record."""
    if model.options.sampling == "provider_default":
        return "provider_default"
    chat = model.options.endpoint == "chat"
    return " ".join(["temperature", "top_p", *(["seed"] if chat else []), *(["top_k"] if chat and shape.top_k else [])])


def _refuses_temperature(model: ModelSpec) -> bool:
    name = model.id
    if not _REASONING.match(name):
        return False
    later = _TAKES_NONE_OF_IT.match(name.removeprefix("ft:")) is not None
    return not (later and model.options.reasoning_effort == "none")
