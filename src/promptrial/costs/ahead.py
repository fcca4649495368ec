"""What requests will cost, about, given how many tokens they will be. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from promptrial.costs.bands import Band
from promptrial.costs.prices import usd
from promptrial.documents.cost_report import Price

__all__ = ["NO_CACHE", "CacheBand", "CacheShare", "usd_ahead"]


class CacheShare(NamedTuple):
    """Which part of the tokens of input is read from a cache, and which is written to one; the rest is neither."""

    read: float = 0.0
    written: float = 0.0


CacheBand = tuple[CacheShare, CacheShare, CacheShare]
"""At the low end of what requests cost, as expected, and at the high end."""
NO_CACHE: Final[CacheBand] = (CacheShare(), CacheShare(), CacheShare())
"""Nothing is read from a cache, and nothing written to one."""


def usd_ahead(price: Price, tokens_in: Band, tokens_out: Band, cache: CacheBand) -> Band:
    """Return what requests will cost, in USD.

    Parameters
    ----------
    price : Price
    tokens_in, tokens_out : Band
        Reasoning is output.
    cache : CacheBand
    """
    ends = zip(_ends(tokens_in), _ends(tokens_out), cache, strict=True)
    return Band(*sorted(_usd(price, *end) for end in ends))


def _ends(band: Band) -> tuple[float, float, float]:
    return band.low, band.expected, band.high


def _usd(price: Price, tokens_in: float, tokens_out: float, cache: CacheShare) -> float:
    return usd(
        round(tokens_in),
        round(tokens_out),
        price,
        cached_tokens=round(tokens_in * cache.read),
        cache_write_tokens=round(tokens_in * cache.written),
    )
