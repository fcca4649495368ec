"""Which files of a run go into an archive, and the manifest that lists them. Reads the run, and writes nothing."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from promptrial import __version__
from promptrial.archive.manifest import (
    DIGEST,
    MANIFEST,
    OWN_FILES,
    SCHEMA_VERSION,
    SCRIPT,
    ArchivedFile,
    ArchiveManifest,
    Completeness,
    digest_line,
    encode,
)
from promptrial.documents.files import open_regular, path_problem, read_bytes
from promptrial.errors import CorruptRecordError, PromptrialError
from promptrial.store import jsonl, records
from promptrial.store.known_digests import FILE as KNOWN_DIGESTS
from promptrial.store.records import RunState
from promptrial.store.rundir import RunDir

__all__ = ["LEFT_OUT", "Content", "contents_of", "run_files"]

LEFT_OUT: Final = frozenset({".state.lock", ".state.lock.takeover", "STOP_REQUESTED", ".emulator", KNOWN_DIGESTS})
"""What is at the top of a run for the process that works on it, and says nothing of the run."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file of an archive: where it will be there, and where it comes from (the disk, or memory)."""

    path: str
    size: int
    source: Path | bytes

    def open(self) -> BinaryIO:
        """Return its bytes, to be read once."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else open_regular(self.source)


def run_files(root: Path) -> list[tuple[str, Path]]:
    """Return the files below ``root`` that an archive keeps, sorted by their relative paths.

    Raises
    ------
    PromptrialError
        If something is neither a file nor a folder, or has a name that an archive must not have.
    """
    return sorted((path.relative_to(root).as_posix(), path) for path in _walk(root, LEFT_OUT))


def _walk(folder: Path, left_out: frozenset[str] = frozenset()) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        there = list(entries)
    for entry in there:
        path = Path(entry.path)
        if entry.name in left_out or entry.name.endswith(".tmp"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            raise PromptrialError(
                f"{path}: a link or special file; an archive holds only plain files",
                hint="replace it by the file itself, or remove it; then run the same command again",
            )


def contents_of(
    run: RunDir, config_hash: str | None, completeness: Completeness, each: Callable[[], None] = lambda: None
) -> tuple[ArchiveManifest, tuple[Content, ...]]:
    """Return the manifest of a run as it is, and what the archive will hold: the manifest first, then by path.

    ``each`` is called before each file is read.

    Raises
    ------
    PromptrialError
        If a file cannot go into an archive; names it.
    """
    script = read_bytes(Path(__file__).with_name(SCRIPT))
    listed = [
        (ArchivedFile(SCRIPT, len(script), hashlib.sha256(script).hexdigest()), Content(SCRIPT, len(script), script))
    ]
    for relative, path in run_files(run.root):
        each()
        _check_name(relative, path)
        listed.append(_without_place(run) if path == run.state_path else _as_it_is(relative, path))
    listed.sort(key=lambda pair: pair[0].path)
    manifest = ArchiveManifest(
        schema_version=SCHEMA_VERSION,
        run_id=run.run_id,
        promptrial_version=__version__,
        config_hash=config_hash,
        completeness=completeness,
        files=tuple(file for file, _ in listed),
    )
    return manifest, (*_heads(encode(manifest)), *(content for _, content in listed))


def _as_it_is(relative: str, path: Path) -> tuple[ArchivedFile, Content]:
    digest = jsonl.digest(path)
    return ArchivedFile(relative, digest.size, digest.sha256), Content(relative, digest.size, path)


def _without_place(run: RunDir) -> tuple[ArchivedFile, Content]:
    """Return the state of a run without the place of its configuration; a damaged one is kept as it is."""
    relative = run.relative(run.state_path)
    try:
        state = records.load(run.state_path, RunState)
    except CorruptRecordError:
        return _as_it_is(relative, run.state_path)
    state.forget_place()
    data = records.encoded(run.state_path, state)
    file = ArchivedFile(relative, len(data), hashlib.sha256(data).hexdigest())
    return file, Content(relative, len(data), data)


def _heads(data: bytes) -> Sequence[Content]:
    line = digest_line(data)
    return Content(MANIFEST, len(data), data), Content(DIGEST, len(line), line)


def _check_name(relative: str, path: Path) -> None:
    if relative in OWN_FILES:
        raise PromptrialError(
            f"{path}: this name is reserved in archives",
            hint="if it came from an archive that was unpacked by hand, remove it; otherwise rename it",
        )
    if problem := path_problem(relative):
        raise PromptrialError(f"{path}: {problem}", hint="rename it, then run the same command again")
