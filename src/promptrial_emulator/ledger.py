"""The ledger: what was accepted, in order, never changed. Refused calls and reads leave no entry.

Tests count here what a client has caused: one accepted job for one intent, whatever happened to the answers. It is
forgotten only together with everything that it speaks of.
"""

from __future__ import annotations

from typing import Any

import msgspec

from promptrial_emulator.clock import timestamp
from promptrial_emulator.database import Database

__all__ = ["Ledger"]


class Entry(msgspec.Struct, frozen=True):
    """One accepted side effect: the operation, what it was done to, facts about it, and the virtual time."""

    operation: str
    id: str
    time: str
    facts: dict[str, Any]


class Ledger:
    """The entries of one emulator."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, now: float, operation: str, name: str, **facts: object) -> None:
        """Add an entry; called within the transaction that it speaks of."""
        self._database.append(msgspec.json.encode(Entry(operation, name, timestamp(now), facts)))

    def rows(self) -> list[dict[str, Any]]:
        """Return ``{sequence, operation, id, time, facts}`` for each entry."""
        return [{"sequence": sequence, **msgspec.json.decode(entry)} for sequence, entry in self._database.entries()]
