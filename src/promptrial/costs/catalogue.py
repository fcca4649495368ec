"""What a vendor's model costs by the price list of ``genai-prices``: dated prices, offline, for the day of a run.

The package is imported when the first price is looked up, which takes a fifth of a second, and is never asked to update
itself. A model without an entry has no price: there is no guess by its family or by the name of a similar model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from promptrial.costs.purchases import Purchase
from promptrial.costs.vendor_terms import BATCH_RULES, OWN_MODELS, VENDOR_NOTES
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice, PriceTier

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

__all__ = ["list_context", "list_price"]

_OTHERWISE_CHARGED: Final = ("requests_kcount", "input_mchars", "input_text_messages_kcount", "output_citation_mtok")
"""Rates for something that a request about text has besides tokens of input and output."""
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "input": ("input_mtok",),
    "output": ("output_mtok", "output_reasoning_mtok"),
    "cache_read": ("cache_read_mtok",),
    "cache_write": ("cache_write_mtok", "cache_write_5m_mtok"),
}
"""What the list calls the rates of tokens. Where tokens of reasoning have their own rate, the higher one counts."""
_HOUR_CACHE: Final[Mapping[str, tuple[str, ...]]] = {"cache_write": ("cache_write_1h_mtok",)}
_FIRST_TIER: Final = -1


def list_price(purchase: Purchase, vendor: str, at: datetime) -> KeptPrice:
    """Return what the price list says about a purchase, or why it has no price.

    Parameters
    ----------
    purchase : Purchase
    vendor : str
        Who is paid, as ``vendor_at`` says it; empty if nobody knows.
    at : datetime
        When it is bought: the list has the history of its prices.

    Returns
    -------
    KeptPrice
        In USD per million tokens. Tokens of reasoning are tokens of output.
    """
    unpriced = KeptPrice(
        provider=purchase.provider,
        id=purchase.id,
        vendor=vendor,
        terms=purchase.terms,
        looked_up=at.date().isoformat(),
        price=None,
    )
    if not vendor:
        return msgspec.structs.replace(unpriced, why="no price list covers its server")
    entry = _entry(vendor, purchase.model)
    if entry is None:
        return msgspec.structs.replace(unpriced, why=f"{_source()} has no entry for it at {vendor}")
    return _Listed.of(purchase, vendor, at, entry).filled_in(unpriced)


def list_context(model: str, vendor: str) -> int | None:
    """Return how many tokens a vendor's model takes in a request and its answer together; None if it is not listed."""
    entry = _entry(vendor, model) if vendor else None
    return None if entry is None else entry.context_window


def _entry(vendor: str, model: str) -> ModelInfo | None:
    """Return a vendor's entry for a model: among its own alone, never among those of another vendor."""
    provider = next((each for each in _providers() if each.id == vendor), None)
    if provider is None:  # a later list may leave a vendor out
        return None
    return provider.find_model(model if "/" in model else f"{OWN_MODELS.get(vendor, '')}{model}")


def _providers() -> list[Provider]:
    from genai_prices.data import providers  # those that came with the package, even if something has updated it

    return providers


def _source() -> str:
    from genai_prices import __version__

    return f"genai-prices {__version__}"


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry of the list for what is bought.

    ``standard`` is its price without any terms: of a model whose price changes by the hour, the highest of the day.
    """

    purchase: Purchase
    vendor: str
    at: datetime
    model: ModelInfo
    standard: ModelPrice
    notes: tuple[str, ...]

    @classmethod
    def of(cls, purchase: Purchase, vendor: str, at: datetime, model: ModelInfo) -> _Listed:
        hours = {hour: model.get_prices(hour) for hour in (at.replace(hour=each, minute=30) for each in range(24))}
        dearest = max(hours, key=lambda hour: sum(_rates(hours[hour], _FIRST_TIER, cache_1h=False).values()))
        notes = [VENDOR_NOTES[vendor]] if vendor in VENDOR_NOTES else []
        if any(each is not hours[dearest] for each in hours.values()):
            notes.append("the highest of the day: its price changes by the hour")
        return cls(purchase, vendor, dearest, model, hours[dearest], tuple(notes))

    def filled_in(self, unpriced: KeptPrice) -> KeptPrice:
        """Return what is kept with a run, with the price or with why there is none."""
        if problem := self._problem():
            return msgspec.structs.replace(unpriced, why=f"{_source()} {problem}")
        starts = sorted({start for each in (self.standard, self._paid()) for start in _tier_starts(each)})
        first = self._price(_FIRST_TIER, *(f"prompts of at most {start:,} tokens" for start in starts[:1]))
        tiers = tuple(
            PriceTier(
                above_tokens=start,
                price=self._price(start, f"prompts of more than {start:,} tokens, which may occur"),
            )
            for start in starts
        )
        return msgspec.structs.replace(unpriced, price=first, tiers=tiers or msgspec.UNSET)

    def _problem(self) -> str:
        """Return why the entry does not say what these requests cost; empty if it does."""
        rates = _rates(self.standard, _FIRST_TIER, cache_1h=self.purchase.cache_1h)
        if not {"input", "output"} <= rates.keys():
            return "has no rates for both input and output"
        if any(getattr(self.standard, key) is not None for key in _OTHERWISE_CHARGED):
            return "has charges other than for tokens"
        if self.purchase.cache_1h and "cache_write" not in rates:
            return "has no rate for prompts that are cached for an hour"
        if self.purchase.options and not self._has_rule():
            unknown = " and ".join(f"{key} {value!r}" for key, value in self.purchase.options)
            return f"lists no price for its {unknown}{' in batches' if self.purchase.batch else ''}"
        return ""

    @property
    def _terms(self) -> dict[str, str]:
        """The terms that are not the usual ones, as the rules of the list have them."""
        return dict(self.purchase.options) | ({"processing": "batch"} if self.purchase.batch else {})

    def _paid(self) -> ModelPrice:
        """Return the price by the terms, if the list has a rule for them."""
        return self.model.get_prices(self.at, self._terms) if self._has_rule() else self.standard

    def _has_rule(self) -> bool:
        """Whether the list has a rule in force for all of the terms together: two rules say nothing of both at once."""
        return any(
            variant.when == self._terms and (variant.constraint is None or variant.constraint.active(self.at))
            for variant in self.model.price_variants or ()
        )

    def _price(self, above: int, *notes: str) -> Price:
        """Return the price of requests whose prompts are longer than the start of a tier."""
        cache_1h = self.purchase.cache_1h
        paid, said = _rates(self._paid(), above, cache_1h=cache_1h), [*self.notes, *notes]
        if not self.purchase.batch:
            return self._of(paid, 0.0, said)
        if self._has_rule():
            standard = _rates(self.standard, above, cache_1h=cache_1h)
            shares = {1 - paid[name] / rate for name, rate in standard.items() if rate}
            if len(shares) == 1 and 0 <= min(shares) <= 1:  # one share off every rate: said as such
                return self._of(standard, float(shares.pop()), said)
            return self._of(paid, 0.0, [*said, "its rates in batches"])
        rule = BATCH_RULES.get(self.vendor)
        if rule is None:
            return self._of(paid, 0.0, [*said, "no discount for batches is known"])
        paid.setdefault("cache_read", paid["input"] * Decimal(str(rule.cached_share)))
        return self._of(paid, rule.discount, [*said, f"batch discount from {rule.source}"])

    def _of(self, rates: Mapping[str, Decimal], discount: float, notes: list[str]) -> Price:
        read, written = rates.get("cache_read"), rates.get("cache_write")
        return Price(
            input_per_million=float(rates["input"]),
            output_per_million=float(rates["output"]),
            batch_discount=discount,
            cached_input_per_million=msgspec.UNSET if read is None else float(read),
            cache_write_per_million=msgspec.UNSET if written is None else float(written),
            source=_source(),
            dated=_newest(self.at.date()),
            notes=tuple(notes) if notes else msgspec.UNSET,
        )


def _rates(prices: ModelPrice, above: int, *, cache_1h: bool) -> dict[str, Decimal]:
    """Return the rates for tokens of requests whose prompts are longer than ``above``; none where none is listed."""
    return {
        name: max(known)
        for name, keys in {**_KEYS, **(_HOUR_CACHE if cache_1h else {})}.items()
        if (known := [_rate(rate, above) for key in keys if (rate := getattr(prices, key)) is not None])
    }


def _rate(rate: Decimal | TieredPrices, above: int) -> Decimal:
    if isinstance(rate, Decimal):
        return rate
    return next((tier.price for tier in reversed(rate.tiers) if above >= tier.start), rate.base)


def _tier_starts(prices: ModelPrice) -> Iterator[int]:
    for key in (key for keys in _KEYS.values() for key in keys):
        rate = getattr(prices, key)
        if rate is not None and not isinstance(rate, Decimal):
            yield from (tier.start for tier in rate.tiers)


@lru_cache
def _newest(until: date) -> str:
    """Return the day of the newest price that the list has, among those that are in force by then."""
    from genai_prices.types import ModelPrice, StartDateConstraint

    rules = [
        each.constraint
        for provider in _providers()
        for model in provider.models
        for each in (*(() if isinstance(model.prices, ModelPrice) else model.prices), *(model.price_variants or ()))
    ]
    days = [rule.start_date for rule in rules if isinstance(rule, StartDateConstraint) and rule.start_date <= until]
    return max(days, default=until).isoformat()
