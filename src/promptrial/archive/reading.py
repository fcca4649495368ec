"""Verify an archive against its own manifest. Reads every byte of it once, and writes nothing."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.archive.manifest import DIGEST, MANIFEST, ArchiveManifest, Difference, decode, differences, digest_line
from promptrial.archive.packing import Member
from promptrial.archive.places import Place
from promptrial.errors import CorruptRecordError
from promptrial.store.jsonl import FileDigest

__all__ = ["Verified", "verify"]

_LARGEST_MANIFEST: Final = 256 << 20
_LARGEST_KEPT: Final = 256 << 20
_NOT_READ: Final = FileDigest("", -1)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: the manifest, the SHA-256 (hex) of its bytes, and the files that are not as it has them."""

    manifest: ArchiveManifest
    manifest_sha256: str
    differences: tuple[Difference, ...]


def verify(place: Place, each: Callable[[], None] = lambda: None, keep: Mapping[str, Path] | None = None) -> Verified:
    """Compare every file of an archive with its manifest; ``each`` is called before each file.

    ``keep`` says where to write a copy of some of its files, by their paths in the archive: those that are as the
    manifest has them, and no larger than 256 MB.

    Raises
    ------
    CorruptRecordError
        If there is no manifest that can be read: then nothing can be compared.
    """
    members = place.members()
    data = _manifest_bytes(place, members)
    manifest = decode(data, place.shown)
    sizes = {file.path: file.size for file in manifest.files} | {DIGEST: len(digest_line(data))}
    found, unread, stopped = _digests(_copied(members, keep or {}, sizes), sizes, each, f"{place.shown}: ")
    digest = hashlib.sha256(data).hexdigest()
    own: list[Difference] = []
    if found.pop(DIGEST, None) != FileDigest(hashlib.sha256(digest_line(data)).hexdigest(), len(digest_line(data))):
        own = [Difference(MANIFEST, "differs", unread.pop(DIGEST, f"from {DIGEST}"))]
    return Verified(manifest, digest, (*own, *differences(manifest, found, unread, stopped)))


def _manifest_bytes(place: Place, members: Iterator[Member]) -> bytes:
    first = next(members, None)
    if first is None or first.path != MANIFEST:
        raise CorruptRecordError(
            f"{place.shown}: not an archive: it does not start with {MANIFEST}",
            hint=(
                "give the file that promptrial archive wrote; if it was packed again by another tool, unpack it and "
                "verify the folder"
            ),
        )
    data = io.BytesIO()
    try:
        for chunk in first.chunks:
            data.write(chunk)
            if data.tell() > _LARGEST_MANIFEST:
                raise CorruptRecordError("too large to be a manifest")  # noqa: TRY301 - as what else may be wrong with it
    except CorruptRecordError as error:
        why = error.message.removeprefix(f"{place.shown}: ")
        raise CorruptRecordError(f"{place.shown}: {MANIFEST}: {why}") from error
    return data.getvalue()


def _copied(members: Iterator[Member], keep: Mapping[str, Path], sizes: Mapping[str, int]) -> Iterator[Member]:
    """Yield the members; the bytes of those to keep are written to their files while they are read."""
    for member in members:
        path = keep.get(member.path)
        small = sizes.get(member.path, _LARGEST_KEPT) < _LARGEST_KEPT
        yield member if path is None or not small else member._replace(chunks=_written(member.chunks, path))


def _written(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            yield chunk


def _digests(
    members: Iterator[Member], sizes: Mapping[str, int], each: Callable[[], None], prefix: str
) -> tuple[dict[str, FileDigest], dict[str, str], str]:
    """Return the digests of the members, why some could not be read, and why those after them could not.

    No more than its size of a member is read, and nothing of one that the manifest does not have: ``sizes`` holds what
    it has. ``prefix`` is how messages begin that name the archive, which goes without saying here.
    """
    found: dict[str, FileDigest] = {}
    unread: dict[str, str] = {}
    try:
        for member in members:
            each()
            try:
                found[member.path] = _digest(member.chunks, sizes[member.path]) if member.path in sizes else _NOT_READ
            except CorruptRecordError as error:
                unread[member.path] = error.message.removeprefix(prefix)
    except CorruptRecordError as error:
        return found, unread, error.message.removeprefix(prefix)
    return found, unread, ""


def _digest(chunks: Iterator[bytes], most: int) -> FileDigest:
    sha256, size = hashlib.sha256(), 0
    for chunk in chunks:
        sha256.update(chunk)
        size += len(chunk)
        if size > most:
            raise CorruptRecordError(f"larger than the {most:,} bytes in the manifest")
    return FileDigest(sha256.hexdigest(), size)
