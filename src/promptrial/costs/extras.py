"""What the extra keys of a model's requests (``extra_body``) add to what requests can cost. Pure.

Their text is sent with every request, and counts as input. Some of them buy what no number of tokens bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from promptrial.documents.cost_report import Price
from promptrial.model import ModelSpec

__all__ = ["extra_bytes", "unbounded_keys"]

_UNBOUNDED: Final = frozenset(
    {
        "audio",
        "best_of",
        "google.thinking_config",
        "mcp_servers",
        "modalities",
        "models",
        "num_completions",
        "plugins",
        "prediction",
        "reasoning.max_tokens",
        "search_parameters",
        "thinking",
        "thinking_budget",
        "web_search_options",
    }
)
"""Keys with charges beside those for tokens, or for more output than the limit of the answer, or for another model."""
_CLIENT_TOOLS: Final = frozenset({"function", "custom"})
"""Types of tools that nobody runs but the client; what a vendor runs is charged by the call."""


def extra_bytes(model: ModelSpec) -> int:
    """Return how many UTF-8 bytes the extra keys add to each request to a model."""
    return len(model.options.extra_body.encode())


def unbounded_keys(model: ModelSpec, price: Price) -> tuple[str, ...]:
    """Return the extra keys with which requests may cost more than bytes and the longest answers say.

    None for a model whose tokens cost nothing: that is a server of one's own.
    """
    if not (price.input_per_million or price.output_per_million):
        return ()
    return tuple(
        dict.fromkeys(key for key, value in _entries(model) if key in _UNBOUNDED or _is_run_by_vendor(key, value))
    )


def _entries(model: ModelSpec) -> Iterator[tuple[str, Any]]:
    """Yield the keys with their values, those within an object as ``outer.inner``; what is null asks for nothing."""
    body: dict[str, Any] = msgspec.json.decode(model.options.extra_body) if model.options.extra_body else {}
    for key, value in body.items():
        inner = value if isinstance(value, dict) else {}
        found = {key: value, **{f"{key}.{name}": each for name, each in inner.items()}}
        yield from ((name, each) for name, each in found.items() if each is not None)


def _is_run_by_vendor(key: str, value: object) -> bool:
    if key != "tools":
        return False
    tools = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return any(each.get("type", "custom") not in _CLIENT_TOOLS for each in tools)
