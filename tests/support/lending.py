"""Sealed parts of another run for tests of reuse, and parts that take answers over from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.phases.lending import LentPart
from promptrial.phases.reuse import take
from promptrial.phases.stored_rows import StoredRows
from promptrial.runtime.events import EventLog, Redactor
from promptrial.store import jsonl
from promptrial.store.part_records import FileRecord
from tests.support.hosted_provider import Lab, Vendor, parse_fake_row

__all__ = ["as_lent", "lent_by", "recorder_of", "take_all"]


def as_lent(work: PartWork, asked_at: str = "2026-01-01T00:00:00.000000Z") -> LentPart:
    """Return a sealed part as another run sees it."""
    requests, results = work.folder.requests(work.part.name), work.folder.part_results(work.part.name)
    return LentPart(
        folder=work.folder,
        name=work.part.name,
        provider=work.model.provider,
        adapter=work.model.adapter,
        asked=work.request_sha256,
        engines=(),
        requests=_record(requests),
        results=_record(results),
        asked_at=asked_at,
    )


def lent_by(root: Path, clock: Lab, **size: int) -> list[LentPart]:
    """Return the parts of a run that a vendor has answered whole, in a folder of its own."""
    lab = Lab(root, Vendor(clock.clock))
    work = lab.work(**size)  # type: ignore[arg-type]
    lab.complete(work)
    return [as_lent(each) for each in work]


def recorder_of(lab: Lab, redact: Redactor | None = None) -> Recorder:
    """Return what records changes of the parts of a lab; it keeps nothing secret unless it is told what."""
    events = EventLog(lab.clock.now, redact or Redactor({}), lab.said.append)
    return Recorder(lab.clock, events, lambda _slug, _key: None)


def take_all(lab: Lab, work: Sequence[PartWork], lent: Sequence[LentPart]) -> int:
    """Let parts take over what there is; return how many answers that are."""
    rows = StoredRows(lent)
    return sum(take(each, recorder_of(lab), rows, _is_complete).total() for each in work)


def _is_complete(line: bytes) -> bool:
    try:
        return parse_fake_row(line).error is None
    except ValueError:
        return False


def _record(path: Path) -> FileRecord:
    found = jsonl.digest(path)
    return FileRecord(found.sha256, found.size, jsonl.count(path))
