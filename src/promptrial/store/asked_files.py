"""To which requests the answers of a part are: a file beside them, for when their record is lost.

The file of a job at a provider says so too (``breadcrumbs``). Answers that this process computes, asks for one by one
or takes over have no job of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.store import atomic

__all__ = ["leave_asked", "read_asked"]

_FILE: Final = "asked.json"
_MOST_BYTES: Final = 1000


class _Asked(msgspec.Struct):
    request_sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


def leave_asked(folder: Path, request_sha256: str) -> None:
    """Write the digest of a part's requests into the folder of its answers, before there are any; durable on return."""
    if read_asked(folder) != request_sha256:
        atomic.write_bytes(folder / _FILE, msgspec.json.encode(_Asked(request_sha256)) + b"\n")


def read_asked(folder: Path) -> str | None:
    """Return the digest of the requests to which the answers in a folder are; None if no readable file says so."""
    try:
        return msgspec.json.decode(read_bytes(folder / _FILE, _MOST_BYTES), type=_Asked).request_sha256
    except (OSError, ValueError, RecursionError):
        return None
