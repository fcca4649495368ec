"""Deliberate bugs, to show that the crash tests detect them. Each function plants one permanently in this process."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import pytest

from promptrial.design.plan import Fact
from promptrial.engine import facts, loop, manifests, previewing
from promptrial.jobs.work import PartWork
from promptrial.phases.base import Phase
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.providers.base import JobLookup
from promptrial.store import atomic, journal, jsonl, lock
from promptrial.store.part_records import FileRecord
from promptrial.store.rundir import RunDir
from tests.support.crash_vendor import Vendor


def write_in_place() -> None:
    """Open the target itself instead of a temporary file."""
    replace = atomic._replace

    def target(temporary: Path) -> Path:
        return temporary.with_name(temporary.name[1:].rsplit(".", 2)[0])

    def create(temporary: Path) -> BinaryIO:
        return target(temporary).open("wb", buffering=1 << 20)

    def keep(source: Path, destination: Path) -> None:
        if source.name.endswith(".tmp"):
            return
        replace(source, destination)

    atomic._create = create  # type: ignore[assignment]
    atomic._replace = keep  # type: ignore[assignment]


def no_folder_fsync() -> None:
    """Never flush a folder: a new name may be lost after its file was flushed."""
    atomic._fsync_folder = lambda path: None  # noqa: ARG005 - the name is part of what is replaced


def no_file_fsync() -> None:
    """Never flush a file: a name may point to nothing."""
    fsync = atomic._fsync
    atomic._fsync = lambda fd: fsync(fd) if stat.S_ISDIR(os.fstat(fd).st_mode) else None


def no_repaired_tail() -> None:
    """Append behind a torn line."""
    jsonl.repair_tail = lambda path: 0  # noqa: ARG005 - likewise


def forgotten_journal() -> None:
    """Keep what happened to a part in memory only, at a vendor without a lookup that would make up for it."""
    Vendor.lookup = JobLookup.NONE
    journal.Journal.append = lambda self, event: None  # type: ignore[method-assign]  # noqa: ARG005 - likewise


def no_lookup() -> None:
    """Create a job without looking whether it exists."""
    Vendor.find = lambda self, payload: None  # type: ignore[method-assign]  # noqa: ARG005 - likewise


_PROOF: Final = {
    "prepare": "prepared/open_book.jsonl",
    "parse": "{}/results/predictions.parquet",
    "score": "{}/results/per_item_scores.parquet",
    "stats": "{}/results/significance.json",
    "costs": "{}/results/costs.json",
    "report": "{}/reports/report.md",
}


def existing_files_are_done() -> None:
    """Skip the receipts: a phase is done when a file of it exists."""
    real = facts.facts_of

    def trusting(
        spec: RunSpec, services: Services, phase: Phase, work: Sequence[PartWork] | None = None
    ) -> Iterator[Fact]:
        for fact in real(spec, services, phase, work):
            proof = spec.run.root / _PROOF.get(phase.name, "none").format(fact.unit.trial)
            yield dataclasses.replace(fact, missing="") if proof.exists() else fact

    facts.facts_of = trusting
    pytest.MonkeyPatch().setattr(loop, "facts_of", trusting)


def kept_sentinel() -> None:
    """Leave a sentinel from before where it is, so that it stops the run that finds it."""
    remove = atomic.remove

    def forgetful(path: Path) -> None:
        if path.name != "STOP_REQUESTED":
            remove(path)

    atomic.remove = forgetful


def plan_that_repairs() -> None:
    """Set damaged manifests aside while only planning."""
    load = manifests.load_manifests
    pytest.MonkeyPatch().setattr(previewing, "load_manifests", lambda spec, services, **_: load(spec, services))


def no_lock() -> None:
    """Let a second writer in."""
    lock._try_exclusive = lambda fd: None  # noqa: ARG005 - likewise


def times_decide() -> None:
    """Judge as make does: what is older than the configuration is out of date."""
    problem = RunDir.file_problem

    def older(self: RunDir, relative: str, expected: FileRecord) -> str:
        path = self.root / relative
        if path.exists() and self.config_path.exists() and path.stat().st_mtime < self.config_path.stat().st_mtime:
            return f"{path.name} older"
        return problem(self, relative, expected)

    RunDir.file_problem = older  # type: ignore[method-assign]


BUGS: Final[dict[str, Callable[[], None]]] = {
    bug.__name__: bug
    for bug in (
        write_in_place,
        no_folder_fsync,
        no_file_fsync,
        no_repaired_tail,
        forgotten_journal,
        no_lookup,
        existing_files_are_done,
        kept_sentinel,
        plan_that_repairs,
        no_lock,
        times_decide,
    )
}
