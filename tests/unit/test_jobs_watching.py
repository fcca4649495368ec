"""A job that waits for a person: what is put on record, what is said, and for how long it is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import ActionNeeded
from promptrial.jobs.recording import Recorder
from promptrial.providers.base import JobRef, JobState, JobStatus
from tests.support.hosted_provider import HostedProvider, Lab, statuses

UPLOAD = JobStatus(JobState.BY_HAND, message="upload the file", steps=("cp a b", "# then wait"), patient=True)
START = JobStatus(JobState.BY_HAND, message="press start", patient=True)
LOOK = JobStatus(JobState.BY_HAND, message="look at it", patient=False)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path)


def waits(monkeypatch: pytest.MonkeyPatch, *said: JobStatus) -> list[str | None]:
    """Let a job say this, look by look, before it says how it is; return the reasons that are put on record."""
    left, noted = [*said], list[str | None]()
    status, record = HostedProvider.status, Recorder.record_attempt

    def next_status(provider: HostedProvider, job: JobRef) -> JobStatus:
        return left.pop(0) if left else status(provider, job)

    def noting(recorder: Recorder, work: Any, state: Any, **fields: Any) -> None:
        if state == "running":
            noted.append(fields.get("reason"))
        record(recorder, work, state, **fields)

    monkeypatch.setattr(HostedProvider, "status", next_status)
    monkeypatch.setattr(Recorder, "record_attempt", noting)
    return noted


def test_the_steps_for_a_person_are_recorded_and_printed_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    noted = waits(monkeypatch, UPLOAD, UPLOAD, UPLOAD)
    lab.collect(work)
    assert statuses(work) == ["downloaded"]
    assert [each for each in noted if each] == ["upload the file"]
    assert lab.said.count(f"{work[0].name}: upload the file\n  cp a b\n  # then wait") == 1


def test_the_next_step_replaces_the_previous_one_and_is_cleared_when_the_job_runs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    noted = waits(monkeypatch, UPLOAD, START, JobStatus(JobState.WORKING))
    lab.collect(work)
    assert noted == ["upload the file", "press start", None]
    assert f"{work[0].name}: press start" in lab.said


def test_a_job_that_needs_a_person_and_is_not_waited_for_ends_the_work_with_the_step(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    waits(monkeypatch, *[LOOK] * 9)
    before = lab.clock.monotonic()
    with pytest.raises(ActionNeeded, match="look at it"):
        lab.collect(work)
    assert lab.clock.monotonic() == before
    assert (work[0].record.status, work[0].record.reason) == ("running", "look at it")
    assert not any("look at it" in text for text in lab.said)
