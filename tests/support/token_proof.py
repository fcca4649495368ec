"""How far estimates of tokens are from what an emulator bills that counts by SmolLM2's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import NamedTuple

from promptrial.costs.bands import NOTHING, Band
from promptrial.costs.characters import RequestSize, size_of
from promptrial.costs.tokens import Measured, input_tokens, output_tokens

__all__ = ["Billed", "Proof", "proof_of", "table"]


class Billed(NamedTuple):
    """One request: the texts of its messages, the most tokens of its answer, and what was billed."""

    messages: tuple[str, ...]
    limit: int
    input: int
    output: int


@dataclass(frozen=True)
class Proof:
    """One set of questions: its requests, what was billed for them, and what was estimated before and after a pilot.

    After a pilot, its requests count with what they were billed, and those that are left are estimated.
    """

    name: str
    requests: int
    input: int
    output: int
    before: tuple[Band, Band]
    after: tuple[Band, Band]

    @property
    def input_error(self) -> float:
        """By how much of what is billed the estimate of input after the pilot is off."""
        return self.after[0].expected / self.input - 1

    @property
    def total_error(self) -> float:
        """The same of input and output together."""
        return (self.after[0].expected + self.after[1].expected) / (self.input + self.output) - 1


def proof_of(name: str, arms: Sequence[Sequence[Billed]], pilot: int) -> Proof:
    """Compare, for a set of questions, estimates of all requests with what they were billed.

    Parameters
    ----------
    name : str
    arms : sequence
        The requests of each arm, those of the pilot first.
    pilot : int
        How many requests of an arm the pilot has.
    """
    together = [row for rows in arms for row in rows]
    before, after = [NOTHING, NOTHING], [NOTHING, NOTHING]
    for rows in arms:
        asked, left = rows[:pilot], rows[pilot:]
        measured = reduce(add, (Measured.of(size_of(row.messages), row.input, row.output) for row in asked))
        before[0] += input_tokens(_size(rows)).tokens
        before[1] += output_tokens(len(rows), _limit(rows)).tokens
        after[0] += Band.exactly(measured.input) + input_tokens(_size(left), measured=measured).tokens
        after[1] += Band.exactly(measured.output) + output_tokens(len(left), _limit(left), measured=measured).tokens
    return Proof(
        name=name,
        requests=len(together),
        input=sum(row.input for row in together),
        output=sum(row.output for row in together),
        before=(before[0], before[1]),
        after=(after[0], after[1]),
    )


def table(proofs: Iterable[Proof]) -> list[str]:
    """Return the rows of the table in the documentation, in Markdown."""
    head = [
        "questions",
        "requests",
        "input billed",
        "before a pilot",
        "after a pilot",
        "off by",
        "output billed",
        "output after a pilot",
    ]
    rows = [
        [
            proof.name,
            f"{proof.requests:,}",
            f"{proof.input:,}",
            _words(proof.before[0]),
            _words(proof.after[0]),
            f"{100 * proof.input_error:+.1f}%",
            f"{proof.output:,}",
            _words(proof.after[1]),
        ]
        for proof in proofs
    ]
    return [_row(head), _row(["---", *["---:"] * (len(head) - 1)]), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(band: Band) -> str:
    return f"{band.expected:,.0f} ({band.low:,.0f} to {band.high:,.0f})"


def _size(rows: Iterable[Billed]) -> RequestSize:
    return reduce(RequestSize.plus, (size_of(row.messages) for row in rows), RequestSize())


def _limit(rows: Iterable[Billed]) -> int:
    return sum(row.limit for row in rows)
