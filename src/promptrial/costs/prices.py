"""What a model's tokens cost: its price as the configuration gives it, and USD for a number of tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptrial.config.schema import ProviderPricing
from promptrial.documents.cost_report import Price

__all__ = ["price_for", "usd"]

_MILLION: Final = 1_000_000


def price_for(pricing: Mapping[str, ProviderPricing], provider: str, alias: str, model_id: str) -> Price | None:
    """Return the price of a model, looked up by its alias and then by the provider's id; None if it has none."""
    terms = pricing.get(provider)
    listed = None if terms is None else terms.models.get(alias, terms.models.get(model_id))
    if terms is None or listed is None:
        return None
    return Price(
        input_per_million=listed.input_per_million,
        output_per_million=listed.output_per_million,
        batch_discount=terms.batch_discount,
    )


def usd(prompt_tokens: int, completion_tokens: int, price: Price) -> float:
    """Return the price of tokens in USD, discount taken off, not rounded.

    Cached prompt tokens are priced like the others, because a price has one rate for input.

    Examples
    --------
    >>> usd(2_000_000, 1_000_000, Price(input_per_million=0.5, output_per_million=1.0, batch_discount=0.5))
    1.0
    """
    full = prompt_tokens * price.input_per_million + completion_tokens * price.output_per_million
    return full / _MILLION * (1 - price.batch_discount)
