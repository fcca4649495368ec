"""Figures as people read them in a narrow column: amounts, tokens and times, rounded to what is known of them."""

from __future__ import annotations

import math

from promptrial.costs.bands import Band
from promptrial.runtime.progress import duration

__all__ = ["amount", "amounts", "count", "durations", "tokens"]


def count(number: int) -> str:
    """Return a number of requests: ``10,000``."""
    return f"{number:,}"


def tokens(number: float) -> str:
    """Return a number of tokens to three digits: ``945``, ``31.2k``, ``3.1M``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size * 0.9995:
            return f"{float(f'{number / size:.3g}'):,.10g}{unit}"
    return f"{round(number)}"


def amount(usd: float) -> str:
    """Return USD: two decimals from 1 on, two digits below, so that a small amount is never 0: ``0.0033``."""
    if usd == 0:
        return "0"
    rounded = float(f"{usd:.2g}")
    if rounded >= 1:
        return f"{usd:,.2f}"
    return f"{rounded:.{1 - math.floor(math.log10(rounded))}f}"


def amounts(usd: Band) -> str:
    """Return the limits of an amount: ``0.0052-0.015``; one figure where they are the same."""
    low, high = amount(usd.low), amount(usd.high)
    return low if low == high else f"{low}-{high}"


def durations(seconds: Band) -> str:
    """Return the limits of a time: ``7-60 min``, ``2 min-1.5 h``; one where they are the same."""
    low, high = duration(seconds.low), duration(seconds.high)
    if low == high:
        return low
    (first, unit), (_, last) = low.split(" "), high.split(" ")
    return f"{first}-{high}" if unit == last else f"{low}-{high}"
