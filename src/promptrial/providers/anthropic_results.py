"""The rows of a batch of Anthropic's on their way here: proved to be ours, with plain ids, and answered ones alone.

One that was found by time and size alone may be a stranger's; the nonce of its ids tells. There is a result for every
request, also for one that was never carried out, so that rows that are missing are noticed.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from promptrial.errors import NotOursError, ResultsEmptyError, ResultsShortError
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.anthropic_rows import is_unanswered

__all__ = ["OwnRows", "are_ours", "plain_rows"]

_ID: Final = re.compile(rb'("custom_id"\s*:\s*")([A-Za-z0-9_-]{1,64})(")')
_MOST_FOREIGN: Final = 1000
"""Rows with foreign ids after which a batch without one of ours is a stranger's."""


class _Row(msgspec.Struct, gc=False):
    custom_id: str
    result: msgspec.Raw = msgspec.Raw()


_ROWS: Final = msgspec.json.Decoder(_Row)
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class OwnRows:
    """Reads the results of one batch.

    Parameters
    ----------
    job : str
        What the vendor calls it.
    nonce : Nonce
        Of the attempt that it is taken for.
    rows : int
        How many requests it has.
    """

    job: str
    nonce: Nonce
    rows: int
    _count: int = field(default=0, init=False)
    _is_ours: bool = field(default=False, init=False)
    _foreign: list[bytes] = field(default_factory=list, init=False)

    def read(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the rows that hold an answer, or an error that is final; one that cannot be read is one of them.

        Raises
        ------
        NotOursError
            If the ids are those of another attempt, or not of this program at all.
        ResultsShortError
            After the last row, if there are fewer than requests: there is a result for each.
        """
        for line in lines:
            self._count += 1
            yield from self._taken(line)
        if self._foreign and not self._is_ours:
            raise self._stranger()
        if self._count < self.rows:
            kind = ResultsShortError if self._count else ResultsEmptyError
            raise kind(f"Anthropic: the results of {self.job} have {self._count} rows for {self.rows} requests")

    def _taken(self, line: bytes) -> Iterator[bytes]:
        try:
            row = _ROWS.decode(line)
        except (ValueError, RecursionError):
            yield _without_nonce(line, self.nonce)
            return
        plain = self.nonce.plain(row.custom_id)
        if plain is None:
            yield from self._kept_apart(line)
            return
        if not self._is_ours:
            self._is_ours = True
            yield from self._foreign
        if not is_unanswered(row.result):
            yield _renamed(plain, row)

    def _kept_apart(self, line: bytes) -> Iterator[bytes]:
        """Keep a row of a foreign id until a row proves the batch to be ours."""
        if self._is_ours:
            yield line
            return
        self._foreign.append(line)
        if len(self._foreign) >= _MOST_FOREIGN:
            raise self._stranger()

    def _stranger(self) -> NotOursError:
        return NotOursError(f"batch {self.job}, which seemed to be its job, has requests of someone else")


def are_ours(lines: Iterator[bytes], nonce: Nonce) -> bool | None:
    """Return whether results are of an attempt, as soon as that is known; None if no row of them has an id.

    Side effects: ``lines`` is closed, if it can be.
    """
    found: bool | None = None
    try:
        for line in islice(lines, _MOST_FOREIGN):
            try:
                row = _ROWS.decode(line)
            except (ValueError, RecursionError):
                continue
            found = nonce.plain(row.custom_id) is not None
            if found:
                return True
        return found
    finally:
        if isinstance(lines, Generator):
            lines.close()


def plain_rows(rows: Iterable[bytes], nonces: Iterable[Nonce]) -> Iterator[bytes]:
    """Yield those rows of a file of results that are answered, with the ids of our requests where they are of a nonce.

    Rows that have plain ids already stay as they are.
    """
    known = [*nonces]
    for line in rows:
        try:
            row = _ROWS.decode(line)
        except (ValueError, RecursionError):
            yield line
            continue
        plain = next((found for nonce in known if (found := nonce.plain(row.custom_id)) is not None), row.custom_id)
        if not is_unanswered(row.result):
            yield _renamed(plain, row)


def _renamed(plain: str, row: _Row) -> bytes:
    return _ENCODER.encode(_Row(plain, row.result) if row.result else {"custom_id": plain})


def _without_nonce(line: bytes, nonce: Nonce) -> bytes:
    """Return a row that cannot be read with a plain id, if its id can be found out."""
    found = _ID.search(line)
    plain = None if found is None else nonce.plain(found.group(2).decode())
    return line if found is None or plain is None else _ID.sub(rb"\g<1>" + plain.encode() + rb"\g<3>", line, count=1)
