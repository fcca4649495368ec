"""The entries of `models` in the configuration: which model it is, where it is served, and what else it is asked."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

from promptrial.config.strict import Name, Positive, Strict, Words, is_none
from promptrial.model.instances import RequestOptions
from promptrial.model.responses import ThinkTags

__all__ = ["ModelConfig", "ProviderName"]

ProviderName = Name  # checked against the instances that there are, which another key names


class ModelConfig(Strict):
    """A model under its alias (the key in ``models``): its id, or a section with these keys."""

    unrecorded_defaults: ClassVar[frozenset[str]] = frozenset(
        {"think_tags", "endpoint", "sampling", "cache_prompt", "extra_body"}
    )

    id: Words = Field(description="the provider's name of the model")
    provider: ProviderName | None = Field(
        None, description="the provider that serves it; the top-level `provider` if not given"
    )
    path: str | None = Field(
        None,
        description="embedded engine: a GGUF file to use instead of the packaged model, relative to this "
        "configuration file",
    )
    think_tags: ThinkTags = Field(
        "separate",
        description="text between think tags in an answer: `separate` keeps it as reasoning and does not score it, "
        "`as_answer` scores it as part of the answer",
    )
    endpoint: Literal["chat", "responses"] = Field(
        "chat",
        description="openai: which API is used, `/chat/completions` or `/responses`",
    )
    sampling: Literal["explicit", "provider_default"] = Field(
        "explicit",
        description=(
            "`explicit` sends temperature, top_p, top_k and seed where the vendor accepts them; `provider_default` "
            "sends none of them, for models that reject them"
        ),
    )
    reasoning_effort: Words | None = Field(
        None, exclude_if=is_none, description="the reasoning effort of a reasoning model, such as `low`"
    )
    thinking_budget: Positive | None = Field(
        None,
        exclude_if=is_none,
        description="anthropic: maximum number of thinking tokens, in addition to those of the answer",
    )
    cache_prompt: Literal["off", "5m", "1h"] = Field(
        "off",
        description="anthropic: for how long the system prompt is kept in the vendor's cache",
    )
    extra_body: dict[str, JsonValue] = Field(
        {}, description="keys that are added unchanged to the body of each request"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_id(cls, value: object) -> object:
        return {"id": value} if isinstance(value, str) else value

    @property
    def options(self) -> RequestOptions:
        """What requests say besides the messages and the sampling parameters."""
        given: dict[str, Any] = {option.name: getattr(self, option.name) for option in fields(RequestOptions)}
        extra = json.dumps(self.extra_body, sort_keys=True, separators=(",", ":")) if self.extra_body else ""
        return RequestOptions(**given | {"extra_body": extra})
