"""What one attempt counts against a cap: what its answers were billed, and what it may cost beyond that. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from promptrial.costs.prices import usd
from promptrial.documents.cost_report import Price

__all__ = ["NOTHING", "Billed", "Committed", "committed_usd", "rounded_up"]


class Billed(Protocol):
    """The tokens that answers report; ``unknown`` of the ``rows`` report none."""

    @property
    def rows(self) -> int:
        """How many answers there are."""

    @property
    def prompt(self) -> int:
        """Input tokens, those of the cache included."""

    @property
    def completion(self) -> int:
        """Output tokens."""

    @property
    def cached(self) -> int:
        """Input tokens that were read from a cache."""

    @property
    def cache_write(self) -> int:
        """Input tokens that were written to one."""

    @property
    def unknown(self) -> int:
        """Answers whose tokens are not known."""


class Committed(NamedTuple):
    """USD that are ``spent``, and USD that are ``reserved`` because they may be spent yet."""

    spent: float
    reserved: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.spent + self.reserved


NOTHING = Committed(0.0, 0.0)


def committed_usd(
    reserved_usd: float, billed: Billed | None, price: Price | None, unknown_usd: float | None = None
) -> Committed:
    """Return what an attempt counts that was sent, or may have been.

    Without answers it counts what it can cost at most. With answers it counts what they were billed, and of the
    answers whose tokens are not known what they can cost at most.

    Parameters
    ----------
    reserved_usd : float
        What the attempt can cost at most.
    billed : Billed or None
        None before its answers are here.
    price : Price or None
        None if the tokens cannot be priced: the whole reserve counts then.
    unknown_usd : float, optional
        What the answers can cost at most whose tokens are not known; their share of the reserve if not given.
    """
    if billed is None or price is None:
        return Committed(0.0, reserved_usd)
    spent = usd(
        billed.prompt, billed.completion, price, cached_tokens=billed.cached, cache_write_tokens=billed.cache_write
    )
    share = reserved_usd * billed.unknown / billed.rows if billed.unknown else 0.0
    return Committed(spent, share if unknown_usd is None else min(reserved_usd, unknown_usd))


def rounded_up(amount: float) -> float:
    """Return an amount in USD with four significant digits that is no less.

    Examples
    --------
    >>> rounded_up(0.0123412), rounded_up(2.0)
    (0.01235, 2.0)
    """
    if amount <= 0:
        return 0.0
    digits = 3 - math.floor(math.log10(amount))
    near = round(amount, digits)
    return near if near >= amount else round(near + 10.0**-digits, digits)
