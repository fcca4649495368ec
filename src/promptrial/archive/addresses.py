"""Which place for an archive a text names: a folder, a packed file, or an address elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from promptrial.archive.manifest import PACKED
from promptrial.archive.packing import require_zstd
from promptrial.archive.places import LocalFolder, PackedFile, Place
from promptrial.archive.remote import remote_place
from promptrial.config.environment import expanded
from promptrial.errors import UsageError

__all__ = ["place_to_read", "place_to_write"]


def place_to_write(text: str, env: Mapping[str, str]) -> Place:
    """Return the place that a text names: an address if it has ``://``, else a path; packed if it ends so.

    Raises
    ------
    UsageError
        If there is no way to write to such an address.
    MissingDependencyError
        If a package is needed that is not installed.
    """
    if "://" in text and not text.startswith("file://"):
        return remote_place(text, env)
    path = expanded(text.removeprefix("file://"), "the place of the archive")
    if not path.name.endswith(PACKED):
        return LocalFolder(path)
    require_zstd()
    return PackedFile(path)


def place_to_read(text: str, env: Mapping[str, str]) -> Place:
    """Return the place where an archive is kept; a file is taken for a packed one, whatever its name.

    Raises
    ------
    UsageError
        If nothing is there, or an address cannot be read from.
    MissingDependencyError
        If a package is needed that is not installed.
    """
    place = place_to_write(text, env)
    if isinstance(place, LocalFolder | PackedFile):
        if not place.path.exists():
            raise UsageError(f"{text}: no archive found", hint="name a folder, a .tar.zst file or an address")
        return LocalFolder(place.path) if place.path.is_dir() else PackedFile(place.path)
    return place
