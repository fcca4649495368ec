"""What time does to batches: the next state, rows that are answered, files that appear."""

from __future__ import annotations

from functools import partial
from typing import Final

from promptrial_emulator.answering import report_failure
from promptrial_emulator.openai.inputs import Problem
from promptrial_emulator.openai.model import Batch, File, OpenAI
from promptrial_emulator.openai.outputs import Order, Outcome, answer_rows
from promptrial_emulator.openai.schedule import CANCELLING, FINISHED, VALIDATING
from promptrial_emulator.stages import Stage, current
from promptrial_emulator.stored_file import StoredFile

__all__ = ["settle_batch"]

_FAILED: Final = "failed"


def settle_batch(openai: OpenAI, batch: Batch, now: float) -> None:
    """Let a batch become what it is at a time, and keep it so."""
    before = batch.state
    if before == VALIDATING and openai.files.find(batch.input) is None:
        _fail_validation(batch)
    stage = current(batch.schedule, now)
    _move(openai, batch, stage)
    if batch.state != before:
        openai.batches.put(batch)


def _fail_validation(batch: Batch) -> None:
    """Let validation find that the input file was deleted meanwhile."""
    end = next((stage.at for stage in batch.schedule if stage.state != VALIDATING), batch.expires_at)
    batch.schedule = [batch.schedule[0], Stage(end, _FAILED)]
    text = f"The input file '{batch.input}' does not exist."
    batch.problems = [Problem("file_not_found", text, None, "input_file_id")]


def _move(openai: OpenAI, batch: Batch, stage: Stage) -> None:
    last = batch.schedule[-1].state
    wanted = last in FINISHED and last != _FAILED
    key = (batch.serial, batch.share)
    if wanted and stage.state != VALIDATING:
        openai.core.answering.begin(key, partial(answer_rows, _order(openai, batch)))
    if stage.state not in FINISHED:
        _enter(batch, stage)
        return
    try:
        outcome = openai.core.answering.result(key) if wanted else None
    except Exception as error:  # noqa: BLE001 - one batch that cannot be answered must not fail the calls of all others
        report_failure(f"batch {batch.id}", error)
        batch.problems = [Problem("server_error", str(error))]
        _enter(batch, Stage(stage.at, _FAILED))
        return
    if wanted and outcome is None:  # the rows take longer than the virtual clock thinks
        _enter(batch, next(each for each in reversed(batch.schedule) if each.state not in FINISHED))
        return
    if outcome is not None:
        _hand_over(openai, batch, outcome, stage.at)
    _enter(batch, stage)


def _enter(batch: Batch, stage: Stage) -> None:
    """Let a batch be in a state, having passed those before it."""
    batch.state = stage.state
    for each in batch.schedule:
        if each.at <= stage.at and each.state not in (VALIDATING, *FINISHED):
            batch.times.setdefault(f"{each.state}_at", each.at)
    if stage.state != VALIDATING:
        batch.times.setdefault(f"{stage.state}_at", stage.at)


def _hand_over(openai: OpenAI, batch: Batch, outcome: Outcome, at: float) -> None:
    """Make the output files; of files, not of bytes, as these already exist."""
    batch.outcome = outcome
    batch.output_file = _kept(openai, batch, outcome.output, "output", at)
    batch.error_file = _kept(openai, batch, outcome.errors, "error", at)


def _kept(openai: OpenAI, batch: Batch, content: StoredFile | None, kind: str, at: float) -> str | None:
    if content is None:
        return None
    wanted = batch.spec.get("output_expires_after")
    file = File(
        id=openai.new_id("file-", f"{batch.serial}|{kind}"),
        serial=batch.serial,
        created=at,
        visible_from=at,
        purpose="batch_output",
        content=content,
        expires_at=at + wanted["seconds"] if wanted else None,
    )
    openai.files.put(file)
    return file.id


def _order(openai: OpenAI, batch: Batch) -> Order:
    return Order(
        batch=batch.id,
        endpoint=_endpoint(batch.spec["endpoint"]),
        model=batch.model,
        input=openai.core.path(batch.content),
        share=batch.share,
        ending=batch.schedule[-1].state,
        settings=openai.core.settings,
        faults=batch.injected,
        folder=openai.core.files,
        prefix=f"batch-{batch.serial}-{'cancelled' if batch.schedule[-2].state == CANCELLING else 'whole'}",
    )


def _endpoint(name: str) -> str:
    """Return an endpoint by its usual name; another host leaves the version out."""
    return name if name.startswith("/v1/") else f"/v1{name}"
