"""What ``prices.json`` holds: the prices that a run began with, of models that its configuration does not price.

They are kept with the run, so that a later version of the price list changes nothing of what the run costs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.amounts import Count
from promptrial.documents.cost_report import Price

__all__ = ["KeptPrice", "KeptPrices", "PriceTier", "decode", "encode", "json_schema"]

SCHEMA_VERSION: Final = 1
_LONGEST: Final = 300
"""Characters of a text."""


class PriceTier(msgspec.Struct, frozen=True, kw_only=True):
    """The price of requests whose prompts have more than so many tokens."""

    above_tokens: Count
    price: Price


class KeptPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs.

    ``provider`` is the instance that serves it and ``id`` the model there, ``vendor`` who is paid; empty where nobody
    knows. ``terms`` are the terms other than the usual ones: ``batch``, ``cache_1h``, or a key of requests with its
    value. ``looked_up`` is the day for which it was looked up, in UTC. ``price`` is null for a model
    without a price, and ``why`` says why it has none. ``tiers`` are there only if longer prompts cost another price.
    """

    provider: str
    id: str
    vendor: str
    terms: tuple[str, ...]
    looked_up: str
    price: Price | None
    why: str | msgspec.UnsetType = msgspec.UNSET
    tiers: tuple[PriceTier, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What is bought: instance, model and terms."""
        return self.provider, self.id, self.terms

    @property
    def tier_starts(self) -> tuple[int, ...]:
        """The lengths of prompts, in tokens, above which another price holds; ascending."""
        return () if self.tiers is msgspec.UNSET else tuple(tier.above_tokens for tier in self.tiers)

    def of(self, longest_prompt: int | None = None) -> Price | None:
        """Return the price of requests of which no prompt has more tokens: the highest that one of them can have.

        Where that bound is not known, it is the highest of all. None for a model without a price.
        """
        if self.price is None or self.tiers is msgspec.UNSET:
            return self.price
        reached = [tier.price for tier in self.tiers if longest_prompt is None or longest_prompt > tier.above_tokens]
        return max([self.price, *reached], key=_dearness)


def _dearness(price: Price) -> float:
    return (price.input_per_million + price.output_per_million) * (1 - price.batch_discount)


class KeptPrices(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document. ``sha256`` is the digest of ``models`` as compact JSON, so that damage is noticed."""

    schema_version: Literal[1]
    sha256: str
    models: tuple[KeptPrice, ...]


def encode(models: Sequence[KeptPrice]) -> bytes:
    """Return the document of such prices as indented JSON that ends in a newline.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If ``decode`` would refuse it: what cannot be read is never written.
    """
    kept = tuple(models)
    data = schemas.encode(KeptPrices(schema_version=SCHEMA_VERSION, sha256=_digest(kept), models=kept))
    decode(data)
    return data


def decode(data: bytes, where: str = "prices.json") -> tuple[KeptPrice, ...]:
    """Read the prices of a document back; ``where`` is how messages name it.

    Raises
    ------
    msgspec.ValidationError, ValueError
        If it is not a document of this version, or damaged.
    NewerVersionError
        If a newer version of the program made it.
    """
    schemas.check_version(data, SCHEMA_VERSION, where)
    document = msgspec.json.decode(data, type=KeptPrices)
    if document.sha256 != _digest(document.models):
        raise ValueError("its prices are not those whose digest it holds")
    for each in document.models:
        _check(each)
    return document.models


def _check(kept: KeptPrice) -> None:
    """Refuse texts that no list of prices has: a file may come from elsewhere."""
    tiers = () if kept.tiers is msgspec.UNSET else kept.tiers
    prices = [price for price in (kept.price, *(tier.price for tier in tiers)) if price is not None]
    texts = [kept.why, *(text for price in prices for text in (price.source, price.dated))]
    texts += [note for price in prices for note in (() if price.notes is msgspec.UNSET else price.notes)]
    if not all(isinstance(text, msgspec.UnsetType) or (text.isprintable() and len(text) <= _LONGEST) for text in texts):
        raise ValueError("a text in it is too long, or cannot be printed")


def _digest(models: tuple[KeptPrice, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode(models, order="deterministic")).hexdigest()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(KeptPrices, f"promptrial prices.json, schema_version {SCHEMA_VERSION}")
