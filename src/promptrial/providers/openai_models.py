"""What models of OpenAI's API take of sampling and of further keys: known before anything is sent. Pure.

Which models refuse a temperature is a rule about their names, from OpenAI's guide to reasoning models (read November
2026): the o series and gpt-5 do, except its chat model, and its later versions take one where they do not reason. A
name that is not known is let through: then each row says what the vendor says.
"""

from __future__ import annotations

import re
from typing import Final

from promptrial.errors import ConfigError
from promptrial.model import ModelSpec, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.openai_rows import RowShape
from promptrial.providers.request_rules import CHAT_KEYS, DEFAULT_TOP_K, check_extra_body, require_untouched

__all__ = ["check_model", "check_sampling", "sent_of"]

_REASONING: Final = re.compile(r"(ft:)?(o[1-9]|gpt-5(\.[0-9]+)?)(?![a-z0-9.])(?!-chat)")
_TAKES_NONE_OF_IT: Final = re.compile(r"gpt-5\.[0-9]+")
"""Models that reason only if asked to, and take a temperature while they do not."""


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
            f"{model.shown_id} is a reasoning model, and accepts no temperature or top_p",
            hint=f"write `sampling: provider_default` in `models.{model.alias}`{also}",
        )
    check_extra_body(model, CHAT_KEYS)


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
        raise ConfigError(f"{api} do not support stop sequences", hint="remove `stop`, or write `endpoint: chat`")
    if options.sampling == "provider_default":
        require_untouched(sampling)
        return f"{api}: temperature, top_p, top_k and seed are not sent; the vendor's defaults apply"
    takes_top_k = shape.top_k and options.endpoint == "chat"
    if not takes_top_k and sampling.top_k != DEFAULT_TOP_K:
        raise ConfigError(f"{api} do not support top_k, but `top_k` is {sampling.top_k}", hint="remove `top_k`")
    unsent = [*([] if takes_top_k else ["top_k"]), *(["seed"] if options.endpoint == "responses" else [])]
    if not unsent:
        return None
    return f"{api} do not support {' or '.join(unsent)}, so {'it is not' if len(unsent) == 1 else 'neither is'} sent"


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
