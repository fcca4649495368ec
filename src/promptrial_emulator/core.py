"""What every API of an emulator shares: settings, database, clock, ledger, faults, files and the work on rows."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptrial.store import atomic
from promptrial_emulator.answering import Answering
from promptrial_emulator.api import Api
from promptrial_emulator.clock import VirtualClock
from promptrial_emulator.database import Database
from promptrial_emulator.faults.rules import Faults
from promptrial_emulator.ledger import Ledger
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["Core"]

_DATABASE: Final = "emulator.sqlite"
_FILES: Final = "files"
_OUTLIVES: Final = ("secret", "calls")
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Core:
    """The state of one emulator and what moves it. ``settling`` is what time does to the objects of each API."""

    settings: EmulatorSettings
    database: Database
    clock: VirtualClock
    ledger: Ledger
    faults: Faults
    files: Path
    answering: Answering[Any]
    settling: list[Callable[[float], None]] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, settings: EmulatorSettings, apis: Mapping[str, Api]) -> Core:
        """Open the state in a folder, or begin one; ``apis`` are those that it is for, by name.

        Side effects: makes the folder, and sweeps what an interrupted upload left in it.
        """
        database = Database(folder / _DATABASE)
        files = folder / _FILES
        atomic.make_folder(files)
        atomic.sweep(files)
        core = cls(
            settings,
            database,
            VirtualClock(database, settings.clock_step_s),
            Ledger(database),
            Faults(database, apis),
            files,
            Answering(settings),
        )
        with database.transaction():
            if not database.value("secret", ""):
                database.set_value("secret", secrets.token_hex(_SECRET_BYTES))
        return core

    @property
    def secret(self) -> bytes:
        """The key that signed URLs are signed with; it outlives the process, and so do they."""
        return self.database.value("secret", "").encode()

    def path(self, relative: str) -> Path:
        """Return where a kept file is."""
        return self.files / relative

    def digest(self, number: int | str, what: str) -> str:
        """Return hex digits for the name of what a call makes; the same call under the same seed gets the same ones."""
        return hashlib.sha256(f"{self.settings.seed}|{number}|{what}".encode()).hexdigest()

    def settle(self, now: float) -> None:
        """Let everything become what it is at a time; called within a transaction."""
        for settle in self.settling:
            settle(now)

    def begin_anew(self) -> None:
        """Forget everything, as if the folder were empty.

        Numbers of calls go on, so that rows that are still being answered for a job of before meet no job of after.
        """
        with self.database.transaction():
            self.database.clear(kept=_OUTLIVES)
        for file in self.files.iterdir():
            if not file.name.startswith("."):  # those belong to uploads in work
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the work off and close the files."""
        self.answering.close()
        self.database.close()
