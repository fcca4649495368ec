"""Reading the manifests of folders that belong to the whole run: one that is unchanged is read once."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from promptrial.errors import CorruptRecordError
from promptrial.store.records import Manifest, load
from promptrial.store.unchanged import Unchanged

__all__ = ["load_manifest"]


def load_manifest(path: Path) -> Manifest | None:
    """Return a folder's manifest, or None if it does not exist or is damaged (its phase then runs again).

    One that is unchanged is read once: a plan asks for it thirty times, and it has a line for each part. Nobody may
    change what is returned.
    """
    try:
        return _MANIFESTS(path)
    except (FileNotFoundError, CorruptRecordError):
        return None


_MANIFESTS: Final = Unchanged(partial(load, kind=Manifest))
