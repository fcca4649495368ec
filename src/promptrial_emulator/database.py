"""The SQLite file that holds an emulator's whole state: values and objects. What they mean is not known here.

A call is answered after its transaction is on the disk, so that a killed emulator comes back with all that it said yes
to and nothing else. The file belongs to one process at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from promptrial.documents.schemas import newer
from promptrial.errors import CorruptRecordError, DiskSpaceError, PromptrialError, RunLockedError
from promptrial.store import atomic

__all__ = ["Collection", "Database", "Stored"]

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (kind TEXT, id TEXT, serial INTEGER NOT NULL, open INTEGER NOT NULL, document BLOB NOT NULL,
                      PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX open_objects ON objects (kind, serial) WHERE open;
CREATE TABLE ledger (sequence INTEGER PRIMARY KEY AUTOINCREMENT, entry BLOB NOT NULL);
"""
# FULL, not NORMAL: a client may have written down, durably, what it was told, and a power cut must not unsay it.
_PRAGMAS: Final = ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL")


def _unusable(path: Path, error: sqlite3.OperationalError) -> PromptrialError:
    """Return what it means that SQLite cannot work with the file: only a lock means another emulator."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RunLockedError(f"{path.parent}: another emulator works here ({error})")
    if code == sqlite3.SQLITE_FULL:
        return DiskSpaceError(
            f"{path}: the disk is full", hint="free some space, or keep the state elsewhere, then start it again"
        )
    return PromptrialError(
        f"{path}: cannot be used: {error}", hint="see that the disk has room and that the folder can be written to"
    )


class Stored(Protocol):
    """What an object needs to be kept: a name, its number in the order of creation, whether time still moves it."""

    id: str
    serial: int

    @property
    def open(self) -> bool:
        """Whether it may still change by itself."""


_T = TypeVar("_T", bound=Stored)


class Database:
    """The file, open for this process alone.

    Raises
    ------
    RunLockedError
        If another emulator has it open.
    DiskSpaceError
        If the disk is full.
    PromptrialError
        If the file cannot be used for another reason.
    CorruptRecordError
        If it is not one, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        atomic.make_folder(path.parent)
        self._durable = True
        self.undone = 0
        """How often what was put may have been taken back: what is held in memory of before counts no more."""
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise _unusable(path, error) from error
        try:
            self._open(path)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, path: Path) -> None:
        try:
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            with self.transaction():  # takes the lock, for as long as the file is open
                version = self._connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in _SCHEMA.strip().split(";\n"):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.OperationalError as error:
            raise _unusable(path, error) from error
        except sqlite3.DatabaseError as error:
            raise CorruptRecordError(f"{path}: not the state of an emulator: {error}") from error
        if version > _VERSION:
            raise newer(str(path), version, _VERSION)
        if version not in (0, _VERSION):
            raise CorruptRecordError(f"{path}: state of version {version}; this emulator reads {_VERSION}")

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All of the block is kept or nothing of it; durably, or only so that it outlives this process."""
        if durable != self._durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have rolled it back already
                self._connection.execute("ROLLBACK")
            self.undone += 1
            raise

    def value(self, name: str, default: str) -> str:
        """Return a value."""
        found = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if found is None else str(found[0])

    def set_value(self, name: str, value: str) -> None:
        """Keep a value."""
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def next_number(self, name: str) -> int:
        """Return 1, 2, 3 ... for a name."""
        number = int(self.value(name, "0")) + 1
        self.set_value(name, str(number))
        return number

    def append(self, entry: bytes) -> None:
        """Add an entry to the ledger."""
        self._connection.execute("INSERT INTO ledger (entry) VALUES (?)", (entry,))

    def entries(self) -> list[tuple[int, bytes]]:
        """Return the ledger: sequence numbers and entries."""
        return self._connection.execute("SELECT sequence, entry FROM ledger ORDER BY sequence").fetchall()

    def clear(self, kept: Sequence[str]) -> None:
        """Forget every object, the ledger, and every value but those of some names; called within a transaction."""
        marks = ", ".join("?" * len(kept))
        self.undone += 1
        self._connection.execute("DELETE FROM objects")
        self._connection.execute("DELETE FROM ledger")
        self._connection.execute(f"DELETE FROM settings WHERE name NOT IN ({marks})", tuple(kept))  # noqa: S608 - marks

    def execute(self, statement: str, *values: object) -> list[tuple[bytes]]:
        """Run a statement on the objects; for ``Collection``."""
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the file; another process may open it then."""
        self._connection.close()


class Collection(Generic[_T]):
    """The objects of one kind, by id; always in the order of creation."""

    def __init__(self, database: Database, kind: str, of: type[_T]) -> None:
        self._database = database
        self._kind = kind
        self._decoder = msgspec.json.Decoder(of)
        self._held: dict[str, _T] = {}
        self._held_since = -1

    def find(self, name: str) -> _T | None:
        """Return one, or None."""
        found = self._select("id = ?", name)
        return found[0] if found else None

    def all(self) -> list[_T]:
        """Return all of them."""
        return self._select("1")

    def to_look_at(self) -> list[_T]:
        """Return all of them, not to be changed: they are held in memory."""
        if not self._is_held:
            self._held = {thing.id: thing for thing in self.all()}
            self._held_since = self._database.undone
        return sorted(self._held.values(), key=lambda thing: (thing.serial, thing.id))

    def open(self) -> list[_T]:
        """Return those that may still change by themselves."""
        return self._select("open")

    def put(self, thing: _T) -> None:
        """Add one, or replace the one of the same id."""
        document = msgspec.json.encode(thing)
        self._database.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)",
            self._kind, thing.id, thing.serial, int(thing.open), document,
        )  # fmt: skip
        if self._is_held:
            self._held[thing.id] = self._decoder.decode(document)  # a copy: the caller may go on changing its own

    def remove(self, name: str) -> None:
        """Forget one; nothing happens if there is none."""
        self._database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", self._kind, name)
        self._held.pop(name, None)

    def clear(self) -> None:
        """Forget them all."""
        self._database.execute("DELETE FROM objects WHERE kind = ?", self._kind)
        self._held.clear()

    @property
    def _is_held(self) -> bool:
        """Whether what is held in memory is what the database has."""
        return self._held_since == self._database.undone

    def _select(self, condition: str, *values: object) -> list[_T]:
        query = f"SELECT document FROM objects WHERE kind = ? AND {condition} ORDER BY serial"  # noqa: S608 - our words
        return [self._decoder.decode(row[0]) for row in self._database.execute(query, self._kind, *values)]
