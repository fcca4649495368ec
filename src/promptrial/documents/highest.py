"""The highest amounts that are believed, as plain numbers: what only prints help needs no library to know them."""

from __future__ import annotations

from typing import Final

__all__ = ["HIGHEST_RATE", "HIGHEST_USD"]

HIGHEST_USD: Final = 1e18
"""The highest amount, in USD."""
HIGHEST_RATE: Final = 1e6
"""The highest price, in USD per million tokens: one USD a token. That of 2**53 tokens is below the highest amount."""
