"""What requests can cost at most, so that it can be held back until it is known what they did cost. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from promptrial.costs.prices import usd
from promptrial.documents.cost_report import Price

__all__ = ["OVERHEAD_TOKENS", "reserve_usd"]

OVERHEAD_TOKENS: Final = 64
"""Input tokens of a request beyond its text: what a chat template adds to each message."""


def reserve_usd(rows: int, size: int, output_tokens: int, price: Price) -> float:
    """Return the most that requests can cost, in USD.

    No tokenizer in use makes more tokens of a text than it has UTF-8 bytes. Each counts at the highest rate that a
    token of input has; the answers are as long as they may be.

    Parameters
    ----------
    rows : int
        How many requests.
    size : int
        Their bytes, as they are written.
    output_tokens : int
        The most tokens of one answer, reasoning included.
    price : Price
        With the discount that these requests have.
    """
    rates = (price.input_per_million, price.cached_input_per_million, price.cache_write_per_million)
    dearest = max(rate for rate in rates if not isinstance(rate, msgspec.UnsetType))
    plain = msgspec.structs.replace(
        price,
        input_per_million=dearest,
        cached_input_per_million=msgspec.UNSET,
        cache_write_per_million=msgspec.UNSET,
    )
    return usd(size + rows * OVERHEAD_TOKENS, rows * output_tokens, plain)
