"""Bounds of the amounts and counts in records: what lies outside is damage, and not worth a sum.

Records may come from elsewhere, and one of them must stop neither the arithmetic of a run nor that of the runs beside
it. An amount within the bounds, rounded to a billionth, has at most 28 digits, which is the precision of decimals.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from promptrial.documents.highest import HIGHEST_RATE, HIGHEST_USD

__all__ = ["Count", "Rate", "Share", "UsdAmount"]

UsdAmount = Annotated[float, msgspec.Meta(ge=0, le=HIGHEST_USD)]
Rate = Annotated[float, msgspec.Meta(ge=0, le=HIGHEST_RATE)]
"""USD per million tokens."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Rows, requests, bytes or tokens: as many as a JSON number holds exactly."""
