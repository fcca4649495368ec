"""What the answers of a part were asked with: a file beside them says it, in case their record is lost.

The file of a job at a provider says the first too (``breadcrumbs``). Answers that this process computes, asks for one
by one or takes over have no job of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.store import atomic

__all__ = ["Asked", "asked_earlier", "folder_apart", "leave_asked", "read_asked"]

_FILE: Final = "asked.json"
_MOST_BYTES: Final = 1 << 16
_APART: Final = "set_aside"
_APART_NAME: Final = re.compile(r"(.+)\.[0-9a-f]{12}(?:\.[0-9]+)?")


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked, and which engine was asked.

    ``engine`` and ``prompt`` are what the trial's manifest records about the engine and about the prompt of the arm
    (``sha256``, ``asked_with``); empty if unknown.
    """

    request_sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    engine: dict[str, Any] = {}
    prompt: dict[str, Any] = {}


def leave_asked(folder: Path, asked: Asked) -> None:
    """Write into the folder of a part's answers what is asked, before there are any; durable on return."""
    if read_asked(folder) != asked:
        atomic.write_bytes(folder / _FILE, msgspec.json.encode(asked) + b"\n")


def read_asked(folder: Path) -> Asked | None:
    """Return to which requests the answers in a folder are; None if no readable file says so."""
    try:
        return msgspec.json.decode(read_bytes(folder / _FILE, _MOST_BYTES), type=Asked)
    except (OSError, ValueError, RecursionError):
        return None


def folder_apart(results: Path, part: str, request_sha256: str) -> Path:
    """Return the folder of a part's answers to requests of a digest while others are asked."""
    return results / _APART / f"{part}.{request_sha256[:12]}"


def asked_earlier(results: Path) -> dict[str, list[Asked]]:
    """Return what such folders say, by the name of the part."""
    found: dict[str, list[Asked]] = {}
    for folder in sorted((results / _APART).glob("*")):
        match, asked = _APART_NAME.fullmatch(folder.name), read_asked(folder)
        if match is not None and asked is not None:
            found.setdefault(match[1], []).append(asked)
    return found
