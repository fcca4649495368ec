"""Runs that were never run, for tests of archives: a folder of files is enough; and an S3 server on the loopback."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx

from promptrial.archive.contents import Content, contents_of
from promptrial.archive.manifest import (
    DIGEST,
    MANIFEST,
    ArchivedFile,
    ArchiveManifest,
    Completeness,
    digest_line,
    encode,
)
from promptrial.archive.places import Place
from promptrial.store.rundir import RunDir

FILES = {
    "a/results/rows.jsonl": b'{"answer":"Paris"}\n' * 40,
    "a/results/torn.bin": bytes(range(256)) * 3,
    "empty.txt": b"",
    "prepared/closed_book.jsonl": "Où ?\n".encode(),
    "run.log": b"one\ntwo\n",
}
BUCKET = "trials"


def write_tree(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder."""
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def read_tree(root: Path) -> dict[str, bytes]:
    """Return the files below a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def make_run(experiments: Path, files: Mapping[str, bytes] = FILES, run_id: str = "r") -> RunDir:
    """Return a run whose folder holds these files."""
    run = RunDir(experiments, run_id)
    run.root.mkdir(parents=True, exist_ok=True)
    write_tree(run.root, files)
    return run


def contents(run: RunDir) -> tuple[ArchiveManifest, tuple[Content, ...]]:
    """Return what an archive of such a run holds."""
    return contents_of(run, None, Completeness(complete=False, phases={}, left=("all of it",)))


def put(place: Place, run: RunDir) -> ArchiveManifest:
    """Write a run to a place, without a look at it."""
    manifest, files = contents(run)
    place.write(f"run_{run.run_id}", files)
    return manifest


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Run an S3 server on a free port of the loopback, with one bucket; yields its address."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        rest = Thread(target=shutil.copyfileobj, args=(server.stderr, out))  # it waits forever if its stderr is full
        try:
            url = None
            while url is None:
                line = server.stderr.readline()
                assert line, f"the server ended: {log.read_text()}"
                out.write(line)
                out.flush()
                found = re.search(rb"Running on (http://127\.0\.0\.1:\d+)", line)
                url = found and found[1].decode()
            rest.start()
            assert httpx.put(f"{url}/{BUCKET}", timeout=60).status_code == 200
            yield url
        finally:
            server.terminate()
            if rest.ident is not None:
                rest.join()


def expanding_archive(claimed: int = 1 << 50, blocks: int = 300_000) -> bytes:
    """Return a packed archive whose one file has four bytes for each 128 KiB of zeros, and claims a size of its own."""
    listed = ArchiveManifest(
        schema_version=1, run_id="r", promptrial_version="1", config_hash=None,
        completeness=Completeness(complete=True, phases={}, left=()), files=(ArchivedFile("zeros", claimed, "0" * 64),),
    )  # fmt: skip
    data = encode(listed)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in ((MANIFEST, data), (DIGEST, digest_line(data))):
            info = tarfile.TarInfo(f"run_r/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        head = tarfile.TarInfo("run_r/zeros")
        head.size = claimed
        heads = out.getvalue() + head.tobuf(tarfile.GNU_FORMAT)
    magic, window = b"\x28\xb5\x2f\xfd\x00", bytes([7 << 3])  # RFC 8878: a window of 128 KiB, no size, no checksum
    return magic + window + _block(0, len(heads)) + heads + (_block(1, 1 << 17) + b"\0") * blocks


def _block(kind: int, size: int) -> bytes:
    return (kind << 1 | size << 3).to_bytes(3, "little")
