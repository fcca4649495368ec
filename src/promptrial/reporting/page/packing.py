"""A JSON value whose last field is a list, deflated as its elements come, within a number of bytes. Pure."""

from __future__ import annotations

import base64
import zlib
from typing import Final

__all__ = ["Pack"]

_BLOCK: Final = 1 << 18
"""Bytes of elements that are deflated at once: finding out how large they are then takes a time."""
_LEVEL: Final = 6


class Pack:
    """A JSON value to which elements are added until it is full.

    Held are the deflated bytes, and the elements of one block.

    Parameters
    ----------
    head, tail : bytes
        What is before the elements, and after them.
    largest : int
        Bytes of base64.
    """

    def __init__(self, head: bytes, tail: bytes, largest: int) -> None:
        self.n, self.is_full = 0, False
        self._tail, self._largest = tail, largest
        self._deflate = zlib.compressobj(_LEVEL)
        self._done = bytearray(self._deflate.compress(head))
        self._block: list[bytes] = []
        self._waiting = 0

    def copy(self) -> Pack:
        """Return another one with the same elements."""
        other = Pack(b"", self._tail, self._largest)
        other.n, other.is_full = self.n, self.is_full
        other._deflate, other._done = self._deflate.copy(), self._done[:]
        other._block, other._waiting = self._block[:], self._waiting
        return other

    def add(self, element: bytes) -> None:
        """Add an element; it may turn out later that it has no room, and then none that follows has."""
        self._block.append(element)
        self._waiting += len(element)
        if self._waiting >= _BLOCK:
            self._settle()

    def text(self) -> str:
        """Return the value as base64; ``n`` elements are in it, and it is full if that is not all."""
        self._settle()
        end = self._deflate.copy()
        return base64.b64encode(self._done + end.compress(self._tail) + end.flush()).decode()

    def _settle(self) -> None:
        """Deflate the elements of the block, as many from the first on as there is room for."""
        block, self._block, self._waiting = self._block, [], 0
        if not self.is_full and not self._has_taken(block):
            self.is_full = not all(self._has_taken([element]) for element in block)

    def _has_taken(self, elements: list[bytes]) -> bool:
        """Deflate elements, and return whether there is room for all; without it, nothing is changed."""
        if not elements:
            return True
        trial = self._deflate.copy()
        made = trial.compress((b"," if self.n else b"") + b",".join(elements))
        end = trial.copy()
        size = len(self._done) + len(made) + len(end.compress(self._tail) + end.flush())
        if 4 * -(-size // 3) > self._largest:
            return False
        self._deflate, self.n = trial, self.n + len(elements)
        self._done += made
        return True
