"""What a trial has on record of an arm with a model of its own, or of a judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from promptrial import registry

if TYPE_CHECKING:
    from promptrial.model import ModelSpec

__all__ = ["ArmRecord"]


class ArmRecord(msgspec.Struct, kw_only=True):
    """An arm with a model of its own, or a judge: which model, whether it is hosted, and the engine that was asked."""

    model_id: str
    model_alias: str
    provider: str
    hosted: bool
    engine: dict[str, Any] = {}
    adapter: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, model: ModelSpec) -> ArmRecord:
        """Return the record of what a model answers, before it is asked."""
        return cls(
            model_id=model.shown_id,
            model_alias=model.alias,
            provider=model.provider,
            hosted=registry.load("provider", model.adapter).jobs,
            adapter=msgspec.UNSET if model.adapter == model.provider else model.adapter,
        )
