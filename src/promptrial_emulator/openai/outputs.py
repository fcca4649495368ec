"""Answering a batch's rows and writing its two files: answers, and errors with what was left undone.

Runs beside the calls, on a snapshot of the batch; the same snapshot always gives the same bytes, so an emulator that is
killed at it just does it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from promptrial.store.atomic import AtomicFile
from promptrial_emulator.faults.answers import ODD_ANSWERS, odd_answer
from promptrial_emulator.faults.rows import spread
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.openai.answers import answer_body, as_served
from promptrial_emulator.openai.inputs import input_rows
from promptrial_emulator.openai.requests import chat_row
from promptrial_emulator.openai.rows import answer_row, fault_row, refusal_row, unfinished_row
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, Responder, in_step
from promptrial_emulator.row_results import ResultFile, RowCounts, row_fault
from promptrial_emulator.settings import EmulatorSettings
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Order", "Outcome", "answer_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be answered: the file, which share of its rows, for which endpoint, and with which faults.

    ``ending`` is the state in which the batch ends; ``folder`` and ``prefix`` say where the files go.
    """

    batch: str
    endpoint: str
    model: str
    input: Path
    share: float
    ending: str
    settings: EmulatorSettings
    faults: Injected
    folder: Path
    prefix: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of the rows, the tokens that they took, and the files; a file without rows is None."""

    succeeded: int
    failed: int
    usage: dict[str, Any]
    output: StoredFile | None
    errors: StoredFile | None


def answer_rows(order: Order, responder: Responder, check: Callable[[], None]) -> Outcome:
    """Answer the rows and write the files.

    ``check`` is called between rows and raises when the emulator stops.
    """
    counts = RowCounts()
    output, errors = (order.folder / f"{order.prefix}-{name}" for name in ("output", "errors"))
    with AtomicFile(output) as results, AtomicFile(errors) as failures:
        answers = ResultFile(results, order.faults)
        for position, (row, reply) in enumerate(_replies(order, responder)):
            check()
            line, failed = _line(order, position, row, reply)
            counts.count(reply, row_fault(order.faults, position), failed=failed)
            if failed and not _belongs_to_output(order):
                failures.write(line + b"\n")
            else:
                answers.add(line)
        answers.finish()
        for name in _left_undone(order):
            failures.write(unfinished_row(order.batch, name, order.ending) + b"\n")
        shown = bool(order.faults.get("F15", "empty_files"))
        files = [
            StoredFile(f"{order.batch}_{kind}.jsonl", path.name, file.size, file.sha256())
            if file.size or shown else None
            for kind, path, file in (("output", output, results), ("error", errors, failures))
        ]  # fmt: skip
    return Outcome(counts.succeeded, counts.failed, _usage(counts), *files)


def _usage(counts: RowCounts) -> dict[str, Any]:
    return {
        "input_tokens": counts.input,
        "input_tokens_details": {"cached_tokens": counts.cached},
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.input + counts.output,
    }


_Asked = tuple[str, Mapping[str, Any]]


def _replies(order: Order, responder: Responder) -> Iterator[tuple[ChatRow, Answer | Refusal]]:
    """Yield each row that the batch gets to with its reply, in order."""
    rows = (row for position, row in enumerate(input_rows(order.input)) if spread(position, order.share))
    asking = in_step(
        rows,
        lambda row: chat_row(order.endpoint, *row, order.settings, strict=True),
        lambda asked: responder.replies(order.model, asked),
    )
    for (name, body), reply in asking:
        row = ChatRow(name, [], body)
        yield row, as_served(reply, row, order.settings.openai) if isinstance(reply, Answer) else reply


def _left_undone(order: Order) -> Iterator[str]:
    """Yield the ids of the rows that the batch does not get to."""
    if order.share < 1:
        for position, (name, _) in enumerate(input_rows(order.input)):
            if not spread(position, order.share):
                yield name


def _line(order: Order, position: int, row: ChatRow, reply: Answer | Refusal) -> tuple[bytes, bool]:
    """Return the row of a reply, and whether it belongs to the errors."""
    if isinstance(reply, Refusal):
        return refusal_row(order.batch, row.custom_id, reply), True
    fault = row_fault(order.faults, position)
    if fault is not None and fault.variant not in ODD_ANSWERS:
        return fault_row(order.batch, row.custom_id, fault), True
    answer = reply if fault is None else odd_answer(reply, fault)
    body = answer_body(order.endpoint, row, answer, order.settings.seed)
    return answer_row(order.batch, row.custom_id, body), False


def _belongs_to_output(order: Order) -> bool:
    """Whether errors are in the file of answers, as in one of a vLLM server."""
    return order.faults.get("F11", "no_body") is not None
