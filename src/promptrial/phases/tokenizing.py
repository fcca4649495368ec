"""How many tokens requests have by the model's own tokenizer, where that is in this process. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from promptrial import registry
from promptrial.costs.characters import size_of
from promptrial.costs.tokens import Measured
from promptrial.design.prompts import messages_of
from promptrial.errors import PromptrialError
from promptrial.model import Arm, Item
from promptrial.phases.services import Services
from promptrial.providers.capabilities import CountsRequests

__all__ = ["tokenized_requests"]

_MOST: Final = 40
"""How many requests of an arm are counted, evenly spaced: as many as a pilot that brings an estimate within 5%."""


def tokenized_requests(services: Services, arm: Arm, items: Sequence[Item]) -> Measured | None:
    """Return what the model's tokenizer makes of some requests to an arm; None if it is not here, or cannot be loaded.

    Why a model cannot be loaded is said where it is checked, and when it is asked.
    """
    if not isinstance(registry.load("provider", arm.model.adapter), CountsRequests):
        return None
    found = Measured()
    try:
        provider = services.provider(arm.model.provider)
        for item in items[:: -(-len(items) // _MOST)]:
            messages = messages_of(item, arm)
            tokens = provider.count_request(arm.model, messages) if isinstance(provider, CountsRequests) else None
            if tokens is None:
                return None
            found += Measured.of(size_of(message.content for message in messages), tokens, 0)
    except PromptrialError:
        return None
    return found
