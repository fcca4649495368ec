"""The message batch calls of the Anthropic API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from promptrial.documents.files import open_regular, read_bytes
from promptrial_emulator.anthropic import lists
from promptrial_emulator.anthropic.messages import REQUEST_ID, json_response, refused, request_id
from promptrial_emulator.anthropic.model import Anthropic, Batch, Cancellation, shown_batch
from promptrial_emulator.anthropic.requests import split
from promptrial_emulator.anthropic.schedule import CANCELING, ENDED, IN_PROGRESS, BatchPlan, plan_stages
from promptrial_emulator.faults.transfers import spoilt
from promptrial_emulator.operation import Call
from promptrial_emulator.stages import Stage

__all__ = ["Batches"]

_DAY_S: Final = 86_400.0
_POLL_S: Final = "10"
_CHUNK: Final = 1 << 20


class Batches:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, anthropic: Anthropic) -> None:
        self._anthropic = anthropic
        self._core = anthropic.core

    def create(self, call: Call) -> Response:
        """Accept a batch."""
        settings, version = self._core.settings.anthropic, call.headers["anthropic-version"]
        if call.body.path is None:
            raise refused(400, "requests: Field required")
        name = f"batch-{call.number}-requests"
        rows, first = split(
            call.body.path,
            self._core.path(name),
            version,
            most=settings.rows_cap,
            refuse_samplers=settings.samplers == "batch",
        )
        self._check_queue(call, rows)
        batch = self._batch(call, version, rows, name)
        self._anthropic.batches.put(batch)
        call.body.discard()
        self._core.ledger.record(
            call.now, "create_batch", batch.id, rows=rows, first_id=first, version=version, sha256=call.body.sha256
        )
        return self._shown(call, batch)

    def get(self, call: Call) -> Response:
        """Show a batch; while it is in progress the answer says when to ask again."""
        batch = self._anthropic.batch(call.path["id"], call.now)
        reply = self._shown(call, batch)
        if batch.status != ENDED:
            reply.headers["retry-after"] = _POLL_S
        return reply

    def list(self, call: Call) -> Response:
        """Show a page of batches, newest first."""
        seen = [each for each in self._anthropic.batches.to_look_at() if each.visible_from <= call.now]
        shown = [shown_batch(each, call.now, call.base_url) for each in reversed(seen)]
        return json_response(lists.page(shown, call.query, call.faults))

    def cancel(self, call: Call) -> Response:
        """Begin to cancel a batch; what was answered by now is kept. One that was cancelled is shown as it is."""
        batch = self._anthropic.batch(call.path["id"], call.now)
        if batch.cancelled is None:
            if batch.status == ENDED:
                raise refused(400, f"Batch {batch.id} cannot be canceled because it has already ended.")
            self._cancel(batch, call.now)
            self._core.ledger.record(call.now, "cancel_batch", batch.id)
        return self._shown(call, batch)

    def delete(self, call: Call) -> Response:
        """Forget a batch that has ended, and its results."""
        batch = self._anthropic.batch(call.path["id"], call.now)
        if batch.status != ENDED:
            raise refused(400, f"Batch {batch.id} cannot be deleted while it is still processing.")
        self._anthropic.batches.remove(batch.id)
        self._core.ledger.record(call.now, "delete_batch", batch.id)
        return json_response({"id": batch.id, "type": "message_batch_deleted"})

    def results(self, call: Call) -> ASGIApp:
        """Send the results, in chunks and without their length."""
        batch = self._anthropic.batch(call.path["id"], call.now)
        fault = batch.injected.get("F7", "results")
        hidden = fault is not None and call.now < (batch.ended_at or 0.0) + fault.options["delay_s"]
        if batch.outcome is None or batch.archived_at(call.now) is not None or hidden:
            raise refused(404, f"No results for message batch {batch.id}")
        path = self._core.path(batch.outcome.file.path)
        if fault := call.faults.get("F13"):
            return spoilt(fault, read_bytes(path), call.url)
        headers = {REQUEST_ID: request_id(), "content-disposition": f'attachment; filename="{batch.id}_results.jsonl"'}
        return StreamingResponse(_chunks(path), headers=headers, media_type="application/x-jsonl")

    def vanish(self, call: Call) -> None:
        """Forget the batch of a call without a word."""
        self._anthropic.batches.remove(call.path["id"])

    def _shown(self, call: Call, batch: Batch) -> Response:
        return json_response(shown_batch(batch, call.now, call.base_url))

    def _check_queue(self, call: Call, rows: int) -> None:
        limit, queued = self._core.settings.anthropic.queued_rows, self._anthropic.queued_rows()
        if call.faults.get("F18") or (limit is not None and queued + rows > limit):
            reply = refused(429, "Number of batch requests in the processing queue exceeds the limit of your plan")
            reply.response.headers["retry-after"] = _POLL_S
            raise reply

    def _batch(self, call: Call, version: str, rows: int, file: str) -> Batch:
        faults = call.faults.of_a_job("F7")
        plan = BatchPlan(call.now, self._core.settings.stage_s, call.now + _DAY_S, faults)
        return Batch(
            id=f"msgbatch_{self._core.digest(call.number, 'batch')[:24]}",
            serial=call.number,
            created=call.now,
            visible_from=call.visible_from,
            expires_at=plan.expires_at,
            version=version,
            rows=rows,
            input=file,
            status=IN_PROGRESS,
            schedule=plan_stages(plan),
            faults=faults.all(),
        )

    def _cancel(self, batch: Batch, now: float) -> None:
        length = batch.schedule[-1].at - batch.created
        share = (now - batch.created) / length if length else 1.0
        batch.cancelled = Cancellation(now, share)
        batch.status = CANCELING
        end = min(now + self._core.settings.stage_s, batch.expires_at)
        batch.schedule = [Stage(batch.created, IN_PROGRESS), Stage(now, CANCELING), Stage(end, ENDED)]
        self._anthropic.batches.put(batch)


def _chunks(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
