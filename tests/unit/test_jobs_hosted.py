"""What one hosted part does with its answers: those that cannot be seen, are lost, or answer other requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptrial.errors import (
    Detached,
    OutcomeUnknownError,
    PermanentError,
    PhaseFailedError,
    ResultsGoneError,
    ResultsTornError,
    TransientError,
)
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, JobStatus, PartPayload
from promptrial.store import atomic, jsonl
from promptrial.store.journal import PartEvent, fold
from tests.support.hosted_provider import HOUR_S, HostedProvider, Lab, answered_ids, asked_ids, statuses


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path)


@pytest.mark.parametrize("rebuy", [False, True])
def test_temporarily_hidden_answers_are_fetched_and_not_paid_for_again(lab: Lab, rebuy: bool) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", ResultsGoneError("not found"), ResultsGoneError("not found"))
    lab.collect(work, rebuy=rebuy)
    assert statuses(work) == ["downloaded"]
    assert set(lab.vendor.asked().values()) == {1}


def test_temporarily_hidden_answers_of_an_expired_job_are_not_paid_for_again(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.submit(work)
    lab.vendor.script("results", ResultsGoneError("not found"))
    lab.collect(work)
    assert sorted(lab.vendor.asked().values()) == [1, 1, 2, 2], "only what was left unanswered is asked again"
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))


def test_answers_hidden_for_the_settling_time_count_as_gone_without_a_longer_wait(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.clock.advance(lab.vendor.takes_s)
    lab.vendor.script("results", *[ResultsGoneError("not found")] * 20)
    began = lab.clock.monotonic()
    with pytest.raises(PhaseFailedError, match=r"not found .*--rebuy"):
        lab.collect(work, settle_s=60.0, settle_looks=3)
    assert 60.0 <= lab.clock.monotonic() - began <= 80.0
    assert 3 <= lab.vendor.count("results") <= 5


@pytest.mark.parametrize("rebuy", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_deleted_job_gives_the_rows_of_its_remaining_output(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, rebuy: bool, share: float
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, share))
    lab.submit(work)
    status = HostedProvider.status

    def forgotten(provider: HostedProvider, job: JobRef) -> JobStatus:
        found = status(provider, job)
        return JobStatus(JobState.MISSING, "not found") if job.name.endswith("-a1") else found

    monkeypatch.setattr(HostedProvider, "status", forgotten)
    lab.complete(work, rebuy=rebuy)
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == ([4] if share == 1.0 else [4, 2])


def test_a_job_deleted_with_its_output_is_reported_with_its_price_until_permission_to_pay_again(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.jobs.clear()
    lab.submit(work)  # whether there are answers is the other phase's to find out
    for again in (False, True):
        with pytest.raises(PhaseFailedError, match=r"no longer has job \S+-a1; no results of .*--rebuy"):
            lab.collect(work)
        assert (lab.vendor.count("submit"), statuses(work), again) == (1, ["completed"], again)
    lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert [intent.status for intent in work[0].intents] == ["expired", "downloaded"]


def test_requests_whose_answers_are_always_lost_count_as_unanswered_after_the_maximum_of_jobs(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.script("results", *[ResultsGoneError("gone")] * 50)
    with pytest.raises(PhaseFailedError, match=r"gone .*--rebuy"):
        lab.complete(work, max_attempts=3)
    assert lab.vendor.count("submit") == 1
    lab.complete(work, rebuy=True, max_attempts=3)
    assert lab.vendor.count("submit") == 3
    assert statuses(work) == ["downloaded"]
    assert work[0].record.reason is not None
    assert work[0].record.reason.startswith("4 of 4 requests have no answer")
    assert answered_ids(work[0]) == []
    lab.complete(work)
    assert lab.vendor.count("submit") == 3


# --- other requests than before --------------------------------------------------------------------------------------


def test_manually_placed_files_for_an_earlier_prompt_never_answer_a_new_one(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.complete([work])
    folder = work.folder.part_results(work.part.name).parent
    (folder / "by hand.jsonl").write_bytes(b"".join(line + b"\n" for line in old_answers(work)))
    (new,) = lab.work(question="Other")[:1]
    assert asked_ids(new) == asked_ids(work), "an id does not tell what was asked"
    lab.submit([new])
    lab.vendor.script("results", *[ResultsGoneError("not found")] * 20)
    with pytest.raises(PhaseFailedError, match="not found"):
        lab.collect([new])
    assert not new.downloaded
    apart = work.folder.results / "set_aside" / f"{work.part.name}.{work.request_sha256[:12]}"
    notes = [f"{work.part.name}_OUTPUT_DATASET_ID.txt", f"{work.part.name}_job.json"]
    assert sorted(path.name for path in apart.iterdir()) == ["asked.json", "by hand.jsonl", "results.jsonl", *notes]
    assert any("its requests have changed" in text and f"set_aside/{apart.name}" in text for text in lab.said)


@pytest.mark.parametrize("end", [(JobState.READY, 1.0), (JobState.EXPIRED, 0.5)])
def test_answers_to_an_earlier_prompt_are_used_again_when_it_returns(lab: Lab, end: tuple[JobState, float]) -> None:
    lab.vendor.endings.append(end)
    (first,) = lab.work()[:1]
    lab.complete([first])
    before = first.folder.part_results(first.part.name).read_bytes()
    lab.complete(lab.work(question="Other")[:1])
    made, calls = dict(lab.vendor.jobs), len(lab.vendor.calls)
    (again,) = lab.work()[:1]
    lab.complete([again])
    assert again.downloaded
    assert again.folder.part_results(again.part.name).read_bytes() == before
    assert lab.vendor.jobs == made
    assert len(lab.vendor.calls) == calls, "nothing had to be fetched again"
    (other,) = lab.work(question="Other")[:1]
    lab.complete([other])
    assert other.downloaded
    assert lab.vendor.jobs == made


def test_moving_earlier_answers_aside_can_be_interrupted_anywhere(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.complete(lab.work()[:1])
    lab.complete(lab.work(question="Other")[:1])
    (again,) = lab.work()[:1]
    move, moved = atomic.move, []

    def cut_off(source: Path, target: Path) -> None:
        move(source, target)
        moved.append(target)
        raise KeyboardInterrupt

    for _ in range(6):
        with monkeypatch.context() as patch:
            patch.setattr(atomic, "move", cut_off)
            with pytest.raises(KeyboardInterrupt):
                lab.submit([again])
    part, notes = again.part.name, ["_OUTPUT_DATASET_ID.txt", "_job.json"]
    put_apart, brought_back = [[f"{part}{each}" for each in notes] for _ in range(2)]
    other = f"{part}.{lab.work(question='Other')[0].request_sha256[:12]}"
    assert [path.name for path in moved] == [*put_apart, other, part, *brought_back]
    lab.complete([again])
    assert answered_ids(again) == asked_ids(again)
    assert set(lab.vendor.asked().values()) == {2}, "each prompt was asked once"


def test_an_arm_whose_answers_are_shared_keeps_no_files_of_its_earlier_prompt(lab: Lab) -> None:
    lab.complete(lab.work(trials=2))
    _, _, second, _ = lab.work(trials=2)
    folder = second.folder.part_results(second.part.name).parent
    (folder / "by hand.jsonl").write_bytes(b"".join(line + b"\n" for line in old_answers(second)))
    first, _, follower, _ = lab.work(trials=2, question="Other")
    first.duplicates.append(follower)
    follower = replace(follower, request_sha256=first.request_sha256, duplicates=[first])
    first.duplicates[:] = [follower]
    lab.complete([first, follower])
    assert follower.downloaded
    assert sorted(path.name for path in folder.iterdir()) == ["asked.json", "results.jsonl"]


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_job_left_running_is_resumed_when_its_requests_are_needed_again(lab: Lab, attempt: int) -> None:
    first = lab.work()[:1]
    if attempt == 1:
        lab.submit(first)
    else:
        expired_once(lab, first)
    (other,) = lab.work(question="Other")[:1]
    lab.complete([other])
    (again,) = lab.work()[:1]
    lab.complete([again])
    assert list(lab.vendor.jobs) == [*(f"{again.key}-a{number + 1}" for number in range(attempt)), f"{other.key}-a1"]
    assert (again.record.status, again.record.job) == ("downloaded", f"{again.key}-a{attempt}")
    assert answered_ids(again) == asked_ids(again)
    assert any(
        f"job {again.key}-a{attempt} was already created for these requests, and is used" in text for text in lab.said
    )
    crumb = json.loads((again.folder.results / f"{again.part.name}_job.json").read_bytes())
    assert (crumb["name"], crumb["request_sha256"]) == (again.record.job, again.request_sha256)


def test_a_running_job_that_its_part_no_longer_records_is_resumed(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.submit([work])
    facts = {"key": f"{work.key}-a1", "attempt": 1, "request_sha256": work.request_sha256}
    events = [PartEvent(part=work.part.name, status=status, at="T", **facts) for status in ("submitting", "running")]  # type: ignore[arg-type]
    fold(work.manifest.parts, events)
    assert (work.record.status, work.record.job) == ("running", None)
    lab.complete([work])
    assert list(lab.vendor.jobs) == [f"{work.key}-a1"]
    assert statuses([work]) == ["downloaded"]


def test_a_doubtful_attempt_stays_in_doubt_after_another_prompt_was_asked(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path, keyed=False)
    first = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    with pytest.raises(PhaseFailedError, match="cannot be determined"):
        lab.submit(first)
    lab.complete(lab.work(question="Other")[:1])
    again = lab.work()[:1]
    with pytest.raises(PhaseFailedError, match="cannot be determined"):
        lab.submit(again)
    assert lab.vendor.names("submit").count(f"{again[0].key}-a1") == 1
    lab.vendor.create(f"{again[0].key}-a1", asked_ids(again[0]))
    lab.complete(again)
    assert statuses(again) == ["downloaded"]


def old_answers(work: PartWork) -> list[bytes]:
    return list(jsonl.lines(work.folder.part_results(work.part.name)))


# --- what earlier attempts have answered -----------------------------------------------------------------------------


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
@pytest.mark.parametrize("noticed", ["while others are submitted", "when it is collected"])
def test_answers_of_a_failed_or_cancelled_job_are_kept_and_only_the_rest_is_asked_again(
    lab: Lab, end: JobState, noticed: str
) -> None:
    work = lab.work(shards=2)
    lab.vendor.endings.append((end, 0.5))
    with pytest.raises(PhaseFailedError, match="1 of 4 parts failed"):
        lab.complete(work, max_concurrent_jobs=1 if noticed == "while others are submitted" else 8)
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 4
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == [4, 4, 4, 4, 2]
    assert [intent.status for intent in work[0].intents] == [end.value, "downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert any("had answered 2 of 4 requests; these are kept" in text for text in lab.said)


def test_a_job_that_had_answered_everything_before_it_was_cancelled_is_not_asked_again(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.CANCELLED, 1.0))
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert set(lab.vendor.asked().values()) == {1}


def test_a_failed_job_without_answers_is_checked_only_once(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.FAILED, 0.0))
    with pytest.raises(PhaseFailedError):
        lab.complete(work)
    lab.vendor.script("results", None, None)
    lab.complete(work)
    assert lab.vendor.names("results") == [f"{work[0].key}-a1"] * 2 + [f"{work[0].key}-a2"]


def test_earlier_answers_returned_in_another_order_are_recognised_and_not_asked_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    expired_once(lab, work)
    folder = work[0].folder.part_results(work[0].part.name).parent
    (folder / "results.a1.jsonl").unlink()
    results = HostedProvider.results
    monkeypatch.setattr(HostedProvider, "results", lambda *call: iter(list(results(*call))[::-1]))
    lab.collect(work)
    assert statuses(work) == ["downloaded"]
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert sorted(lab.vendor.asked().values()) == [1, 1, 2, 2]
    record = work[0].folder.run.record(folder / "results.a1.jsonl", 2)
    assert work[0].intents[0].results == record


def test_locally_lost_answers_now_fewer_at_the_provider_are_not_paid_for_again_without_permission(lab: Lab) -> None:
    work = lab.work()[:1]
    expired_once(lab, work)
    work[0].folder.part_results(work[0].part.name).with_name("results.a1.jsonl").unlink()
    lab.vendor.jobs[f"{work[0].key}-a1"][0].answered = tuple(asked_ids(work[0])[:1])
    with pytest.raises(PhaseFailedError, match=r"1 of the 2 answers received before are no longer available .*--rebuy"):
        lab.collect(work)
    assert len(lab.vendor.jobs) == 2
    lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))


def test_a_damaged_file_of_answers_is_kept_while_fewer_can_be_fetched(lab: Lab) -> None:
    work = lab.work()[:1]
    expired_once(lab, work)
    path = work[0].folder.part_results(work[0].part.name).with_name("results.a1.jsonl")
    path.write_bytes(damaged := path.read_bytes().replace(b"answer", b"Answer", 1))
    job = lab.vendor.jobs[f"{work[0].key}-a1"][0]
    whole, job.answered = job.answered, job.answered[:1]
    for _ in range(2):
        with pytest.raises(PhaseFailedError, match="1 of the 2 answers received before are no longer available"):
            lab.collect(work)
        assert path.read_bytes() == damaged
    job.answered = whole
    lab.collect(work)
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert len(lab.vendor.jobs) == 2


def test_manually_placed_answers_lost_here_do_not_count_as_lost_at_the_provider(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.submit(work)
    put_by_hand(work[0], asked_ids(work[0])[1:3])
    lab.vendor.script("submit", PermanentError("no money"))
    with pytest.raises(PhaseFailedError, match="no money"):
        lab.complete(work)
    work[0].folder.part_results(work[0].part.name).with_name("results.a1.jsonl").unlink()
    lab.complete(work)
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == [4, 1]
    assert sorted(set(answered_ids(work[0]))) == sorted(asked_ids(work[0]))


@pytest.mark.parametrize("damage", ["lost", "torn", "other rows", "too many rows"])
def test_the_requests_of_a_later_attempt_are_made_again_if_they_were_lost_or_damaged(lab: Lab, damage: str) -> None:
    work = lab.work()[:1]
    expired_once(lab, work)
    path = work[0].folder.part_results(work[0].part.name).with_name("requests.a2.jsonl")
    before, built = path.read_bytes(), work[0].folder.requests(work[0].part.name).read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(
            {"torn": before[:-20], "other rows": before.replace(b"?", b"!"), "too many rows": built}[damage]
        )
    seen: list[tuple[int, str]] = []
    lab.vendor.script("results", lambda: seen.append((jsonl.count(path), jsonl.digest(path).sha256)))
    lab.collect(work)
    assert path.read_bytes() == before
    assert seen == [(2, hashlib.sha256(before).hexdigest())]
    assert any("requests.a2.jsonl was missing or damaged; it was rebuilt" in text for text in lab.said)
    assert statuses(work) == ["downloaded"]


def test_unknown_requests_of_an_attempt_are_an_error_with_what_to_do(lab: Lab) -> None:
    work = lab.work()[:1]
    expired_once(lab, work)
    results = work[0].folder.part_results(work[0].part.name)
    results.with_name("requests.a2.jsonl").unlink()
    results.with_name("results.a1.jsonl").unlink()
    lab.vendor.jobs[f"{work[0].key}-a1"][0].answered = (asked_ids(work[0])[0],) * 2
    for _ in range(2):
        with pytest.raises(PhaseFailedError, match=r"of the 2 requests of attempt 2, 3 can be identified .*--rebuy"):
            lab.collect(work)
    assert len(lab.vendor.jobs) == 2
    lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert set(answered_ids(work[0])) == set(asked_ids(work[0]))


def test_a_doubtful_attempt_with_unknown_requests_is_given_up_with_permission(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.vendor.script("submit", None, OutcomeUnknownError("no answer"))
    lab.vendor.script("find", None, None, detach)
    with pytest.raises(Detached):
        lab.complete(work)
    assert statuses(work) == ["submitting"]
    lab.vendor.scripts.clear()
    lab.new_process()
    results = work[0].folder.part_results(work[0].part.name)
    results.with_name("requests.a2.jsonl").unlink()
    results.with_name("results.a1.jsonl").unlink()
    lab.vendor.jobs[f"{work[0].key}-a1"][0].answered = (asked_ids(work[0])[0],) * 2
    with pytest.raises(PhaseFailedError, match=r"can be identified from the earlier answers .*--rebuy"):
        lab.complete(work)
    lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert set(answered_ids(work[0])) == set(asked_ids(work[0]))
    assert [intent.attempt for intent in work[0].intents] == [1, 2, 3]


def expired_once(lab: Lab, work: list[PartWork]) -> None:
    """Bring a part to where its first job has expired, half of it answered, and its second is at work."""

    def detach() -> None:
        if lab.vendor.count("submit") == 2:
            raise Detached(2)

    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.vendor.script("status", *[detach] * 50)
    with pytest.raises(Detached):
        lab.complete(work)
    lab.vendor.scripts.clear()
    lab.new_process()


def test_a_row_torn_at_the_provider_is_fetched_once_more_and_then_counts_as_unanswered(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    results = HostedProvider.results

    def torn(provider: HostedProvider, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        rows = list(results(provider, job, payload))
        yield from rows[:-1] if job.name.endswith("-a1") else rows
        if job.name.endswith("-a1"):
            raise ResultsTornError("truncated: it ends in the middle of a row")

    monkeypatch.setattr(HostedProvider, "results", torn)
    lab.complete(work)
    assert lab.vendor.names("results") == [f"{work[0].key}-a1"] * 2 + [f"{work[0].key}-a2"]
    assert sorted(lab.vendor.asked().values()) == [1, 1, 1, 2]
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert sum("the row counts as unanswered" in text for text in lab.said) == 1


# --- what a person has put there -------------------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [False, True])
def test_manually_placed_files_that_answer_everything_are_used_without_a_new_job(lab: Lab, refused: bool) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.CANCELLED, 0.0))
    with pytest.raises(PhaseFailedError, match="was cancelled"):
        lab.complete(work)
    if refused:
        lab.vendor.script("submit", PermanentError("no money"))
        with pytest.raises(PhaseFailedError, match="no money"):
            lab.complete(work)
    put_by_hand(work[0], asked_ids(work[0]))
    lab.complete(work)
    assert list(lab.vendor.jobs) == [f"{work[0].key}-a1"]
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    intents = [(intent.attempt, intent.status, intent.job) for intent in work[0].intents]
    assert intents == [(1, "downloaded", f"{work[0].key}-a1"), (2, "pending", None)][: 1 + refused]
    work[0].folder.part_results(work[0].part.name).write_bytes(b"")
    lab.complete(work)
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert [(intent.attempt, intent.status, intent.job) for intent in work[0].intents] == intents


@pytest.mark.parametrize("end", [JobState.CANCELLED, JobState.EXPIRED])
@pytest.mark.parametrize("refused", [False, True])
def test_manually_placed_answers_are_merged_with_received_ones_and_only_the_rest_is_asked_again(
    lab: Lab, end: JobState, refused: bool
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((end, 0.5))
    lab.submit(work)
    lab.vendor.script("submit", *[PermanentError("no money")] * refused)
    for problem in ["was cancelled"] * (end is JobState.CANCELLED) + ["no money"] * refused:
        with pytest.raises(PhaseFailedError, match=problem):
            lab.complete(work)
    put_by_hand(work[0], asked_ids(work[0])[2:3])
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    asked = {name: len(jobs[0].ids) for name, jobs in lab.vendor.jobs.items()}
    assert asked == {f"{work[0].key}-a1": 4, f"{work[0].key}-a{3 if refused else 2}": 1}, "a2 was uploaded with two"


def test_manually_placed_files_are_used_before_requests_count_as_missing(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.submit(work)
    put_by_hand(work[0], asked_ids(work[0])[2:])
    lab.collect(work, max_attempts=1)
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert work[0].record.reason is None


@pytest.mark.parametrize("error", [TransientError("busy"), ResultsGoneError("not found")])
def test_incomplete_manually_placed_files_cause_no_new_job_while_the_download_fails(lab: Lab, error: Exception) -> None:
    work = lab.work()[:1]
    lab.complete(work)
    before = answered_ids(work[0])
    work[0].folder.part_results(work[0].part.name).unlink()
    put_by_hand(work[0], asked_ids(work[0])[:2])
    lab.vendor.script("results", *[error] * 1000)
    with pytest.raises(PhaseFailedError, match=str(error)):
        lab.complete(work)
    lab.vendor.scripts.clear()
    lab.clock.advance(HOUR_S)
    lab.complete(work)
    assert answered_ids(work[0]) == before
    assert list(lab.vendor.jobs) == [f"{work[0].key}-a1"]


def test_complete_manually_placed_files_are_used_after_one_failed_download(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    put_by_hand(work[0], asked_ids(work[0]))
    lab.vendor.script("results", *[TransientError("busy")] * 1000)
    lab.collect(work)
    assert lab.vendor.count("results") == 1
    assert statuses(work) == ["downloaded"]


def put_by_hand(work: PartWork, ids: list[str]) -> None:
    """Put answers where a person may put them."""
    folder = work.folder.part_results(work.part.name).parent
    folder.mkdir(parents=True, exist_ok=True)
    rows = (json.dumps({"custom_id": wire_id, "text": "by hand"}) + "\n" for wire_id in ids)
    (folder / "by hand.jsonl").write_text("".join(rows))


# --- jobs that appeared after they were given up


@pytest.mark.parametrize("ended", [False, True])
def test_a_doubtful_job_whose_requests_changed_is_searched_for_and_stopped_or_reported(lab: Lab, ended: bool) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    lab.vendor.script("find", None, detach)
    with pytest.raises(Detached):
        lab.complete([work])
    assert statuses([work]) == ["submitting"]
    lab.vendor.scripts.clear()
    lab.new_process()
    lab.vendor.create(f"{work.key}-a1", asked_ids(work))
    lab.vendor.jobs[f"{work.key}-a1"][0].ends = 0.0 if ended else 1e9
    lab.complete(lab.work(question="Other")[:1])
    said = "has ended: its cost is lost" if ended else "it was cancelled"
    assert [text for text in lab.said if f"job {work.key}-a1 appeared" in text and said in text]
    assert lab.vendor.names("cancel") == ([] if ended else [f"{work.key}-a1"])


def test_a_doubtful_job_that_another_trial_needs_is_left_alone(lab: Lab) -> None:
    first, _, second, _ = lab.work(trials=2)
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    lab.vendor.script("find", None, detach)
    with pytest.raises(Detached):
        lab.complete([first])
    lab.vendor.scripts.clear()
    lab.new_process()
    lab.vendor.create(f"{first.key}-a1", asked_ids(first))
    lab.vendor.jobs[f"{first.key}-a1"][0].ends = 1000.0
    changed = lab.work(trials=2, question="Other")[0]
    lab.complete([changed, replace(second, key=first.key)])
    assert lab.vendor.names("cancel") == []
    assert not [text for text in lab.said if "appeared" in text]


def detach() -> None:
    raise Detached(2)
