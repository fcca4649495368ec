"""Answers that trials share: one of the parts that ask the same is answered, and the others get copies of its answers.

That one has the ledger. The records of the others name it, so that it is known even when its own record is lost.
"""

from __future__ import annotations

from typing import Final

from promptrial.documents.files import open_regular
from promptrial.jobs.answers import make_ready
from promptrial.jobs.paid_rows import PaidRows
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.store.asked_files import leave_asked
from promptrial.store.atomic import AtomicFile

__all__ = ["is_copy", "share"]

_SHARED: Final = "shared with "
"""What the record of a part begins with whose answers are a copy."""


def is_copy(work: PartWork) -> bool:
    """Whether the answers of a part were given to it by a part of another trial."""
    return (work.record.reason or "").startswith(_SHARED)


def share(work: PartWork, source: PartWork, recorder: Recorder) -> None:
    """Give a part the answers of a downloaded one that asks exactly the same.

    Side effects: files, and the record of the part; if it was the one that was asked, request by request, and its
    record is lost, that says again what the answers cost.
    """
    if work.live:  # it was started before answers were shared
        own = PaidRows(work, recorder)
        own.settle(len(own.finished()))
    make_ready(work, recorder)
    if work.record.request_sha256 != work.request_sha256:  # so that what is copied counts as its own
        recorder.record(work, "pending", request_sha256=work.request_sha256)
    target = work.folder.part_results(work.part.name)
    leave_asked(target.parent, source.asked)
    with (
        open_regular(source.folder.part_results(source.part.name)) as answers,
        AtomicFile(target) as file,
    ):
        while piece := answers.read(1 << 20):
            file.write(piece)
    sealed = source.record
    results = work.folder.run.record(target, None if sealed.results is None else sealed.results.rows)
    if _was_asked(work):
        PaidRows(work, recorder).record_sealed(results, attempt=sealed.attempt, job=sealed.job)
        return
    recorder.record(
        work,
        "downloaded",
        request_sha256=work.request_sha256,
        attempt=sealed.attempt,
        job=sealed.job,
        results=results,
        reason=f"{_SHARED}{source.name}",
    )


def _was_asked(work: PartWork) -> bool:
    """Whether a part was asked request by request for all that share its answers: they say so, and none was itself."""
    if work.hosted or work.live or not any(each.record.reason == f"{_SHARED}{work.name}" for each in work.duplicates):
        return False
    return not (work.provider().local or any(each.intents or each.sent_one_by_one for each in work.duplicates))
