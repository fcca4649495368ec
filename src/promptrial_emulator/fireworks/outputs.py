"""Answering a job's rows and writing its two files: results, and ``error-data`` for rows that failed.

Runs beside the calls, on a snapshot of the job; the same snapshot always gives the same bytes, so an emulator that is
killed at it just does it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile
from promptrial_emulator.faults.rows import spread
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.fireworks.inputs import input_rows
from promptrial_emulator.fireworks.rows import row_of
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, Responder, in_step
from promptrial_emulator.row_results import ResultFile, RowCounts, row_fault
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Order", "Outcome", "answer_rows"]

RESULTS: Final = "BIJOutputSet.jsonl"
ERRORS: Final = "error-data"
_PARAMETERS: Final = {
    "maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "topK": "top_k", "n": "n",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be answered: which files, which share of their rows, how, and with which faults.

    ``earlier`` are result files whose rows need not be made again; ``folder`` and ``prefix`` say where the files go.
    """

    model: str
    system_prompt: str
    parameters: Mapping[str, Any]
    inputs: list[Path]
    earlier: list[Path]
    share: float
    seed: int
    faults: Injected
    folder: Path
    prefix: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of the rows, the tokens that they took, and the files."""

    succeeded: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    files: list[StoredFile]


def answer_rows(order: Order, responder: Responder, check: Callable[[], None]) -> Outcome:
    """Answer the rows and write the files.

    ``check`` is called between rows and raises when the emulator stops.
    """
    counts = RowCounts()
    results_path = order.folder / f"{order.prefix}-results"
    errors_path = order.folder / f"{order.prefix}-errors"
    with AtomicFile(results_path) as results, AtomicFile(errors_path) as errors:
        answers = ResultFile(results, order.faults)
        for position, (name, reply) in enumerate(_replies(order, responder)):
            check()
            line, failed = _line(order, position, name, reply)
            counts.count(reply, row_fault(order.faults, position), failed=failed)
            if failed:
                errors.write(line + b"\n")
            else:
                answers.add(line)
        answers.finish()
        files = [
            StoredFile(name, path.name, file.size, file.sha256())
            for name, path, file in ((RESULTS, results_path, results), (ERRORS, errors_path, errors))
        ]
    return Outcome(counts.succeeded, counts.failed, counts.input, counts.output, counts.cached, files)


def _replies(order: Order, responder: Responder) -> Iterator[tuple[str, Answer | Refusal]]:
    """Yield the id and the reply of each row, in order; rows that cannot be asked at all get theirs here."""
    asking = in_step(
        _wanted(order),
        lambda row: _refusal(row[1]) or _chat_row(order, *row),
        lambda rows: responder.replies(order.model, rows),
    )
    return ((name, reply) for (name, _), reply in asking)


def _wanted(order: Order) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows that this job gets to: not those of earlier jobs, and its share of the rest, evenly spread."""
    done = {name for path in order.earlier for line in jsonl.lines(path) if (name := _answered(line))}
    left = ((name, body) for name, body in input_rows(order.inputs) if name not in done)
    for position, row in enumerate(left):
        if spread(position, order.share):
            yield row


def _answered(line: bytes) -> str | None:
    """Return the id of a row of earlier results, or None for one that a fault has made unreadable."""
    try:
        return row_id(line)
    except ValueError:
        return None


def _refusal(body: Mapping[str, Any]) -> Refusal | None:
    if "extra_body" in body:
        return Refusal(400, "Extra inputs are not permitted, field: 'extra_body'")
    limit, count = body.get("max_tokens"), body.get("n")
    for name, value in (("max_tokens", limit), ("n", count)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            return Refusal(400, f"{name} must be a positive integer")
    return None


def _chat_row(order: Order, name: str, body: Mapping[str, Any]) -> ChatRow:
    """Return a row as the model gets it: the job's parameters where the row has none, and its system prompt."""
    filled = {_PARAMETERS[key]: value for key, value in order.parameters.items() if key in _PARAMETERS}
    extra = msgspec.json.decode(order.parameters.get("extraBody") or "{}")
    messages = list(body.get("messages") or [])
    if order.system_prompt and not (messages and messages[0].get("role") == "system"):
        messages.insert(0, {"role": "system", "content": order.system_prompt})
    return ChatRow(name, messages, {**filled, **extra, **body, "messages": messages})


def _line(order: Order, position: int, name: str, reply: Answer | Refusal) -> tuple[bytes, bool]:
    """Return the row of a reply, and whether it belongs to the errors."""
    return row_of(name, order.model, order.seed, reply, row_fault(order.faults, position))
