"""Message batches as they are kept, and as the API shows them. What changes them is elsewhere."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from promptrial_emulator.anthropic.messages import refused
from promptrial_emulator.anthropic.params import MessageParams
from promptrial_emulator.anthropic.schedule import ENDED
from promptrial_emulator.clock import timestamp
from promptrial_emulator.core import Core
from promptrial_emulator.database import Collection
from promptrial_emulator.faults.rules import Fault, Injected
from promptrial_emulator.responders.base import Refusal
from promptrial_emulator.stages import Stage
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Anthropic", "Batch", "Cancellation", "Outcome", "shown_batch"]

_BOTH: Final = {"temperature", "top_p"}
KEPT_S: Final = 29 * 86_400.0
"""How long after its creation the results of a batch are kept."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of the rows, and the file of results."""

    succeeded: int
    errored: int
    canceled: int
    expired: int
    file: StoredFile


class Cancellation(msgspec.Struct, frozen=True):
    """When a batch was cancelled, and which share of its rows was answered by then."""

    at: float
    share: float


class Batch(msgspec.Struct, kw_only=True):
    """A message batch. ``input`` is the file of its requests, one a line; ``version`` that of the call that made it."""

    id: str
    serial: int
    created: float
    visible_from: float
    expires_at: float
    version: str
    rows: int
    input: str
    status: str
    schedule: list[Stage]
    faults: list[Fault]
    cancelled: Cancellation | None = None
    outcome: Outcome | None = None
    ended_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether time still changes it."""
        return self.ended_at is None

    @property
    def injected(self) -> Injected:
        """The faults that it met when it was created."""
        return Injected(self.faults)

    def archived_at(self, now: float) -> float | None:
        """Return when its results were removed, or None if they are still kept."""
        return self.created + KEPT_S if now >= self.created + KEPT_S else None


class Anthropic:
    """The objects of the one workspace."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.batches = Collection(core.database, "anthropic_batch", Batch)

    def batch(self, name: str, now: float) -> Batch:
        """Return a batch.

        Raises
        ------
        ApiError
            404 if there is none, or it cannot be seen yet.
        """
        found = self.batches.find(name)
        if found is None or found.visible_from > now:
            raise refused(404, f"Message batch not found: {name}")
        return found

    def refusal(self, params: MessageParams) -> Refusal | None:
        """Return why a request is not answered by its model, or None if it is."""
        if not self.supports(params.model):
            return Refusal(404, f"model: {params.model}")
        if params.model in self.core.settings.anthropic.one_sampler and params.chat.body.keys() >= _BOTH:
            return Refusal(400, "`temperature` and `top_p` cannot both be specified for this model. Use only one.")
        return None

    def supports(self, model: str) -> bool:
        """Whether there is a model of a name; every name is one unless the settings name them."""
        return self.core.settings.models is None or model in self.core.settings.models

    def queued_rows(self) -> int:
        """Return how many requests of batches wait for their answers."""
        return sum(batch.rows for batch in self.batches.open())


def shown_batch(batch: Batch, now: float, base_url: str) -> dict[str, Any]:
    """Return a batch as JSON; ``base_url`` is that of the emulator, where the results are."""
    cancelled, ended = batch.cancelled, batch.status == ENDED
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": batch.status,
        "request_counts": _counts(batch),
        "created_at": timestamp(batch.created),
        "expires_at": timestamp(batch.expires_at),
        "ended_at": _time(batch.ended_at),
        "cancel_initiated_at": _time(cancelled.at if cancelled else None),
        "archived_at": _time(batch.archived_at(now)),
        "results_url": f"{base_url}/v1/messages/batches/{batch.id}/results" if ended else None,
    }


def _counts(batch: Batch) -> dict[str, int]:
    """Return the counts, which say nothing before the end."""
    outcome = batch.outcome
    if outcome is None:
        return {"processing": batch.rows, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    fault = batch.injected.get("F15", "progress")
    return {
        "processing": 0,
        "succeeded": outcome.succeeded + (int(fault.options["offset"]) if fault else 0),
        "errored": outcome.errored,
        "canceled": outcome.canceled,
        "expired": outcome.expired,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
