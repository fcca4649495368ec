"""How long ``verify`` takes for 10,000 and for 100,000 empty files in a folder, and the seconds of processor in it."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

from environment import environment_line

from promptrial.archive.manifest import (
    DIGEST,
    MANIFEST,
    ArchivedFile,
    ArchiveManifest,
    Completeness,
    digest_line,
    encode,
)
from promptrial.archive.places import LocalFolder
from promptrial.archive.reading import verify

SIZES = (10_000, 100_000)


def archive(folder: Path, files: int) -> None:
    """Make an archive of so many empty files."""
    names = [f"{number // 1000:03d}/{number:06d}" for number in range(files)]
    for number in range(0, files, 1000):
        (folder / f"{number // 1000:03d}").mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    empty = hashlib.sha256(b"").hexdigest()
    data = encode(
        ArchiveManifest(
            schema_version=1, run_id="r", promptrial_version="1", config_hash=None,
            completeness=Completeness(complete=True, phases={}, left=()),
            files=tuple(ArchivedFile(name, 0, empty) for name in names),
        )
    )  # fmt: skip
    (folder / MANIFEST).write_bytes(data)
    (folder / DIGEST).write_bytes(digest_line(data))


def main() -> None:
    """Print the table."""
    print(environment_line("promptrial"))
    print(f"{'files':>10}{'seconds':>10}{'processor':>11}{'us a file':>11}")
    for files in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            archive(Path(folder), files)
            began, worked = time.perf_counter(), time.process_time()
            assert not verify(LocalFolder(Path(folder))).differences  # noqa: S101 - else the figure means nothing
            passed, work = time.perf_counter() - began, time.process_time() - worked
            print(f"{files:>10,}{passed:>10.2f}{work:>11.2f}{1e6 * work / files:>11.1f}", flush=True)


if __name__ == "__main__":
    main()
