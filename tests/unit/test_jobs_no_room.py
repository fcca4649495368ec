"""A job that the vendor takes and then finds no room for: its requests wait, and are sent again as the same attempt."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from promptrial.errors import OutcomeUnknownError, PhaseFailedError, StopRequested
from promptrial.providers.base import JobLookup, JobState
from tests.support.hosted_provider import Lab, Lost, answered_ids, asked_ids, statuses


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, keyed=False, lookup=JobLookup.SEARCH, takes_s=1.0)


def full(lab: Lab, times: int) -> None:
    lab.vendor.endings.extend([(JobState.NO_ROOM, 0.0)] * times)


def test_without_quota_requests_are_sent_again_until_there_is_room_and_no_attempt_is_counted(lab: Lab) -> None:
    work = lab.work()[:1]
    full(lab, 20)
    lab.complete(work, max_attempts=1, quota_wait_s=60.0, poll_interval_s=1.0)
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    (intent,) = work[0].record.intents
    assert intent.attempt == 1
    assert lab.vendor.count("submit") == 21
    at = [call.at for call in lab.vendor.calls if call.operation == "submit"]
    assert all(after - before >= 60 for before, after in itertools.pairwise(at))
    assert not any("failed" in text for text in lab.said)


def test_a_job_that_never_gets_quota_fails_with_what_to_do_after_the_deadline_of_a_job(lab: Lab) -> None:
    work = lab.work()[:1]
    full(lab, 1000)
    with pytest.raises(PhaseFailedError, match=r"no capacity for job .* for 26 hours .*lower `max_rows`"):
        lab.complete(work, quota_wait_s=60.0, poll_interval_s=1.0)
    assert lab.clock.monotonic() > 26 * 3600
    assert lab.vendor.count("submit") < 26 * 6 + 20, "the waits grow to ten minutes"
    lab.vendor.endings.clear()
    lab.complete(work, quota_wait_s=60.0, poll_interval_s=1.0)
    assert statuses(work) == ["downloaded"]


def test_waiting_for_quota_is_reported_once_for_all_parts_and_recorded(lab: Lab) -> None:
    work, seen = lab.work(shards=2), []
    lab.vendor.message = "in progress"
    full(lab, 4)
    lab.vendor.script(
        "stage", None, None, None, None, lambda: seen.append([each.record.reason for each in work if each.intents])
    )
    lab.complete(work, poll_interval_s=1.0)
    assert statuses(work) == ["downloaded"] * 4
    assert sum("waiting for capacity" in text for text in lab.said) == 1, lab.said
    assert any("waiting for capacity" in str(reason) for reason in seen[0])
    assert work[0].record.reason is None
    assert set(lab.vendor.asked().values()) == {2}, "each part was sent twice, and answered once"


def test_a_stop_while_waiting_for_quota_creates_nothing_and_a_resume_makes_the_same_attempt(lab: Lab) -> None:
    work = lab.work()[:1]
    full(lab, 1)
    lab.submit(work)
    lab.new_process(lambda: lab.clock.monotonic() > 30)
    with pytest.raises(StopRequested):
        lab.collect(work, quota_wait_s=60.0)
    assert lab.vendor.count("submit") == 1
    assert statuses(work) == ["pending"]
    lab.new_process()
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert [intent.attempt for intent in work[0].record.intents] == [1]
    assert lab.vendor.count("submit") == 2


def test_a_job_refused_for_quota_after_an_unanswered_create_is_not_taken_for_a_job(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.fences = True
    full(lab, 1)
    lab.vendor.script("submit", Lost())
    lab.complete(work, settle_s=60.0)
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])


def test_requests_left_unanswered_by_an_earlier_job_wait_for_quota_too(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.extend([(JobState.EXPIRED, 0.5), (JobState.NO_ROOM, 0.0)])
    lab.complete(work, max_attempts=2, poll_interval_s=1.0)
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert [intent.attempt for intent in work[0].record.intents] == [1, 2]


def test_an_unknown_outcome_stays_unknown_where_nothing_can_be_fenced(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    with pytest.raises(Exception, match="cannot be determined"):
        lab.submit(work)
    assert statuses(work) == ["unknown"]
