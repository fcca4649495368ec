"""The batch calls of the OpenAI API: create, get, list, cancel. What a batch may ask for is checked here."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.responses import Response

from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.openai import lists
from promptrial_emulator.openai.files import BATCH
from promptrial_emulator.openai.inputs import InputFacts, Problem, problems_of
from promptrial_emulator.openai.messages import json_response, refused
from promptrial_emulator.openai.model import Batch, File, OpenAI, shown_batch
from promptrial_emulator.openai.schedule import (
    CANCELLED,
    CANCELLING,
    FINISHED,
    BatchPlan,
    plan_stages,
    share_at,
    share_of_rows,
)
from promptrial_emulator.openai.specs import batch_spec, window_s
from promptrial_emulator.operation import Call
from promptrial_emulator.stages import Stage

__all__ = ["Batches"]

_PAGE, _LARGEST_PAGE = 20, 100
_AGAIN: Final = "Please try again once some in_progress batches have been completed."


class Batches:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, openai: OpenAI) -> None:
        self._openai = openai
        self._core = openai.core

    def create(self, call: Call) -> Response:
        """Accept a batch; what is wrong with its rows shows later."""
        spec = batch_spec(call)
        file = self._openai.file(spec["input_file_id"], call.now, "input_file_id")
        if file.purpose != BATCH or file.facts is None:
            raise refused(400, f"Invalid purpose of the input file: '{file.purpose}'.", None, "input_file_id")
        if file.processed_at > call.now:
            raise refused(400, f"The input file '{file.id}' is still 'pending'.", None, "input_file_id")
        batch = self._batch(call, spec, file, file.facts)
        self._openai.batches.put(batch)
        self._core.ledger.record(
            call.now, "create_batch", batch.id, input_file_id=file.id, endpoint=spec["endpoint"],
            metadata=spec.get("metadata"), model=batch.model, input_sha256=file.content.sha256, rows=batch.facts.rows,
        )  # fmt: skip
        return json_response(shown_batch(batch, call.now))

    def get(self, call: Call) -> Response:
        """Show a batch."""
        return json_response(shown_batch(self._openai.batch(call.path["id"], call.now), call.now))

    def list(self, call: Call) -> Response:
        """Show a page of batches."""
        seen = [each for each in self._openai.batches.to_look_at() if each.visible_from <= call.now]
        query = {name: value for name, value in call.query.items() if name != "order"}
        show = partial(shown_batch, now=call.now)
        return json_response(lists.page(seen, show, query, call.faults, usual=_PAGE, most=_LARGEST_PAGE))

    def cancel(self, call: Call) -> Response:
        """Begin to cancel a batch; what it has answered by now is kept. One that is cancelled stays as it is."""
        batch = self._openai.batch(call.path["id"], call.now)
        if batch.state in FINISHED - {CANCELLED}:
            raise refused(400, f"Cannot cancel a batch with status '{batch.state}'.")
        if batch.state not in (CANCELLING, CANCELLED):
            batch.share = share_at(batch.schedule, call.now) * batch.share
            passed = [stage for stage in batch.schedule if stage.at <= call.now]
            end = Stage(call.now + self._core.settings.stage_s, CANCELLED)
            batch.schedule = [*passed, Stage(call.now, CANCELLING), end]
            batch.state, batch.times["cancelling_at"] = CANCELLING, call.now
            self._openai.batches.put(batch)
            self._core.ledger.record(call.now, "cancel_batch", batch.id)
        return json_response(shown_batch(batch, call.now))

    def vanish(self, call: Call) -> None:
        """Forget the batch of a call without a word, as retention does."""
        self._openai.batches.remove(call.path["id"])

    def _batch(self, call: Call, spec: dict[str, Any], file: File, facts: InputFacts) -> Batch:
        faults = call.faults.of_a_job()
        problems = _problems(self._openai, call, spec["endpoint"], facts)
        plan = BatchPlan(
            created=call.now,
            stage_s=self._core.settings.stage_s,
            expires_at=call.now + window_s(spec["completion_window"]),
            fit=not problems,
            faults=faults,
        )
        stages = plan_stages(plan)
        return Batch(
            id=self._openai.new_id("batch_", call.number),
            serial=call.number,
            created=call.now,
            visible_from=call.visible_from,
            expires_at=plan.expires_at,
            spec=spec,
            facts=facts,
            input=file.id,
            content=file.content.path,
            schedule=stages,
            faults=faults.all(),
            share=share_of_rows(stages, faults),
            problems=problems or _told(faults),
        )


def _problems(openai: OpenAI, call: Call, endpoint: str, facts: InputFacts) -> list[Problem]:
    """Return what validation will find."""
    settings = openai.core.settings
    if problems := problems_of(facts, endpoint, settings.openai.rows):
        return problems
    model, line = next(iter(facts.models.items()))
    if not model:
        return [Problem("missing_required_parameter", "Missing required parameter: 'model'.", line, "body.model")]
    if settings.models is not None and model not in settings.models:
        text = f"The provided model '{model}' is not supported by the Batch API."
        return [Problem("model_not_found", text, line, "body.model")]
    return _beyond_limit(openai, call, model, facts)


def _beyond_limit(openai: OpenAI, call: Call, model: str, facts: InputFacts) -> list[Problem]:
    """Return that the tokens of this batch are too many beside those of the batches that have not ended."""
    limit = openai.core.settings.openai.enqueued_tokens
    if fault := call.faults.get("F18"):
        limit = fault.options["limit"]
    elif limit is None:
        return []
    used = sum(each.facts.tokens for each in openai.batches.open() if each.model == model)
    if fault is None and used + facts.tokens <= limit:
        return []
    text = f"Enqueued token limit reached for {model} in organization org-emulator. Limit: {limit:,} enqueued tokens."
    return [Problem("token_limit_exceeded", f"{text} {_AGAIN}")]


def _told(faults: Injected) -> list[Problem]:
    """Return what a batch that a fault lets fail says about it."""
    fault = faults.get("F10", "failed")
    return [Problem("server_error", fault.options["message"])] if fault else []
