"""What a model's tokens cost: its price as the configuration gives it, and USD for a number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from promptrial import registry
from promptrial.documents.cost_report import Price

if TYPE_CHECKING:
    from promptrial.config.pricing import ProviderPricing
    from promptrial.model import ModelSpec

__all__ = ["price_for", "price_in", "usd", "usd_of"]

_MILLION: Final = 1_000_000


def price_for(pricing: Mapping[str, ProviderPricing], model: ModelSpec) -> Price | None:
    """Return the price of a model; None if it has none.

    The discount of batches is none for requests that are asked one by one.
    """
    return price_in(pricing.get(model.provider), model.alias, model.id, lambda: _has_discount(model))


def price_in(
    terms: ProviderPricing | None, alias: str | None, model_id: str | None, has_discount: Callable[[], bool]
) -> Price | None:
    """Return the price that the section ``pricing`` lists of a provider's model, by its alias or else by its id.

    Parameters
    ----------
    terms : ProviderPricing or None
        What is listed of the provider, if anything is.
    alias, model_id : str or None
    has_discount : callable
        Whether the discount of batches holds for the requests; asked only if the model is listed.
    """
    listed = None if terms is None else terms.models.get(str(alias), terms.models.get(str(model_id)))
    if terms is None or listed is None:
        return None
    return Price(
        input_per_million=listed.input_per_million,
        output_per_million=listed.output_per_million,
        batch_discount=terms.batch_discount if has_discount() else 0.0,
        cached_input_per_million=_rate(listed.cached_input_per_million),
        cache_write_per_million=_rate(listed.cache_write_per_million),
    )


def _has_discount(model: ModelSpec) -> bool:
    kind = registry.load("provider", model.adapter)
    return bool(kind.jobs or kind.local)  # the second as ever: what is computed here has the price that it is given


def _rate(rate: float | None) -> float | msgspec.UnsetType:
    return msgspec.UNSET if rate is None else rate


def usd(
    prompt_tokens: int, completion_tokens: int, price: Price, *, cached_tokens: int = 0, cache_write_tokens: int = 0
) -> float:
    """Return the price of tokens in USD, discount taken off, not rounded.

    Parameters
    ----------
    prompt_tokens, completion_tokens : int
        All of them; reasoning tokens are completion tokens.
    price : Price
    cached_tokens, cache_write_tokens : int
        The prompt tokens that were read from a cache, and those written to one. They cost what the others do where the
        price has no rate of their own.

    Examples
    --------
    >>> usd(2_000_000, 1_000_000, Price(input_per_million=0.5, output_per_million=1.0, batch_discount=0.5))
    1.0
    """
    own = [
        (tokens, rate)
        for tokens, rate in (
            (cached_tokens, price.cached_input_per_million),
            (cache_write_tokens, price.cache_write_per_million),
        )
        if rate is not msgspec.UNSET
    ]
    apart = sum(tokens for tokens, _ in own)
    plain = max(0, prompt_tokens - apart) if apart else prompt_tokens  # a difference of tokens may be negative
    full = plain * price.input_per_million + completion_tokens * price.output_per_million
    full += sum(tokens * rate for tokens, rate in own)
    return full / _MILLION * (1 - price.batch_discount)


def usd_of(tokens: int | None, rate: float | msgspec.UnsetType, price: Price) -> float | msgspec.UnsetType:
    """Return what tokens cost that have a rate of their own; unset if there are none, or no such rate."""
    if not tokens or rate is msgspec.UNSET:
        return msgspec.UNSET
    return tokens * rate / _MILLION * (1 - price.batch_discount)
