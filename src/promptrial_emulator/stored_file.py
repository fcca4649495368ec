"""A file that an emulator keeps: its name for clients, its place below ``files/``, size and SHA-256."""

from __future__ import annotations

import msgspec

__all__ = ["StoredFile"]


class StoredFile(msgspec.Struct, frozen=True):
    """A kept file."""

    name: str
    path: str
    size: int
    sha256: str
