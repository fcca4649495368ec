"""The section ``pricing``: what models cost where the configuration says so."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from promptrial.config.strict import Number, Share, Strict, is_none
from promptrial.documents.highest import HIGHEST_RATE

__all__ = ["PriceConfig", "ProviderPricing"]

Price = Annotated[float, Field(ge=0, le=HIGHEST_RATE), Number]


class PriceConfig(Strict):
    """USD per million tokens, before the batch discount."""

    input_per_million: Price
    output_per_million: Price = Field(description="thinking and reasoning tokens are output")
    cached_input_per_million: Price | None = Field(
        None, exclude_if=is_none, description="prompt tokens read from a cache; by default priced like the others"
    )
    cache_write_per_million: Price | None = Field(
        None, exclude_if=is_none, description="prompt tokens written to a cache; by default priced like the others"
    )


class ProviderPricing(Strict):
    """Prices of one provider; ``models`` is keyed by alias or by the provider's id."""

    batch_discount: Share = Field(
        0.0, description="discount for requests in batches: 0.5 is half price; live requests cost the full price"
    )
    models: dict[str, PriceConfig] = Field({})
