"""Where answers came from that were taken over from other runs: a file beside them, for when their record is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.store import atomic
from promptrial.store.part_records import ReusedAnswers

__all__ = ["leave_reused", "read_reused", "reused_attempts"]

_NAME: Final = re.compile(r"reused\.a([1-9][0-9]*)\.json")


def leave_reused(folder: Path, attempt: int, reused: ReusedAnswers) -> None:
    """Write where the answers of an attempt came from; durable on return."""
    atomic.write_bytes(_path(folder, attempt), msgspec.json.format(msgspec.json.encode(reused), indent=2) + b"\n")


def read_reused(folder: Path, attempt: int) -> ReusedAnswers | None:
    """Return where the answers of an attempt came from; None if no readable file says so."""
    try:
        return msgspec.json.decode(read_bytes(_path(folder, attempt)), type=ReusedAnswers)
    except (OSError, ValueError, RecursionError):
        return None


def reused_attempts(folder: Path) -> Iterator[int]:
    """Return the attempts of which a folder has such a file."""
    matches = (_NAME.fullmatch(path.name) for path in sorted(folder.glob("reused.a*.json")))
    return (int(match[1]) for match in matches if match is not None)


def _path(folder: Path, attempt: int) -> Path:
    return folder / f"reused.a{attempt}.json"
