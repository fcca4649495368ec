"""What an archive says about itself: ``archive_manifest.json`` as a value, and how files differ from it. Reads no file.

The digest of the manifest is beside it, in ``archive_manifest.sha256``, in the form that ``sha256sum -c`` reads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from promptrial.documents import schemas
from promptrial.documents.files import path_problem
from promptrial.errors import CorruptRecordError
from promptrial.store.jsonl import FileDigest
from promptrial.store.records import PhaseStatus

__all__ = [
    "DIGEST",
    "MANIFEST",
    "OWN_FILES",
    "PACKED",
    "SCRIPT",
    "ArchiveManifest",
    "ArchivedFile",
    "Completeness",
    "Difference",
    "decode",
    "differences",
    "digest_line",
    "encode",
    "json_schema",
]

MANIFEST: Final = "archive_manifest.json"
DIGEST: Final = "archive_manifest.sha256"
SCRIPT: Final = "verify.py"
OWN_FILES: Final = (MANIFEST, DIGEST, SCRIPT)
"""What an archive holds besides the files of the run."""
PACKED: Final = ".tar.zst"
"""How the name of a packed archive ends."""
SCHEMA_VERSION: Final = 1
_OUTSIDE: Final = "(outside of the files)"
_HEX: Final = re.compile("[0-9a-f]{64}")


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file: its path from the top of the archive, with forward slashes; its size in bytes; its SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


class Completeness(msgspec.Struct, frozen=True):
    """How far the run was: whether it was complete, the status of each phase, and what was left to do.

    ``left`` has a sentence for each phase that was not done. ``phases`` is empty for a run without a state.
    """

    complete: bool
    phases: dict[str, PhaseStatus]
    left: tuple[str, ...]


class ArchiveManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document. ``files`` are sorted by path; the manifest and its digest are not among them.

    ``config_hash`` is null for a run without a state.
    """

    schema_version: Literal[1]
    run_id: str
    promptrial_version: str
    config_hash: str | None
    completeness: Completeness
    files: tuple[ArchivedFile, ...]

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)


class Difference(NamedTuple):
    """A file that is not as the manifest has it: ``missing``, ``extra``, ``differs`` or ``unreadable``."""

    path: str
    what: Literal["missing", "extra", "differs", "unreadable"]
    why: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.path}" + (f" ({self.why})" if self.why else "")


def encode(manifest: ArchiveManifest) -> bytes:
    """Return the manifest as indented JSON that ends in a newline; equal manifests give equal bytes."""
    return schemas.encode(manifest)


def digest_line(data: bytes) -> bytes:
    """Return what ``archive_manifest.sha256`` holds for a manifest of these bytes."""
    return f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n".encode()


def decode(data: bytes, where: str) -> ArchiveManifest:
    """Return a manifest whose content can be trusted: of a known version, and with paths that stay inside.

    Raises
    ------
    CorruptRecordError
        If it is not one; names ``where`` it was found.
    NewerVersionError
        If a newer version of the program made it.
    """
    try:
        schemas.check_version(data, SCHEMA_VERSION, f"{where}: {MANIFEST}")
        manifest = msgspec.json.decode(data, type=ArchiveManifest)
    except (ValueError, RecursionError) as error:  # msgspec's errors, bad UTF-8 and endless nesting
        raise CorruptRecordError(f"{where}: {MANIFEST}: damaged: {error}") from error
    problem = next(_problems(manifest.files), None)
    if problem is not None:
        raise CorruptRecordError(f"{where}: {MANIFEST}: {problem}")
    return manifest


def _problems(files: Sequence[ArchivedFile]) -> Iterator[str]:
    paths = [file.path for file in files]
    if paths != sorted(set(paths)):
        yield "its files are not in order, or one is listed twice"
    folders = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    for file in files:
        if problem := path_problem(file.path):
            yield f"{file.path!r}: {problem}"
        if file.path in folders or file.path in (MANIFEST, DIGEST):
            yield f"{file.path!r}: this name is reserved"
        if file.size < 0 or not _HEX.fullmatch(file.sha256):
            yield f"{file.path!r}: its size or SHA-256 is missing"


def differences(
    manifest: ArchiveManifest, found: Mapping[str, FileDigest], unread: Mapping[str, str], stopped: str = ""
) -> tuple[Difference, ...]:
    """Return how the files of an archive differ from its manifest, sorted by path.

    Parameters
    ----------
    manifest : ArchiveManifest
    found : mapping
        The digest of each file that could be read, without the manifest and its own digest.
    unread : mapping
        Why a file could not be read to its end.
    stopped : str
        Why nothing more could be read, if so; the first file that was not come to is what is damaged then,
        or, if there is none, what is between and after the files.
    """
    left = [file.path for file in manifest.files if file.path not in found and file.path not in unread]
    rest: list[Difference] = [Difference(path, "missing") for path in left]
    if stopped:
        rest = [Difference(path, "unreadable", "after the damage") for path in left]
        if not unread:
            rest[:1] = [Difference(left[0] if left else _OUTSIDE, "differs", stopped)]
    expected = {file.path: FileDigest(file.sha256, file.size) for file in manifest.files}
    wrong = [
        Difference(path, "differs" if path in expected else "extra")
        for path, digest in found.items()
        if expected.get(path) != digest
    ]
    return tuple(sorted([*rest, *wrong, *(Difference(path, "differs", why) for path, why in unread.items())]))


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the manifest, as published in ``docs/schemas``."""
    return schemas.json_schema(ArchiveManifest, f"promptrial {MANIFEST}, schema_version {SCHEMA_VERSION}")
