"""The prices of a run, put together: those of its configuration (``prices``), then those kept when it began. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptrial.costs.extras import extra_bytes
from promptrial.costs.prices import price_for
from promptrial.costs.purchases import Purchase
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice
from promptrial.model import ModelSpec

if TYPE_CHECKING:
    from promptrial.config.pricing import ProviderPricing

__all__ = ["PriceBook"]


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What the tokens of each model cost in one run.

    Parameters
    ----------
    own : mapping
        The section `pricing` of the configuration, which wins, for the whole of a model.
    kept : tuple of KeptPrice
        The prices of other models that are kept with the run, and those that have none.
    longest_prompt : int, optional
        No prompt of the run has more tokens, those of a model's extra keys aside. Where a price depends on that and it
        is not known, the highest counts.
    """

    own: Mapping[str, ProviderPricing] = field(default_factory=dict)
    kept: tuple[KeptPrice, ...] = ()
    longest_prompt: int | None = None

    def of(self, model: ModelSpec) -> Price | None:
        """Return the price of a model; None if it has none, which is not the same as free."""
        kept = self.listed(model)
        if kept is None:
            return price_for(self.own, model)
        return kept.of(None if self.longest_prompt is None else self.longest_prompt + extra_bytes(model))

    @property
    def depends_on_length(self) -> bool:
        """Whether a price depends on how long prompts are."""
        return any(each.tier_starts for each in self.kept)

    def listed(self, model: ModelSpec) -> KeptPrice | None:
        """Return what is kept of a model; None if nothing is, or the configuration prices it."""
        if price_for(self.own, model) is not None:
            return None
        key = Purchase.of(model).key
        return next((each for each in self.kept if each.key == key), None)
