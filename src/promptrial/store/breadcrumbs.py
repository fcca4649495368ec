"""The plain files beside the results that name a part's job, so that a person finds it without this program.

``PART_job.json`` says what the job is called and what it was made for, ``PART_OUTPUT_DATASET_ID.txt`` where its answers
are. They are no record that a run uses; what it makes of them once its records are lost is ``phases.recovery``'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from promptrial.documents.files import read_bytes
from promptrial.store import atomic

__all__ = ["JOB_FILE", "OUTPUT_FILE", "Breadcrumb", "bring_back", "leave", "put_into", "read"]

JOB_FILE: Final = "_job.json"
OUTPUT_FILE: Final = "_OUTPUT_DATASET_ID.txt"
"""What the names of these files end with, after the part's."""


class Breadcrumb(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says about a job. One of an older tool says less, and never what was asked (``request_sha256``).

    ``name`` is what the vendor calls the job. ``key`` is what we sent to find it again, where that is not its name.
    """

    name: str
    key: str | msgspec.UnsetType = msgspec.UNSET
    outputDatasetId: str | None = None  # noqa: N815 - as it is called in the file
    inputDatasetId: str | None = None  # noqa: N815 - likewise
    provider: str | None = None
    model: str | None = None
    attempt: int = 1
    request_sha256: str | None = None


def leave(results: Path, part: str, crumb: Breadcrumb) -> None:
    """Write the files of a part into the folder of its trial's results."""
    text = msgspec.json.format(msgspec.json.encode(crumb), indent=2) + b"\n"
    atomic.write_bytes(results / f"{part}{JOB_FILE}", text)
    if crumb.outputDatasetId is not None:
        atomic.write_bytes(results / f"{part}{OUTPUT_FILE}", crumb.outputDatasetId.encode() + b"\n")


def read(path: Path) -> Breadcrumb | None:
    """Return what ``PART_job.json`` says; None if it does not exist, or is damaged.

    Raises
    ------
    OSError
        If it is there and cannot be read.
    """
    try:
        return msgspec.json.decode(read_bytes(path), type=Breadcrumb)
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def put_into(folder: Path, results: Path, part: str) -> None:
    """Move the files of a part, which name the job of earlier requests, into the folder of its answers to those."""
    _move_files(results, folder, part)


def bring_back(folder: Path, results: Path, part: str) -> None:
    """Move the files of a part back to where ``put_into`` found them, unless there are others by now."""
    if not (results / f"{part}{JOB_FILE}").exists():
        _move_files(folder, results, part)


def _move_files(source: Path, target: Path, part: str) -> None:
    for name in (f"{part}{OUTPUT_FILE}", f"{part}{JOB_FILE}"):
        if (source / name).exists():
            atomic.move(source / name, target / name)
