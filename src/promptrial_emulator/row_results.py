"""What the rows of any job come to: the file of results, which a fault may spoil, and the counts."""

from __future__ import annotations

from promptrial.store.atomic import AtomicFile
from promptrial_emulator.faults.answers import ODD_ANSWERS, odd_answer
from promptrial_emulator.faults.rows import garbled, spread
from promptrial_emulator.faults.rules import Fault, Injected
from promptrial_emulator.responders.base import Answer, Refusal

__all__ = ["ResultFile", "RowCounts", "row_fault"]


class ResultFile:
    """The file of results, written row by row; one that fault F12 spoils is written at the end.

    Parameters
    ----------
    file : AtomicFile
    faults : Injected
        Those of the job.
    """

    def __init__(self, file: AtomicFile, faults: Injected) -> None:
        self._file = file
        self._garble = faults.get("F12")
        self._kept: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Add the line of a row."""
        if self._garble is None:
            self._file.write(line + b"\n")
        else:
            self._kept.append(line)

    def finish(self) -> None:
        """Write what was kept back; called once, after the last row."""
        if self._garble is not None:
            self._file.write(garbled(self._kept, self._garble))


class RowCounts:
    """Running totals of rows and of their tokens."""

    def __init__(self) -> None:
        self.succeeded = self.failed = self.input = self.output = self.cached = self.reasoning = 0

    def count(self, reply: Answer | Refusal, fault: Fault | None, *, failed: bool) -> None:
        """Count a row; one whose answer a fault turned into an error has used its tokens, and reasoning is used too."""
        self.failed += failed
        self.succeeded += not failed
        if isinstance(reply, Answer):
            reply = _as_billed(reply, fault)
            self.input += reply.prompt_tokens
            self.output += reply.completion_tokens
            self.cached += reply.cached_tokens
            self.reasoning += reply.reasoning_tokens


def _as_billed(answer: Answer, fault: Fault | None) -> Answer:
    """Return an answer with the tokens that it has used, whatever it says about them."""
    if fault is None or fault.variant not in ODD_ANSWERS:
        return answer
    odd = odd_answer(answer, fault)
    return odd if odd.reasoning_tokens else answer


def row_fault(faults: Injected, position: int) -> Fault | None:
    """Return the fault F11 if the row at a position belongs to its share, else None."""
    fault = faults.get("F11")
    return fault if fault is not None and spread(position, fault.options["share"]) else None
