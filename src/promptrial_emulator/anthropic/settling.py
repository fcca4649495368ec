"""What time does to message batches: the next status, rows that are answered, results that are removed."""

from __future__ import annotations

from functools import partial
from typing import Final

from promptrial_emulator.answering import report_failure
from promptrial_emulator.anthropic.model import Anthropic, Batch, Outcome
from promptrial_emulator.anthropic.outputs import Order, answer_nothing, answer_rows
from promptrial_emulator.anthropic.schedule import ENDED, unfinished
from promptrial_emulator.stages import current

__all__ = ["settle_batch"]

_ENDED_EARLY: Final = "the request was not answered"


def settle_batch(anthropic: Anthropic, batch: Batch, now: float) -> None:
    """Let a batch become what it is at a time, and keep it so."""
    stage = current(batch.schedule, now)
    if stage.state != ENDED:
        if batch.status != stage.state:
            batch.status = stage.state
            anthropic.batches.put(batch)
        return
    outcome = _outcome(anthropic, batch)
    if outcome is not None:
        batch.outcome, batch.status, batch.ended_at = outcome, ENDED, stage.at
        anthropic.batches.put(batch)


def _outcome(anthropic: Anthropic, batch: Batch) -> Outcome | None:
    """Return what became of the rows, or None while they are being answered."""
    order = _order(anthropic, batch)
    anthropic.core.answering.begin(batch.serial, partial(answer_rows, order))
    try:
        found: Outcome | None = anthropic.core.answering.result(batch.serial)
    except Exception as error:  # noqa: BLE001 - one batch that cannot be answered must not fail the calls of all others
        report_failure(f"batch {batch.id}", error)
        return answer_nothing(order, str(error))
    return found


def _order(anthropic: Anthropic, batch: Batch) -> Order:
    settings, faults = anthropic.core.settings, batch.injected
    share, rest = unfinished(batch.schedule, batch.expires_at, faults)
    if batch.cancelled is not None:
        share, rest = batch.cancelled.share, "canceled"
    fault = faults.get("F10")
    return Order(
        input=anthropic.core.path(batch.input),
        version=batch.version,
        share=share,
        rest=rest,
        message=fault.options["message"] if fault else _ENDED_EARLY,
        seed=settings.seed,
        refuses=anthropic.refusal,
        faults=faults,
        path=anthropic.core.path(f"batch-{batch.serial}-results"),
    )
