"""The queue over hosted jobs: how many at a time, in which order, what failures, stops, doubts and resumes lead to."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from fireworks.batch_queue_manager import QueueManager as ImportedQueueManager
from promptrial.errors import (
    Detached,
    OutcomeUnknownError,
    PermanentError,
    PhaseFailedError,
    QuotaReachedError,
    ResultsGoneError,
    StopRequested,
    TransientError,
)
from promptrial.jobs.queue import QueueManager
from promptrial.jobs.work import PartWork
from promptrial.model.units import RUN
from promptrial.providers.base import JobState, PartPayload, Staged
from promptrial.runtime.events import EventLog, Redactor
from promptrial.runtime.progress import NoProgress
from promptrial.store.journal import PartEvent, fold
from promptrial.store.part_records import FileRecord, PartStatus
from promptrial.store.rundir import RunDir
from tests.support.hosted_provider import HOUR_S, HostedProvider, Lab, Lost, answered_ids, asked_ids, statuses


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path)


def test_the_queue_is_found_under_the_name_that_runbooks_import() -> None:
    assert ImportedQueueManager is QueueManager


# --- how many, and in which order ------------------------------------------------------------------------------------


def test_the_number_of_jobs_in_flight_is_limited_and_all_parts_are_fetched(lab: Lab) -> None:
    work = lab.work(shards=6)
    lab.complete(work, max_concurrent_jobs=4)
    assert lab.vendor.most_in_flight == 4
    assert statuses(work) == ["downloaded"] * 12
    assert all(answered_ids(each) == asked_ids(each) for each in work)
    assert set(lab.vendor.asked().values()) == {1}


def test_both_arms_of_a_shard_are_submitted_together_and_trials_take_turns(lab: Lab) -> None:
    lab.complete(lab.work(trials=2, shards=2), max_concurrent_jobs=3)
    assert lab.vendor.names("submit") == [
        f"pt-{trial}-t0-{arm}-p00{shard}-a1"
        for shard in (1, 2)
        for trial in ("trial1", "trial2")
        for arm in ("control", "treatment")
    ]


def test_the_caller_is_notified_of_each_submitted_and_downloaded_part(lab: Lab) -> None:
    told: list[tuple[str, str]] = []
    work = lab.work()
    events = EventLog(lab.clock.now, Redactor({}), lab.said.append)
    queue = QueueManager(work, lab.clock, events, lab.stop, lambda *what: told.append(what))
    with NoProgress().task("submit", RUN, None) as task:
        queue.submit(task)
    parts = [(each.folder.slug, each.part.resume_key) for each in work]
    assert sorted(told) == sorted(parts)
    with NoProgress().task("poll", RUN, None) as task:
        queue.collect(task)
    assert sorted(told) == sorted(2 * parts)


def test_a_job_that_takes_half_a_day_is_polled_at_most_once_a_minute(lab: Lab) -> None:
    lab.vendor.takes_s = 12 * HOUR_S
    work = lab.work()
    lab.complete(work, poll_interval_s=10.0, longest_poll_interval_s=60.0)
    looks = [
        call.at for call in lab.vendor.calls if call.operation == "status" and call.name.startswith("pt-trial1-t0-c")
    ]
    for hour in range(12):
        assert sum(hour * HOUR_S <= at < (hour + 1) * HOUR_S for at in looks) <= 65
    assert len(looks) >= 12 * 60
    assert lab.clock.monotonic() - 12 * HOUR_S <= 61


def test_a_job_that_misses_its_deadline_is_given_up_and_reported(lab: Lab) -> None:
    lab.vendor.takes_s = 100 * HOUR_S
    work = lab.work()
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="has not ended within 26 h"):
        lab.collect(work)
    assert statuses(work) == ["running", "running"], "a resume follows the same jobs"


def test_submitting_ends_as_soon_as_every_part_has_a_job(lab: Lab) -> None:
    work = lab.work(shards=2)
    lab.submit(work, max_concurrent_jobs=4)
    assert statuses(work) == ["running"] * 4
    assert lab.clock.monotonic() == 0.0


def test_the_providers_message_about_waiting_jobs_is_shown_for_the_first_and_logged_for_the_others(lab: Lab) -> None:
    lab.vendor.message = "waiting for capacity"
    lab.complete(lab.work(shards=3))
    said = "trial1/t0_control_p001: waiting for capacity (other parts may be affected too)"
    assert [text for text in lab.said if "capacity" in text] == [said] * 2, "once in each phase"


# --- failures --------------------------------------------------------------------------------------------------------


def test_waits_grow_after_failures_and_a_vendor_cannot_ask_for_more_than_five_minutes(lab: Lab) -> None:
    lab.vendor.script(
        "submit", TransientError("busy", retry_after_s=1e9), TransientError("busy"), TransientError("busy")
    )
    lab.submit(lab.work(), max_concurrent_jobs=1)
    at = [call.at for call in lab.vendor.calls if call.operation == "submit"]
    assert at[1] - at[0] == pytest.approx(300, abs=0.01)
    assert 1 <= at[2] - at[1] <= 2
    assert 2 <= at[3] - at[2] <= 4


def test_an_outage_of_half_an_hour_ends_every_part_and_a_resume_does_all_of_it(lab: Lab) -> None:
    work = lab.work(shards=20)
    lab.vendor.script("stage", *[TransientError("no luck")] * 1000)
    with pytest.raises(PhaseFailedError, match="40 of 40 parts failed") as caught:
        lab.submit(work, max_concurrent_jobs=4)
    assert caught.value.message.count("no luck") == 40
    assert 1800 <= lab.clock.monotonic() <= 1800 + 61, "it is borne once, and not once for each part"
    assert sum("is not responding" in text for text in lab.said) == 1
    lab.vendor.scripts.clear()
    lab.complete(work)
    assert set(lab.vendor.asked().values()) == {1}


def test_a_full_quota_is_waited_for_without_limit_and_reported_once(lab: Lab) -> None:
    work = lab.work(shards=3)
    lab.vendor.script("submit", *[QuotaReachedError("in use: 16, quota: 16")] * 200)
    lab.complete(work, quota_wait_s=60.0)
    assert statuses(work) == ["downloaded"] * 6
    assert sum("quota" in text for text in lab.said) == 1, lab.said
    at = [call.at for call in lab.vendor.calls if call.operation == "submit" and "control-p001" in call.name]
    assert all(after - before == pytest.approx(60, abs=0.01) for before, after in itertools.pairwise(at))


def test_a_part_that_waits_for_quota_says_so_in_its_record_until_it_has_a_job(lab: Lab) -> None:
    work, seen = lab.work(), []
    lab.vendor.script(
        "submit", QuotaReachedError("quota: 0"), lambda: seen.append((work[0].record.status, work[0].record.reason))
    )
    lab.submit(work, max_concurrent_jobs=1)
    assert seen == [("submitting", "waiting for capacity: quota: 0")]
    assert work[0].record.reason is None
    assert work[0].record.intents[0].reason is None


def test_a_part_that_fails_does_not_stop_the_others_and_the_error_lists_it_and_the_command(lab: Lab) -> None:
    work = lab.work(shards=3)
    lab.vendor.script("submit", None, PermanentError("the model is not served"))
    with pytest.raises(PhaseFailedError) as caught:
        lab.submit(work)
    assert caught.value.message.startswith("1 of 6 parts failed:")
    assert "trial1/t0_treatment_p001: the model is not served" in caught.value.message
    assert caught.value.hint == work[0].folder.run.resume_command
    assert lab.vendor.count("submit") == 6
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 6
    assert set(lab.vendor.asked().values()) == {1}


def test_only_requests_left_unanswered_are_asked_again_up_to_a_maximum(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.extend([(JobState.EXPIRED, 0.5), (JobState.EXPIRED, 0.5), (JobState.EXPIRED, 0.0)])
    lab.complete(work, max_attempts=3)
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == [4, 2, 1]
    assert answered_ids(work[0]) == asked_ids(work[0])[:3]
    assert work[0].record.reason == ("1 of 4 requests have no answer: the results of 3 jobs have no row for them")
    assert any("they count as missing" in text for text in lab.said)


def test_new_attempts_respect_the_limit_of_jobs_in_flight(lab: Lab) -> None:
    def slower() -> None:
        lab.vendor.takes_s = 5000.0

    work = lab.work(shards=3)
    lab.vendor.endings.extend([(JobState.EXPIRED, 0.5)] * 4)
    lab.vendor.script("submit", *[None] * 5, slower)
    lab.complete(work, max_concurrent_jobs=2)
    assert statuses(work) == ["downloaded"] * 6
    assert lab.vendor.most_in_flight == 2


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
def test_a_failed_or_cancelled_job_is_reported_and_a_resume_sends_its_requests_in_a_new_one(
    lab: Lab, end: JobState
) -> None:
    work = lab.work()
    lab.vendor.endings.append((end, 0.0))
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="1 of 2 parts failed") as caught:
        lab.collect(work)
    assert "a resume asks its requests again, in a new job" in caught.value.message
    assert statuses(work) == [end.value, "downloaded"]
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 2
    assert sorted(lab.vendor.asked().values()) == [1] * 4 + [2] * 4


def test_after_the_maximum_of_failed_jobs_permission_allows_one_more_and_then_requests_are_unanswered(
    lab: Lab,
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings += [(JobState.FAILED, 0.0)] * 20
    for _ in range(2):
        lab.submit(work)
        with pytest.raises(PhaseFailedError):
            lab.collect(work, max_attempts=2)
    assert lab.vendor.count("submit") == 2
    for _ in range(3):
        with pytest.raises(PhaseFailedError, match="it was job 2 for these requests"):
            lab.complete(work, max_attempts=2)
    assert lab.vendor.count("submit") == 2
    with pytest.raises(PhaseFailedError):
        lab.complete(work, rebuy=True, max_attempts=2)
    assert (lab.vendor.count("submit"), statuses(work)) == (3, ["failed"])
    lab.complete(work, rebuy=True, max_attempts=2)
    assert (lab.vendor.count("submit"), statuses(work)) == (3, ["downloaded"])
    assert answered_ids(work[0]) == []


def test_lost_results_are_paid_for_again_only_on_request(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", *[ResultsGoneError("gone")] * 8)  # it is asked four times within the settling time
    with pytest.raises(PhaseFailedError, match=r"about 2 USD\): promptrial run --run_id r .*--resume --rebuy"):
        lab.collect(work)
    lab.collect(work, rebuy=True)
    assert list(lab.vendor.jobs) == ["pt-trial1-t0-control-p001-a1", "pt-trial1-t0-control-p001-a2"]
    assert statuses(work) == ["downloaded"]


# --- stops -----------------------------------------------------------------------------------------------------------


def test_a_soft_stop_while_submitting_fetches_jobs_in_flight_and_starts_none(lab: Lab) -> None:
    lab.new_process(when=lambda: lab.vendor.count("submit") == 3)
    work = lab.work(shards=4)
    with pytest.raises(StopRequested):
        lab.submit(work, max_concurrent_jobs=4)
    assert lab.vendor.count("submit") == 3
    assert statuses(work)[:3] == ["downloaded"] * 3
    assert set(statuses(work)[3:]) == {"pending"}
    lab.new_process()
    lab.complete(work, max_concurrent_jobs=4)
    assert statuses(work) == ["downloaded"] * 8
    assert set(lab.vendor.asked().values()) == {1}


def test_a_soft_stop_while_collecting_fetches_every_started_job(lab: Lab) -> None:
    work = lab.work(shards=4)
    lab.submit(work, max_concurrent_jobs=2)
    lab.new_process(when=lambda: lab.vendor.count("results") == 1)
    with pytest.raises(StopRequested):
        lab.collect(work, max_concurrent_jobs=2)
    assert statuses(work) == ["downloaded"] * 8
    assert lab.vendor.count("submit") == 8


def test_a_failure_before_a_soft_stop_is_reported_once_and_not_retried(lab: Lab) -> None:
    work = lab.work(shards=2)
    lab.vendor.endings.append((JobState.FAILED, 0.0))
    lab.submit(work)
    unreadable = PermanentError("unreadable")
    lab.vendor.script("results", None, unreadable)  # what the failed job has answered comes first
    lab.new_process(when=lambda: lab.vendor.count("results") == 2)
    with pytest.raises(StopRequested):
        lab.collect(work, max_concurrent_jobs=2)
    warned = [text for text in lab.said if "parts failed" in text]
    assert len(warned) == 1
    assert "2 of 4 parts failed" in warned[0]
    assert warned[0].count("unreadable") == 1
    assert lab.vendor.count("results") == 5
    assert statuses(work) == ["failed", "completed", "downloaded", "downloaded"]


def test_after_a_soft_stop_nothing_that_was_left_unanswered_is_asked_again(lab: Lab) -> None:
    work = lab.work()
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.submit(work)
    lab.new_process(when=lambda: lab.vendor.count("status") >= 4)
    with pytest.raises(StopRequested):
        lab.collect(work)
    assert lab.vendor.count("submit") == 2
    assert statuses(work) == ["expired", "downloaded"]
    lab.new_process()
    lab.complete(work)
    assert [len(job.ids) for jobs in lab.vendor.jobs.values() for job in jobs] == [4, 4, 2]


def test_a_detached_queue_returns_immediately_and_the_next_process_resumes_the_jobs(lab: Lab) -> None:
    def second_signal() -> None:
        raise Detached(2)

    work = lab.work(shards=2)
    lab.submit(work)
    lab.vendor.script("status", None, second_signal)
    with pytest.raises(Detached):
        lab.collect(work)
    assert lab.vendor.calls[-1].operation == "status", "no call after it"
    lab.new_process()
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 4
    assert lab.vendor.count("submit") == 4


def test_a_stop_before_the_beginning_makes_no_call(lab: Lab) -> None:
    lab.new_process(when=lambda: True)
    with pytest.raises(StopRequested):
        lab.submit(lab.work())
    assert lab.vendor.calls == []


# --- doubts ----------------------------------------------------------------------------------------------------------


def test_a_call_whose_outcome_is_unknown_is_looked_up_and_its_job_adopted(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.script("submit", Lost())
    lab.complete(work)
    assert (lab.vendor.count("submit"), lab.vendor.asked().total()) == (1, 4)
    assert any("is adopted" in text for text in lab.said)


def test_a_job_that_is_not_found_for_a_minute_is_created_under_the_same_key(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.script("submit", _unknown())
    lab.complete(work, settle_s=60.0)
    (first, second) = [call for call in lab.vendor.calls if call.operation == "submit"]
    assert first.name == second.name
    assert second.at - first.at >= 60
    assert sum(first.at <= call.at <= second.at for call in lab.vendor.calls if call.operation == "find") >= 4
    assert set(lab.vendor.asked().values()) == {1}


def test_a_vendor_without_keys_never_gets_a_second_create_call_and_the_part_is_parked(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path, keyed=False)
    work = lab.work()
    lab.vendor.script("submit", _unknown())
    with pytest.raises(PhaseFailedError, match="cannot be determined"):
        lab.submit(work, max_concurrent_jobs=1)
    assert statuses(work)[0] == "unknown"
    with pytest.raises(PhaseFailedError, match="cannot be determined"):
        lab.submit(work)
    assert lab.vendor.names("submit") == ["pt-trial1-t0-control-p001-a1", "pt-trial1-t0-treatment-p001-a1"]
    lab.vendor.create("pt-trial1-t0-control-p001-a1", asked_ids(work[0]))
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 2
    assert lab.vendor.count("submit") == 2


def test_a_part_in_doubt_does_not_delay_the_others(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path, keyed=False)
    work = lab.work(shards=2)
    lab.vendor.script("submit", _unknown())
    with pytest.raises(PhaseFailedError, match="1 of 4 parts failed"):
        lab.submit(work)
    with pytest.raises(PhaseFailedError, match="1 of 4 parts failed"):
        lab.collect(work)
    assert statuses(work) == ["unknown", "downloaded", "downloaded", "downloaded"]


def _unknown() -> Exception:
    return OutcomeUnknownError("no answer")


# --- resume ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor_has_it", [True, False])
@pytest.mark.parametrize(
    ("status", "jobs"),
    [
        ("pending", 1),
        ("submitting", 1),
        ("unknown", 1),
        ("submitted", 1),
        ("running", 1),
        ("completed", 1),
        ("downloaded", 1),
        ("failed", 2),
        ("cancelled", 2),
        ("expired", 2),
    ],
)
def test_a_part_resumes_from_any_recorded_status(lab: Lab, status: PartStatus, jobs: int, vendor_has_it: bool) -> None:
    work = lab.work()[:1]
    key = f"{work[0].key}-a1"
    recorded(work[0], status)
    if vendor_has_it and status in {"failed", "cancelled"}:
        lab.vendor.endings.append((JobState(status), 0.0))
    if vendor_has_it:
        lab.vendor.create(key, asked_ids(work[0]))
    elif status in {"submitted", "running", "completed", "downloaded"}:
        with pytest.raises(PhaseFailedError, match="if you have the files, put them in"):
            lab.complete(work)
        assert lab.vendor.count("submit") == 0, "nothing is bought again without being told to"
        return
    lab.complete(work)
    assert answered_ids(work[0]) == asked_ids(work[0])
    made = lab.vendor.names("submit")
    assert made == ([f"{work[0].key}-a{jobs}"] if jobs == 2 or not vendor_has_it else [])
    assert statuses(work) == ["downloaded"]


def recorded(work: PartWork, status: PartStatus) -> None:
    """Record a part as a process leaves it that dies in this status, with one intent."""
    key = f"{work.key}-a1"
    facts = {"request_sha256": work.request_sha256, "attempt": 1, "rows": work.part.rows, "key": key}
    with_job = status not in {"pending", "submitting", "unknown"}
    events = [PartEvent(part=work.part.name, status="pending", at="T", **facts)]  # type: ignore[arg-type]
    if status != "pending":
        events.append(PartEvent(part=work.part.name, status="submitting", at="T", **facts))  # type: ignore[arg-type]
        events.append(PartEvent(part=work.part.name, status=status, at="T", key=key, job=key if with_job else None))
    fold(work.manifest.parts, events)


def test_a_finished_part_is_left_alone(lab: Lab) -> None:
    work = lab.work()
    lab.complete(work)
    before = len(lab.vendor.calls)
    lab.complete(work)
    assert len(lab.vendor.calls) == before


def test_locally_damaged_results_are_fetched_again_and_not_paid_for_again(lab: Lab) -> None:
    work = lab.work()
    lab.complete(work)
    path = work[0].folder.part_results(work[0].part.name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    lab.complete(work)
    assert path.read_bytes() == whole
    assert lab.vendor.count("submit") == 2
    assert list(path.parent.glob("*.corrupt.*"))


# --- several parts that concern one job ------------------------------------------------------------------------------


def test_a_job_that_an_excluded_trial_needs_is_never_stopped(lab: Lab) -> None:
    first, _, second, _ = lab.work(trials=2)
    second = replace(second, key=first.key, request_sha256=first.request_sha256)
    lab.vendor.script("submit", Lost())
    lab.vendor.script("find", None, _detach)
    with pytest.raises(Detached):
        lab.submit([first])
    lab.new_process()
    lab.vendor.scripts.clear()
    lab.vendor.takes_s = 1000.0
    lab.submit([second])
    assert second.record.job == f"{first.key}-a1"
    lab.vendor.takes_s = 10.0
    changed = lab.work(trials=2, question="Other")[0]
    lab.complete([changed], others=[second])
    assert lab.vendor.names("cancel") == []


def test_a_part_whose_requests_change_while_its_job_runs_is_worked_on_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.vendor.takes_s = 1e5
    lab.submit(lab.work())
    changed = lab.work(question="Other")
    lab.vendor.calls.clear()
    stage, looks = HostedProvider.stage, itertools.count()

    def slow_for_one(provider: HostedProvider, payload: PartPayload) -> Staged:
        return Staged(stage(provider, payload).name, ready="control" in payload.key or next(looks) > 5)

    monkeypatch.setattr(HostedProvider, "stage", slow_for_one)
    lab.submit(changed)
    assert lab.vendor.count("submit") == 2
    assert [event.status for event in changed[0].folder.journal.read() if event.part == changed[0].part.name][-4:] == [
        "pending", "submitting", "submitted", "running",
    ]  # fmt: skip
    assert lab.vendor.names("find").count(f"{changed[0].key}-a1") == 1


def test_among_identical_parts_the_most_advanced_one_continues(lab: Lab) -> None:
    first, _, second, _ = lab.work(trials=2)
    first.folder.requests(first.part.name).write_bytes(second.folder.requests(second.part.name).read_bytes())
    first = replace(
        first, key=second.key, request_sha256=second.request_sha256, requests=second.requests, duplicates=[]
    )
    second = replace(second, duplicates=[first])
    first.duplicates.append(second)
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.vendor.script("submit", None, PermanentError("refused"))
    with pytest.raises(PhaseFailedError, match="refused"):
        lab.complete([second])
    lab.vendor.scripts.clear()
    lab.vendor.jobs.clear()
    lab.complete([first, second])
    assert sorted(lab.vendor.asked()) == asked_ids(second)[2:], "the half that was answered is not asked again"
    assert first.downloaded
    assert second.downloaded


def test_jobs_that_were_created_before_answers_were_shared_are_all_fetched(lab: Lab) -> None:
    first, _, second, _ = lab.work(trials=2)
    second.folder.requests(second.part.name).write_bytes(first.folder.requests(first.part.name).read_bytes())
    second = replace(second, request_sha256=first.request_sha256)
    lab.submit([first, second])
    assert lab.vendor.count("submit") == 2
    lab.new_process()
    shared = replace(second, duplicates=[first])
    first.duplicates.append(shared)
    lab.complete([first, shared])
    assert lab.vendor.count("submit") == 2
    jobs = [work.record.intents[0] for work in (first, shared)]
    assert len({intent.job for intent in jobs}) == 2
    assert [intent.status for intent in jobs] == ["downloaded"] * 2
    assert all("shared with" not in (work.record.reason or "") for work in (first, shared))


def test_answers_of_a_filtered_out_trial_are_copied_and_not_paid_for_again(lab: Lab) -> None:
    first, _, second, _ = lab.work(trials=2)
    second.folder.requests(second.part.name).write_bytes(first.folder.requests(first.part.name).read_bytes())
    second = replace(second, key=first.key, request_sha256=first.request_sha256, duplicates=[first])
    first.duplicates.append(second)
    lab.complete([first])
    lab.vendor.jobs.clear()  # so that no job is left to be found under the common key
    lab.complete([second])
    assert not lab.vendor.jobs
    assert second.downloaded
    assert answered_ids(second) == answered_ids(first)


def test_interrupted_sharing_of_answers_is_completed_by_the_next_process(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, second, _ = lab.work(trials=2)
    second.folder.requests(second.part.name).write_bytes(first.folder.requests(first.part.name).read_bytes())
    second = replace(second, key=first.key, request_sha256=first.request_sha256, duplicates=[first])
    first.duplicates.append(second)
    copied = second.folder.part_results(second.part.name)
    record = RunDir.record

    def ended(run: RunDir, path: Path, rows: int | None = None) -> FileRecord:
        if path == copied:
            raise Detached(None)
        return record(run, path, rows)

    monkeypatch.setattr(RunDir, "record", ended)
    with pytest.raises(Detached):
        lab.complete([first, second])
    monkeypatch.undo()
    assert copied.exists()
    lab.new_process()
    lab.complete([first, second])
    assert second.downloaded
    assert not [text for text in lab.said if "requests have changed" in text]


def _detach() -> None:
    raise Detached(None)
