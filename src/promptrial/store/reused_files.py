"""Where answers came from that were taken over from other runs: a file beside them, for when their record is lost."""

from __future__ import annotations

from pathlib import Path

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.store import atomic
from promptrial.store.part_records import ReusedAnswers

__all__ = ["leave_reused", "read_reused"]


def leave_reused(folder: Path, attempt: int, reused: ReusedAnswers) -> None:
    """Write where the answers of an attempt came from; durable on return."""
    atomic.write_bytes(_path(folder, attempt), msgspec.json.format(msgspec.json.encode(reused), indent=2) + b"\n")


def read_reused(folder: Path, attempt: int) -> ReusedAnswers | None:
    """Return where the answers of an attempt came from; None if no readable file says so."""
    try:
        return msgspec.json.decode(read_bytes(_path(folder, attempt)), type=ReusedAnswers)
    except (OSError, ValueError, RecursionError):
        return None


def _path(folder: Path, attempt: int) -> Path:
    return folder / f"reused.a{attempt}.json"
