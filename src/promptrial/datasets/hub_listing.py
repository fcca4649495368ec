"""What the hub's names stand for: a location, the files that make up a split, and whether bytes are those of a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from promptrial.documents.files import open_regular
from promptrial.errors import ConfigError, PermanentError

__all__ = ["COMMIT", "DEFAULT_REVISION", "HubFile", "HubLocation", "TreeEntry", "files_of_split", "hasher", "is_intact"]

DEFAULT_REVISION: Final = "main"
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REPO: Final = re.compile(rf"{_NAME.pattern}/{_NAME.pattern}")
_REVISION: Final = re.compile(rf"{_NAME.pattern}(/{_NAME.pattern})*")
_SHARD: Final = re.compile(rf"(?P<split>{_NAME.pattern}?)(-\d{{5}}-of-(?P<count>\d{{5}}))?\.parquet")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class HubLocation:
    """One split of one configuration of a data set, at a revision (a branch, a tag or a commit)."""

    repo: str
    config: str
    split: str = "validation"
    revision: str = DEFAULT_REVISION

    def __post_init__(self) -> None:
        """Refuse what could not be a name on the hub; these become parts of URLs and of paths."""
        patterns = {"repo": _REPO, "config": _NAME, "split": _NAME, "revision": _REVISION}
        for key, pattern in patterns.items():
            value = getattr(self, key)
            if not pattern.fullmatch(value):
                raise ConfigError(f"hub: {key} {value!r} is not a name on the hub; allowed: {pattern.pattern}")

    def __str__(self) -> str:
        return f"{self.repo} ({self.config}, {self.split})"


class HubFile(msgspec.Struct, frozen=True):
    """A file in the hub's listing. ``digest`` is ``sha256:<hex>``, or ``git:<hex>`` for a file kept in git itself."""

    name: str
    size: int
    digest: str


class _Lfs(msgspec.Struct):
    oid: str


class TreeEntry(msgspec.Struct):
    """One entry of the hub's answer to a listing of files."""

    type: str
    path: str
    oid: str
    size: int = 0
    lfs: _Lfs | None = None


def files_of_split(location: HubLocation, entries: Iterable[TreeEntry]) -> tuple[HubFile, ...]:
    """Pick the shards of a split, ``validation-00000-of-00002.parquet``, and see that none is missing.

    Raises
    ------
    PermanentError
        If the split has no file, or not all of its shards.
    """
    found: dict[str, HubFile] = {}
    splits: set[str] = set()
    count = 1
    for entry in entries:
        name = entry.path.rpartition("/")[2]
        match = _SHARD.fullmatch(name)
        if entry.type != "file" or match is None:
            continue
        splits.add(match["split"])
        if match["split"] == location.split:
            digest = f"sha256:{entry.lfs.oid}" if entry.lfs else f"git:{entry.oid}"
            found[name] = HubFile(name, entry.size, digest)
            count = int(match["count"] or 1)
    if not found:
        hint = "set `split` of the data set to one of them" if splits else "check `repo` and `config` of the data set"
        raise PermanentError(f"{location}: no Parquet file of this split; splits there: {sorted(splits)}", hint=hint)
    if len(found) != count:
        raise PermanentError(
            f"{location}: {len(found)} of {count} shards are listed",
            hint="set `revision` of the data set to a commit that has all of them",
        )
    return tuple(found[name] for name in sorted(found))


def hasher(file: HubFile) -> hashlib._Hash:
    """Return the hash object whose hex digest, after all the bytes of the file, must be that of ``file.digest``."""
    if file.digest.startswith("sha256:"):
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)  # the id that git gives to a file


def is_intact(path: Path, file: HubFile) -> bool:
    """Whether a local file is there and has the size and digest of the listing."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    digest = hasher(file)
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == file.digest.partition(":")[2]
