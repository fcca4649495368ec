"""Prices in words, for plans and lists: the rates, where they are from, or the lines that would give a price. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from promptrial.costs.price_book import PriceBook
from promptrial.documents.cost_report import Price, shown_notes
from promptrial.model import ModelSpec

__all__ = ["price_lines", "price_said", "price_words", "pricing_lines", "unpriced_words"]


def price_lines(prices: PriceBook, models: Iterable[ModelSpec]) -> Iterator[str]:
    """Yield a line for each model: what it costs and by which source, or how to give it a price."""
    for model in models:
        yield f"models.{model.alias}: {price_said(prices, model)}"


def price_said(prices: PriceBook, model: ModelSpec) -> str:
    """Return what a model costs; where that depends on how long prompts are and that is not known, all its prices."""
    kept, price = prices.listed(model), prices.of(model)
    if price is None:
        return unpriced_words(prices, model)
    if kept is None or kept.price is None or kept.tiers is msgspec.UNSET or prices.longest_prompt is not None:
        return price_words(price)
    above = [f"; above {tier.above_tokens:,} tokens in a prompt: {_rates(tier.price)}" for tier in kept.tiers]
    return price_words(kept.price) + "".join(above)


def price_words(price: Price) -> str:
    """Return ``0.15 USD in, 0.6 USD out, per million tokens (genai-prices 0.2.3, ...)``.

    Examples
    --------
    >>> price_words(Price(input_per_million=0.15, output_per_million=0.6, batch_discount=0.5))
    '0.15 USD in, 0.6 USD out, per million tokens, 50% off (`pricing`)'
    """
    if price.source is msgspec.UNSET:
        source = "`pricing`"
    else:
        source = "; ".join([f"{price.source}, latest price dated {price.dated}", *shown_notes(price)])
    return f"{_rates(price)} ({source})"


def _rates(price: Price) -> str:
    off = f", {price.batch_discount:.0%} off" if price.batch_discount else ""
    return f"{price.input_per_million:g} USD in, {price.output_per_million:g} USD out, per million tokens{off}"


def unpriced_words(prices: PriceBook, model: ModelSpec) -> str:
    """Return that a model is unpriced, why if that is known, and the line that would give it a price."""
    kept = prices.listed(model)
    why = "" if kept is None or kept.why is msgspec.UNSET else f" ({kept.why})"
    own = " (0 for a server of your own)" if kept is not None and not kept.vendor else ""
    return f"unpriced{why}; its cost in USD is unknown, not 0; next: add {pricing_lines(model)}{own}"


def pricing_lines(model: ModelSpec) -> str:
    """Return what a configuration needs to price a model, in one line of YAML."""
    rates = "{input_per_million: USD, output_per_million: USD}"
    return f"`pricing: {{{model.provider}: {{models: {{{model.alias}: {rates}}}}}}}`"
