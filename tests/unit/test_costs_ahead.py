"""What requests will cost, end by end of their band: what is read from a cache, written to one, and neither."""

from __future__ import annotations

import pytest

from promptrial.costs.ahead import NO_CACHE, CacheShare, usd_ahead
from promptrial.costs.bands import Band
from promptrial.documents.cost_report import Price

PRICE = Price(
    input_per_million=1.0, output_per_million=10.0, batch_discount=0.5, cached_input_per_million=0.1,
    cache_write_per_million=1.25,
)  # fmt: skip
IN, OUT = Band(1e6, 2e6, 4e6), Band(0.0, 1e6, 2e6)


def test_without_a_cache_each_end_of_the_band_has_the_rates_of_input_and_output_less_the_discount() -> None:
    found = usd_ahead(PRICE, IN, OUT, NO_CACHE)
    assert (found.low, found.expected, found.high) == pytest.approx((0.5, 6.0, 12.0))


def test_what_is_read_from_a_cache_or_written_to_one_has_its_own_rate_and_the_rest_that_of_input() -> None:
    none = Band(0.0, 0.0, 0.0)
    cache = (CacheShare(read=1.0), CacheShare(read=0.25, written=0.5), CacheShare(written=1.0))
    found = usd_ahead(PRICE, IN, none, cache)
    assert (found.low, found.expected, found.high) == pytest.approx(
        (0.5 * 0.1, 0.5 * 2 * (0.25 * 0.1 + 0.5 * 1.25 + 0.25 * 1.0), 0.5 * 4 * 1.25)
    )


def test_the_dearer_end_is_the_high_one_whichever_share_of_a_cache_it_has() -> None:
    found = usd_ahead(PRICE, Band(3e6, 3e6, 3e6), OUT, (CacheShare(), CacheShare(), CacheShare(read=1.0)))
    assert found.low <= found.expected <= found.high


def test_nothing_is_read_from_a_cache_and_nothing_written_unless_it_is_said() -> None:
    assert [(each.read, each.written) for each in NO_CACHE] == [(0.0, 0.0)] * 3
    assert (CacheShare(read=0.5).written, CacheShare(written=0.5).read) == (0.0, 0.0)
