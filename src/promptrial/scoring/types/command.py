"""A program as a scorer: its settings, and the lines that it reads and writes. *score* alone runs it.

Each line that the program reads is one answer, as JSON: ``id``, ``item``, ``golds``, ``response``. For each it writes
one line, in the same order: ``{"id": 1, "score": 0.5}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from promptrial.config.stated import Stated, label_of
from promptrial.documents.scorers import checked
from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import RESPONSE_COLUMNS, BatchScorer, Declaration, Response

__all__ = ["MAX_REPLY_BYTES", "Command", "Exchange", "ProgramScorer"]

MAX_REPLY_BYTES: Final = 1_000
"""The most that a program may write for one answer, on average."""
_MAX_BATCH_BYTES: Final = 8_000_000
_LONGEST_TIME_S: Final = 86_400.0

Exchange = Callable[[Iterable[bytes], int], bytes]
"""Gives a number of lines to a program that is started for them, and returns what it wrote."""


@dataclass(frozen=True)
class Command(Stated, BatchScorer):
    """A program that scores answers.

    Attributes
    ----------
    command : list of str
        The program and its arguments: a bare name that the path has, or a file below the folder of the configuration.
        That folder is its current folder. No shell looks at the words.
    files : list of str
        Further files below that folder that the program is made of.
    time_limit_s : float
        The most seconds that it may take for one batch, of at most 1,000 answers.

    Notes
    -----
    ``label``, ``meaning``, ``scale`` (continuous if not given), ``range``, ``direction``, ``needs`` and ``role`` say
    what the scores mean.

    References
    ----------
    What the program measures is its own.
    """

    command: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    time_limit_s: float = 300.0

    def __post_init__(self) -> None:
        """Refuse a command without a program."""
        if not self.command or not self.command[0]:
            raise ValueError("`command` must name a program and its arguments, as a list")
        if not 0 < self.time_limit_s <= _LONGEST_TIME_S:
            raise ValueError(f"`time_limit_s` must be above 0 and at most {_LONGEST_TIME_S:,.0f} seconds")
        checked(self.declared)

    @cached_property
    def declared(self) -> Declaration:
        """What the configuration says."""
        return self.said_of("command")

    def said_of(self, name: str) -> Declaration:
        """Return what the configuration says about the scorer of this name."""
        return self.declaration(label_of(name), f"What does {' '.join(self.command)[:80]} say?")

    def score_batch(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> Sequence[float]:
        """Raise: what the settings say is run by ``ProgramScorer``."""
        raise ScoreError(f"{self.command[0]} is run by the phase *score* alone; {len(answers)} answers were given")


@dataclass(frozen=True)
class ProgramScorer(BatchScorer):
    """A command that can be run; ``name`` is the scorer's."""

    name: str
    command: Command
    exchange: Exchange

    @cached_property
    def declared(self) -> Declaration:
        """What the configuration says."""
        return self.command.said_of(self.name)

    def score_batch(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> Sequence[float]:
        """Return the scores of answers, in order; the program is started once for each batch."""
        whole = "response" in self.declared.needs
        scores: list[float] = []
        for batch in _batches(answers, whole=whole):
            lines, golds = [line for line, _ in batch], [gold for _, gold in batch]
            try:
                scores += _scores(self.exchange(lines, len(lines)), [gold.item for gold in golds])
            except _ProtocolError as error:
                raise ScoreError(
                    f"scorer {self.name}: {error}", hint="correct the program, then resume the run"
                ) from None
        return scores


class _ProtocolError(ValueError):
    """What a program wrote is not what it was asked for."""


def _batches(answers: Sequence[tuple[Gold, PreparedAnswer]], *, whole: bool) -> Iterator[list[tuple[bytes, Gold]]]:
    """Yield the lines of answers with their items, as many at a time as bounded memory takes."""
    batch: list[tuple[bytes, Gold]] = []
    size = 0
    for gold, answer in answers:
        line = _line(len(batch) + 1, gold.item, answer.response, whole=whole)
        batch.append((line, gold))
        size += len(line)
        if size >= _MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _line(number: int, item: Item, response: Response, *, whole: bool) -> bytes:
    said = {name: getattr(response, name) for name in ("text", *(RESPONSE_COLUMNS if whole else ()))}
    shown = {
        "id": item.id,
        "dataset": item.dataset,
        "question": item.question,
        "context": item.context,
        "choices": item.choices,
        "messages": item.messages,
        "is_unanswerable": item.is_unanswerable,
        "extra": item.extra,
    }
    return msgspec.json.encode({"id": number, "item": shown, "golds": item.answers, "response": said}) + b"\n"


class _Reply(msgspec.Struct):
    id: int
    score: float | bool


def _scores(written: bytes, items: Sequence[Item]) -> list[float]:
    lines = [line for line in written.split(b"\n") if line.strip()]
    scores = [_score(number, line, item) for number, (line, item) in enumerate(zip(lines, items, strict=False), 1)]
    if len(lines) < len(items):
        first = _named(items[len(lines)])
        raise _ProtocolError(
            f"the program wrote {len(lines):,} of {len(items):,} lines; the first without one is {first}"
        )
    if len(lines) > len(items):
        raise _ProtocolError(
            f"the program wrote a line more than it was asked for, after that of {_named(items[-1])}: "
            f"{_shown(lines[len(items)])}"
        )
    return scores


def _score(number: int, line: bytes, item: Item) -> float:
    try:
        reply = msgspec.json.decode(line, type=_Reply)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _ProtocolError(
            f'line {number} of the program, for {_named(item)}, is not {{"id": {number}, "score": NUMBER}}: '
            f"{_shown(line)} ({error})"
        ) from None
    if reply.id != number:
        raise _ProtocolError(
            f"line {number} of the program, for {_named(item)}, has the id {reply.id}: lines must come in the order in "
            "which they were read"
        )
    return float(reply.score)


def _named(item: Item) -> str:
    return f"item {item.id!r} of {item.dataset}"


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace").strip()
    return text if len(text) <= 80 else f"{text[:80]}…"
