"""Ids of requests as Anthropic sees them: each ends in a nonce of its attempt, by which a batch is proved to be ours.

A batch has neither a name of ours nor a note, and its requests cannot be read back. What comes back is the
``custom_id`` of each row, so that the attempt is named there. Files of requests and results hold the plain ids.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Nonce"]

_MOST: Final = 64
_LENGTH: Final = 8
_HASHED: Final = 52
"""How long the base32 of a SHA-256 is."""


@dataclass(slots=True)
class Nonce:
    """What ends each id of one attempt.

    Parameters
    ----------
    key : str
        The attempt's.
    plain_ids : callable
        Returns the plain ids of its requests; asked for only where one is too long to be spelled out.
    """

    key: str
    plain_ids: Callable[[], Iterable[str]]
    _ending: str = field(init=False)
    _by_hash: dict[str, str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._ending = "-" + _base32(self.key)[:_LENGTH]

    def sent(self, plain: str) -> str:
        """Return the id that goes over the wire; one that would pass 64 characters is replaced by its hash."""
        if len(plain) + len(self._ending) > _MOST:
            plain = _base32(plain)
        return plain + self._ending

    def plain(self, sent: str) -> str | None:
        """Return the id that was sent as this one; None if it does not end in this nonce."""
        if not sent.endswith(self._ending):
            return None
        stem = sent[: -len(self._ending)]
        return self._hashed().get(stem, stem) if len(stem) == _HASHED else stem

    def _hashed(self) -> dict[str, str]:
        if self._by_hash is None:
            long = _MOST - len(self._ending)
            self._by_hash = {_base32(each): each for each in self.plain_ids() if len(each) > long}
        return self._by_hash


def _base32(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=").lower()
