"""The sentences that another process has said, from the end of its ``run.log``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from promptrial.documents.files import open_regular

__all__ = ["LogTail", "Said", "last_said"]

_MOST_BYTES: Final = 1 << 16
_SAID: Final = ("info", "warning", "error")


class Said(NamedTuple):
    """A sentence of a log, and when it was said, in UTC; empty where the log does not say when."""

    at: str
    text: str


def last_said(path: Path, most: int) -> list[Said]:
    """Return the last sentences of a log, oldest first, of those in its last 64 KiB; none of a log that is a link."""
    try:
        with open_regular(path, follow_links=False) as file:
            file.seek(max(0, file.seek(0, 2) - _MOST_BYTES))
            lines = file.read(_MOST_BYTES).split(b"\n")
    except OSError:  # does not exist yet, or cannot be read at this moment
        return []
    return [said for line in lines if (said := _said(line)) is not None][-most:]


class LogTail:
    """Follows a log from its last sentences on.

    Parameters
    ----------
    path : Path
        It need not be there yet.
    first : int
        How many of the sentences that already exists are returned by the first look.
    """

    def __init__(self, path: Path, first: int = 5) -> None:
        self._path, self._first = path, first
        self._at: int | None = None
        self._rest = b""

    def new(self) -> list[str]:
        """Return the sentences since the last look; of very many, the last that fit into 64 KiB of the log."""
        try:
            data = self._read()
        except OSError:  # does not exist yet, or cannot be read at this moment
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [text for line in lines if (text := _sentence(line))]

    def _read(self) -> bytes:
        with open_regular(self._path) as file:
            end = file.seek(0, 2)
            begins = self._at is None
            if self._at is None or end < self._at or end - self._at > _MOST_BYTES:  # a torn end may have been cut off
                self._at, self._rest = max(0, end - _MOST_BYTES), b""
            file.seek(self._at)
            data = file.read(end - self._at)
            self._at = end
        return self._last_sentences(data) if begins else data

    def _last_sentences(self, data: bytes) -> bytes:
        """Return the log from the first sentence on that is wanted; its last line may not be whole yet."""
        *lines, rest = data.split(b"\n")
        said = [line for line in lines if _sentence(line)]
        return b"\n".join([*said[max(0, len(said) - self._first) :], rest])


def _sentence(line: bytes) -> str:
    """Return what a line of the log said to people; empty if it said nothing, or is torn."""
    said = _said(line)
    return "" if said is None else said.text


def _said(line: bytes) -> Said | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("level") not in _SAID:
        return None
    at, text = event.get("at"), event.get("text")
    return Said(at if isinstance(at, str) else "", text) if isinstance(text, str) and text else None
