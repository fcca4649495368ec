"""Reserves: what requests can cost at most."""

import msgspec
import pytest

from promptrial.costs.reserve import OVERHEAD_TOKENS, reserve_usd
from promptrial.documents.cost_report import Price

PRICE = Price(input_per_million=2.0, output_per_million=10.0, batch_discount=0.5)


def test_a_reserve_counts_every_byte_and_the_longest_answers() -> None:
    expected = ((1000 + 3 * OVERHEAD_TOKENS) * 2.0 + 3 * 64 * 10.0) / 1e6 / 2
    assert reserve_usd(3, 1000, 64, PRICE) == pytest.approx(expected)


@pytest.mark.parametrize(("read", "written", "dearest"), [(0.2, 2.5, 2.5), (3.0, 2.5, 3.0), (0.2, 0.4, 2.0)])
def test_a_reserve_uses_the_highest_rate_that_input_can_have(read: float, written: float, dearest: float) -> None:
    price = msgspec.structs.replace(PRICE, cached_input_per_million=read, cache_write_per_million=written)
    plain = msgspec.structs.replace(PRICE, input_per_million=dearest)
    assert reserve_usd(3, 1000, 64, price) == reserve_usd(3, 1000, 64, plain)
