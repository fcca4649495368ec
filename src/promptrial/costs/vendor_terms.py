"""Who is paid for requests to which host, and rules of vendors that the price list does not hold: data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["BATCH_RULES", "OWN_MODELS", "VENDORS", "VENDOR_NOTES", "BatchRule", "vendor_at"]

VENDORS: Final[Mapping[str, str]] = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "openrouter.ai": "openrouter",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x-ai",
    "api.cerebras.ai": "cerebras",
    "generativelanguage.googleapis.com": "google",
}
"""Host -> vendor, as the price list calls it. Azure is not here: its names of models are names of deployments, which
say nothing of the model or its region."""


def vendor_at(address: str) -> str:
    """Return who is paid for requests to an address; empty if nobody knows, as with a server of one's own.

    Examples
    --------
    >>> vendor_at("https://api.openai.com/v1"), vendor_at("https://api.openai.com.example.org/v1")
    ('openai', '')
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme != "https" or port not in {None, 443}:
        return ""
    return VENDORS.get(parts.hostname or "", "")


class BatchRule(NamedTuple):
    """What a vendor says about all its batches.

    ``discount`` is the share that is taken off every rate, and ``cached_share`` what a cached prompt token costs before
    that, as a share of another one, where the list has no rate for it. ``source`` is where the vendor says so.
    """

    discount: float
    cached_share: float
    source: str


BATCH_RULES: Final[Mapping[str, BatchRule]] = {
    "fireworks": BatchRule(0.5, 0.5, "docs.fireworks.ai/serverless/pricing"),
}
"""By vendor; only for those whose batches have no prices in the list, and cost a fixed share for every model."""

OWN_MODELS: Final[Mapping[str, str]] = {"fireworks": "accounts/fireworks/models/"}
"""By vendor, what the list has before the names of its own models where a configuration may leave it out."""

VENDOR_NOTES: Final[Mapping[str, str]] = {
    "openrouter": "OpenRouter may send a request to a host with a price other than the listed one",
}
"""By vendor, what has to be known of all its prices."""
