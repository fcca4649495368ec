"""Answering the rows of a batch and writing its file of results.

Runs beside the calls, on a snapshot of the batch; the same snapshot always gives the same bytes, so an emulator that is
killed while it works begins again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile
from promptrial_emulator.anthropic.caching import CacheUse, SeenPrefixes, use_cache
from promptrial_emulator.anthropic.messages import error_object
from promptrial_emulator.anthropic.model import Outcome
from promptrial_emulator.anthropic.params import BadParamsError, MessageParams, read_params
from promptrial_emulator.anthropic.replies import as_asked, message
from promptrial_emulator.anthropic.row_faults import bad_row
from promptrial_emulator.anthropic.schedule import Rest
from promptrial_emulator.faults.answers import ODD_ANSWERS, odd_answer
from promptrial_emulator.faults.rows import spread
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, Responder, in_step, without_attempt
from promptrial_emulator.row_results import ResultFile, row_fault
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Order", "answer_nothing", "answer_rows"]

_BLOCK: Final = 4
"""How many rows come in reverse at a time: the order of results is not promised."""
_UNFINISHED: Final = Refusal(0, "the batch ended before this request was answered")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be answered: which rows, which share of them, how, and with which faults.

    ``rest`` is what becomes of the rows beyond the share. ``refuses`` says why a model does not answer a
    request.
    """

    input: Path
    version: str
    share: float
    rest: Rest
    message: str
    seed: int
    refuses: Callable[[MessageParams], Refusal | None]
    faults: Injected
    path: Path


class _Request(msgspec.Struct):
    custom_id: str
    params: dict[str, Any]


_DECODER: Final = msgspec.json.Decoder(_Request)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row: its place among all rows, its id, and what it asks for, or why it is not answered."""

    position: int
    name: str
    asks: MessageParams | Refusal


def answer_rows(order: Order, responder: Responder, check: Callable[[], None]) -> Outcome:
    """Answer the rows and write the file.

    ``check`` is called between rows and raises when the emulator stops.
    """
    counts: Counter[str] = Counter()
    with AtomicFile(order.path) as file:
        results = ResultFile(file, order.faults)
        for lines in _blocks(_lines(order, responder, counts)):
            check()
            for line in lines:
                results.add(line)
        results.finish()
    stored = StoredFile(order.path.name, order.path.name, file.size, file.sha256())
    return Outcome(counts["succeeded"], counts["errored"], counts["canceled"], counts["expired"], stored)


def answer_nothing(order: Order, reason: str) -> Outcome:
    """Write the file for a batch whose rows cannot be answered at all; each is an error with that reason."""
    return answer_rows(replace(order, share=0.0, rest="errored", message=reason), _Silent(), lambda: None)


class _Silent:
    """The responder of a batch in which nothing is asked."""

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:  # noqa: ARG002 - a Responder
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Do nothing."""


def _blocks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while block := [*islice(lines, _BLOCK)]:
        yield block[::-1]


def _lines(order: Order, responder: Responder, counts: Counter[str]) -> Iterator[bytes]:
    """Yield the line of each row, in the order of the requests."""
    prefixes = SeenPrefixes()
    for row, reply in in_step(_rows(order), lambda row: row.asks, lambda rows: _by_model(responder, rows)):
        if isinstance(reply, Refusal):
            line, count = _not_answered(order, row.name, reply)
        elif isinstance(row.asks, MessageParams):
            use = use_cache(prefixes, row.asks.breakpoints)
            line, count = _answered(order, row, row.asks, reply, use)
        counts[count] += 1
        yield line


def _rows(order: Order) -> Iterator[_Row]:
    """Yield every row; those that the batch does not get to, evenly spread, are refused as unfinished."""
    for position, line in enumerate(jsonl.lines(order.input)):
        request = _DECODER.decode(line)
        asks = _asks(order, request) if spread(position, order.share) else _UNFINISHED
        yield _Row(position, request.custom_id, asks)


def _asks(order: Order, request: _Request) -> MessageParams | Refusal:
    try:
        params = read_params(request.custom_id, request.params, order.version, batch=True)
    except BadParamsError as error:
        return Refusal(400, str(error))
    return order.refuses(params) or params


def _by_model(responder: Responder, rows: Iterator[MessageParams]) -> Iterator[Answer | Refusal]:
    """Yield the replies of a responder, which is asked for one model at a time."""
    for model, group in groupby(rows, key=lambda params: params.model):
        yield from responder.replies(model, (params.chat for params in group))


def _answered(order: Order, row: _Row, asks: MessageParams, reply: Answer, use: CacheUse) -> tuple[bytes, str]:
    """Return the line of an answer, and the count that it belongs to."""
    fault = row_fault(order.faults, row.position)
    answer = as_asked(asks, reply)
    if fault is not None and fault.variant in ODD_ANSWERS:
        answer, fault = odd_answer(answer, fault), None
    shown = message(order.seed, asks, answer, use, "batch")
    if fault is not None:
        return bad_row(row.name, shown, fault)
    result = {"type": "succeeded", "message": shown}
    return msgspec.json.encode({"custom_id": row.name, "result": result}), "succeeded"


def _not_answered(order: Order, name: str, reply: Refusal) -> tuple[bytes, str]:
    """Return the line of a row without a message, and the count that it belongs to."""
    if reply is _UNFINISHED and order.rest in ("canceled", "expired"):
        return msgspec.json.encode({"custom_id": name, "result": {"type": order.rest}}), order.rest
    code, text = (500, order.message) if reply is _UNFINISHED else (reply.code, reply.message)
    mark = hashlib.sha256(f"{order.seed}|{without_attempt(name)}".encode()).hexdigest()[:24]
    error = {"type": "error", "error": error_object(code, text), "request_id": f"req_{mark}"}
    return msgspec.json.encode({"custom_id": name, "result": {"type": "errored", "error": error}}), "errored"
