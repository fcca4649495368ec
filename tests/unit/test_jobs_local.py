"""Parts that this process computes: what is on disk counts, what is lacking is computed, and failures say why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import PermanentError, PhaseFailedError
from promptrial.jobs.local import PartRows
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, JobStatus, PartPayload
from promptrial.providers.live import AnswersDirectly
from promptrial.runtime.events import EventLog, Redactor
from promptrial.store import jsonl
from tests.support.hosted_provider import Lab, answered_ids, asked_ids, statuses


class Computes(AnswersDirectly):
    """An adapter that computes rows, no more than it may; ``asked`` has the ids of those that it was asked for."""

    name, local = "embedded", True

    def __init__(self) -> None:
        self.most = 100
        self.asked: list[str] = []
        self.state = JobState.READY

    def results(self, _job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        for _, request in zip(range(self.most), payload.requests(), strict=False):
            self.asked.append(request.custom_id)
            yield b'{"custom_id":"%s"}' % request.custom_id.encode()

    def status(self, _job: JobRef) -> JobStatus:
        return JobStatus(self.state, message="the model is gone")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path)


def computed(lab: Lab, adapter: Computes) -> PartWork:
    (work, _) = lab.work(rows=4)
    work.manifest.hosted = False
    provider: Any = adapter
    return replace(work, provider=lambda: provider)


def rows(lab: Lab, work: PartWork) -> PartRows:
    events = EventLog(lab.clock.now, Redactor({}), lab.said.append)
    return PartRows(work, Recorder(lab.clock, events, lambda _slug, _key: None))


def test_rows_that_are_on_disk_are_not_computed_again(lab: Lab) -> None:
    adapter = Computes()
    work = computed(lab, adapter)
    adapter.most = 3
    with pytest.raises(PhaseFailedError, match="1 of 4 requests have no answer"):
        lab.complete([work])
    assert adapter.asked == asked_ids(work)[:3]
    adapter.most = 100
    lab.complete([work])
    assert adapter.asked == asked_ids(work), "each was computed once"
    assert answered_ids(work) == asked_ids(work)
    assert statuses([work]) == ["downloaded"]


def test_rows_that_were_sealed_and_not_recorded_are_the_rows_that_they_are(lab: Lab) -> None:
    adapter = Computes()
    work = computed(lab, adapter)
    lab.submit([work])
    sealed = work.folder.part_results(work.part.name)
    sealed.parent.mkdir(parents=True, exist_ok=True)
    sealed.write_bytes(b"".join(b'{"custom_id":"%s"}\n' % each.encode() for each in asked_ids(work)))
    lab.collect([work])
    assert adapter.asked == []
    assert statuses([work]) == ["downloaded"]


def test_after_a_damaged_row_all_rows_are_computed_again(lab: Lab) -> None:
    adapter = Computes()
    work = computed(lab, adapter)
    lab.submit([work])
    path = work.folder.part_rows(work.part.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'{"custom_id":"%s"}\ngarbled\n' % asked_ids(work)[0].encode())
    lab.collect([work])
    assert adapter.asked == asked_ids(work)
    assert any("a row is damaged" in text for text in lab.said)


def test_a_job_that_is_not_ready_is_named_with_its_state(lab: Lab) -> None:
    adapter = Computes()
    work = computed(lab, adapter)
    lab.submit([work])
    adapter.state = JobState.FAILED
    with pytest.raises(PhaseFailedError, match=r"its job .* is failed: the model is gone"):
        lab.collect([work])
    assert adapter.asked == []


def test_a_part_that_was_never_submitted_has_no_rows_to_open(lab: Lab) -> None:
    work = computed(lab, Computes())
    with pytest.raises(PermanentError, match="it was never submitted") as error:
        rows(lab, work).open()
    assert error.value.hint == "select the submit step too"
    assert not rows(lab, work).take_reused()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermanentError("refused", hint="look there"), "refused (look there)"),
        (PermanentError("refused"), "refused"),
        (OSError("disk full"), "disk full"),
    ],
)
def test_a_failure_is_put_on_record_and_told_with_what_to_do(lab: Lab, error: Exception, said: str) -> None:
    work = computed(lab, Computes())
    lab.submit([work])
    assert rows(lab, work).note_failure(error) == said
    assert (work.record.status, work.record.reason) == ("failed", said.partition(" (")[0])


def test_what_is_sealed_is_on_record_with_its_rows(lab: Lab) -> None:
    work = computed(lab, Computes())
    lab.complete([work])
    sealed = work.folder.part_results(work.part.name)
    assert work.record.results is not None
    assert (work.record.results.rows, work.record.results.size) == (4, sealed.stat().st_size)
    assert jsonl.count(sealed) == 4
