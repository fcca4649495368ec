"""Servers that a configuration may name without describing them: data, and nothing else.

Addresses and variables are those that the vendors document. A preset is an instance by itself (``provider: groq``), and
the ``type`` of others (``providers: {second: {type: groq, key: OTHER_KEY}}``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from promptrial.model.instances import Authentication, Limits

__all__ = ["KEYS_OF", "PRESETS", "Preset"]

_HTTP: Final = frozenset({"base_url", "key", "headers", "timeout_s", "connect_timeout_s", "proxy", "ca_file"})
_JOBS: Final = frozenset({"max_rows", "max_bytes", "max_jobs"})
_LIVE: Final = frozenset({"max_in_flight"})
KEYS_OF: Final[Mapping[str, frozenset[str]]] = {
    "embedded": frozenset(),
    "fireworks": _HTTP | _JOBS | {"account"},
    "openai": _HTTP | _JOBS,
    "anthropic": _HTTP | _JOBS | {"api_version"},
    "openai_compatible": _HTTP | _LIVE,
    "anthropic_live": _HTTP | _LIVE | {"api_version"},
    "batch_file": frozenset({"folder", "quiet_s", "wait", "written_for", "max_rows", "max_bytes"}),
}
"""The keys of an entry of `providers`, besides `type` and `mode`, that each adapter uses."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A vendor or a kind of server.

    ``batch`` and ``live`` are the adapters that speak to it, None where it has no such API; the first that there is, in
    that order, is used unless ``mode`` says otherwise. ``address`` is an example of the ``base_url`` that an entry has
    to give; empty if there is one already. ``more_variables`` are those that it needs besides that
    of its key. ``hosts`` are those that its key may be sent to. ``options`` is what its
    adapters are told; under ``lacks`` are the options of requests that its adapters know, and it does not.
    ``ids_with_slashes`` says that its own ids of models may read ``VENDOR/NAME``. ``limits`` are those of its
    batches where they are not those of its adapter.
    """

    label: str
    batch: str | None = None
    live: str | None = None
    base_url: str = ""
    address: str = ""
    key: str = ""
    more_variables: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    auth: Authentication = "bearer"
    options: tuple[tuple[str, str], ...] = ()
    ids_with_slashes: bool = False
    limits: Limits = Limits()  # noqa: RUF009 - it cannot change

    def adapter(self, mode: str | None) -> str | None:
        """Return the adapter for a mode, or for the usual one; None if it has none."""
        if mode is None:
            return self.batch or self.live
        return self.batch if mode == "batch" else self.live


def _local(label: str, port: int, server: str) -> Preset:
    """Return the preset of a program that serves models on this machine, at its usual port."""
    return Preset(
        label,
        live="openai_compatible",
        base_url=f"http://127.0.0.1:{port}/v1",
        options=(("server", server),),
        ids_with_slashes=True,
    )


_LISTED: Final = ("models", "with_key")
"""Option of a vendor that lists its models to those with a key alone, so that a list proves the key."""
PRESETS: Final[Mapping[str, Preset]] = {
    "embedded": Preset("the embedded engine", live="embedded"),
    "fireworks": Preset(
        "Fireworks",
        batch="fireworks",
        key="FIREWORKS_API_KEY",
        more_variables=("FIREWORKS_ACCOUNT_ID",),
        hosts=("api.fireworks.ai",),
    ),
    "openai": Preset(
        "OpenAI",
        batch="openai",
        live="openai_compatible",
        base_url="https://api.openai.com/v1",
        key="OPENAI_API_KEY",
        hosts=("api.openai.com",),
        options=(("max_tokens", "max_completion_tokens"), ("top_k", "refused"), _LISTED),
    ),
    "azure": Preset(
        "Azure OpenAI",
        batch="openai",
        live="openai_compatible",
        address="https://RESOURCE.openai.azure.com/openai/v1",
        key="AZURE_OPENAI_API_KEY",
        hosts=(".openai.azure.com", ".services.ai.azure.com"),
        auth="api-key",
        options=(
            ("endpoint_prefix", ""),
            ("max_tokens", "max_completion_tokens"),
            ("names", "deployments"),
            ("top_k", "refused"),
            _LISTED,
        ),
    ),
    "groq": Preset(
        "Groq",
        batch="openai",
        live="openai_compatible",
        base_url="https://api.groq.com/openai/v1",
        key="GROQ_API_KEY",
        hosts=("api.groq.com",),
        options=(("max_tokens", "max_completion_tokens"), ("top_k", "refused"), ("lacks", "endpoint"), _LISTED),
        ids_with_slashes=True,
        limits=Limits(rows=50_000, size=100_000_000),
    ),
    "anthropic": Preset(
        "Anthropic",
        batch="anthropic",
        live="anthropic_live",
        base_url="https://api.anthropic.com",
        key="ANTHROPIC_API_KEY",
        hosts=("api.anthropic.com",),
        auth="x-api-key",
    ),
    "openai_compatible": Preset(
        "the server", live="openai_compatible", address="http://127.0.0.1:8000/v1", ids_with_slashes=True
    ),
    "vllm": _local("vLLM", 8000, "vllm"),
    "llamacpp": _local("llama.cpp", 8080, "llamacpp"),
    "ollama": _local("Ollama", 11434, "ollama"),
    "lmstudio": _local("LM Studio", 1234, "lmstudio"),
    "openrouter": Preset(
        "OpenRouter",
        live="openai_compatible",
        base_url="https://openrouter.ai/api/v1",
        key="OPENROUTER_API_KEY",
        hosts=("openrouter.ai",),
        ids_with_slashes=True,
    ),
    "together": Preset(
        "Together",
        live="openai_compatible",
        base_url="https://api.together.xyz/v1",
        key="TOGETHER_API_KEY",
        hosts=("api.together.xyz", "api.together.ai"),
        options=(_LISTED,),
        ids_with_slashes=True,
    ),
    "batch_file": Preset("the batch file", batch="batch_file", ids_with_slashes=True),
}
"""By the name that a configuration uses."""
