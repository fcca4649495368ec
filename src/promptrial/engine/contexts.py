"""How many tokens a model takes in a request and its answer together, as far as that is known without a call."""

from __future__ import annotations

from collections.abc import Mapping

from promptrial import registry
from promptrial.config.schema import ExperimentConfig
from promptrial.costs.catalogue import list_context
from promptrial.engine.kept_prices import vendor_of
from promptrial.model import ModelSpec
from promptrial.providers.capabilities import BoundsContext

__all__ = ["known_context"]


def known_context(config: ExperimentConfig, env: Mapping[str, str], model: ModelSpec) -> int | None:
    """Return the context of the engine of this process, or of a vendor's model as the price list has it; else None.

    Servers of one's own are not asked, and what they were started with is not recorded anywhere.
    """
    kind = registry.load("provider", model.adapter)
    if isinstance(kind, BoundsContext):
        return kind.largest_context()
    return list_context(model.id, vendor_of(config.providers, model, env))
