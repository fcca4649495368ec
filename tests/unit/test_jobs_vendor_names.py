"""A vendor may name its jobs itself: they are found again by that name, and our key is only what is searched for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import OutcomeUnknownError, PhaseFailedError, TransientError
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup, JobState
from promptrial.store.breadcrumbs import JOB_FILE, read
from promptrial.store.journal import PartEvent, fold
from promptrial.store.part_records import PartStatus
from tests.support.hosted_provider import Lab, Lost, answered_ids, asked_ids, statuses

OWN_NAMES = [JobLookup.SEARCH, JobLookup.NONE]


@pytest.fixture(params=OWN_NAMES, ids=str)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, keyed=False, lookup=request.param)


@pytest.fixture
def searchable(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, keyed=False, lookup=JobLookup.SEARCH)


@pytest.fixture
def without_lookup(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, keyed=False, lookup=JobLookup.NONE)


def key_of(work: PartWork, attempt: int = 1) -> str:
    return f"{work.key}-a{attempt}"


def names_asked(lab: Lab) -> set[str]:
    """Return every name by which the vendor was asked about a job that it has."""
    return {call.name for call in lab.vendor.calls if call.operation in {"status", "results", "cancel"}}


def put_by_hand(work: PartWork, ids: list[str]) -> None:
    folder = work.folder.part_results(work.part.name).parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "by hand.jsonl").write_text("".join(json.dumps({"custom_id": each, "text": "x"}) + "\n" for each in ids))


def test_a_job_is_addressed_by_the_vendors_name_and_never_by_our_key(lab: Lab) -> None:
    work = lab.work(shards=2)
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 4
    assert names_asked(lab) == set(lab.vendor.jobs)
    for each in work:
        (intent,) = each.intents
        assert (intent.key, intent.job, each.record.job) == (key_of(each), *[lab.vendor.name_of(key_of(each))] * 2)


def test_another_process_collects_by_the_recorded_name(lab: Lab) -> None:
    lab.submit(lab.work()[:1])
    lab.new_process()
    work = lab.work()[:1]
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert lab.vendor.count("submit") == 1


@pytest.mark.parametrize("end", [JobState.EXPIRED, JobState.FAILED, JobState.CANCELLED])
def test_answers_of_a_job_that_ended_early_are_fetched_by_name_and_only_the_rest_is_asked_again(
    lab: Lab, end: JobState
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((end, 0.5))
    if end is not JobState.EXPIRED:
        with pytest.raises(PhaseFailedError, match=lab.vendor.name_of(key_of(work[0]))):
            lab.complete(work)
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert set(lab.vendor.asked().values()) == {1, 2}
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert [intent.job for intent in work[0].intents] == [lab.vendor.name_of(key_of(work[0], n)) for n in (1, 2)]


def test_locally_damaged_answers_are_fetched_again_by_name_and_not_paid_for_again(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.complete(work)
    work[0].folder.part_results(work[0].part.name).write_bytes(b"damaged")
    lab.complete(work)
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert lab.vendor.count("submit") == 1


def test_a_job_whose_part_was_replaced_meanwhile_is_resumed_by_its_name(lab: Lab) -> None:
    lab.submit(lab.work()[:1])
    lab.complete(lab.work(question="Other")[:1])
    work = lab.work()[:1]
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert lab.vendor.names("submit").count(key_of(work[0])) == 1
    assert work[0].record.job == lab.vendor.name_of(key_of(work[0]))


def test_the_file_beside_the_results_has_the_vendors_name_and_our_key_if_they_differ(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.submit([work])
    crumb = read(work.folder.results / f"{work.part.name}{JOB_FILE}")
    assert crumb is not None
    assert (crumb.name, crumb.key) == (lab.vendor.name_of(key_of(work)), key_of(work))
    assert crumb.outputDatasetId == f"{crumb.name}-out"


def test_if_our_key_is_the_name_the_file_has_it_once(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path)
    (work,) = lab.work()[:1]
    lab.submit([work])
    written = json.loads((work.folder.results / f"{work.part.name}{JOB_FILE}").read_text())
    assert written["name"] == key_of(work)
    assert "key" not in written


def test_the_command_to_fetch_by_hand_names_the_job_as_the_vendor_does(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", *[TransientError("no storage")] * 1000)
    with pytest.raises(PhaseFailedError):
        lab.collect(work)
    assert any(f"fetch {lab.vendor.name_of(key_of(work[0]))} " in text for text in lab.said)


# --- a call that got no answer ---------------------------------------------------------------------------------------


def test_a_job_with_an_unanswered_create_is_searched_for_and_adopted_under_its_own_name(searchable: Lab) -> None:
    work = searchable.work()[:1]
    searchable.vendor.script("submit", Lost())
    searchable.complete(work)
    assert statuses(work) == ["downloaded"]
    assert searchable.vendor.count("submit") == 1
    assert work[0].record.job == searchable.vendor.name_of(key_of(work[0]))


@pytest.mark.parametrize("happening", [Lost, lambda: OutcomeUnknownError("no answer")], ids=["created", "not created"])
def test_without_a_lookup_an_unanswered_create_parks_the_part_and_nothing_is_paid_twice(
    without_lookup: Lab, happening: Callable[[], Lost | OutcomeUnknownError]
) -> None:
    lab = without_lookup
    work = lab.work()
    lab.vendor.script("submit", happening())
    for _ in range(3):
        with pytest.raises(
            PhaseFailedError, match=r"cannot be (?:found|determined).*ask these 4 requests again .*--rebuy"
        ):
            lab.complete(work)
        lab.new_process()
    assert statuses(work) == ["unknown", "downloaded"]
    assert lab.vendor.names("submit") == [key_of(each) for each in work]


def test_without_a_lookup_there_is_no_wait_because_no_search_could_help(without_lookup: Lab) -> None:
    lab = without_lookup
    lab.vendor.script("submit", Lost())
    with pytest.raises(PhaseFailedError):
        lab.submit(lab.work()[:1])
    assert lab.clock.monotonic() == 0.0


@pytest.mark.parametrize("by_hand", [0, 1, 4])
def test_a_parked_part_with_a_vendor_name_is_settled_by_manual_answers_or_permission_to_pay_again(
    lab: Lab, by_hand: int
) -> None:
    work = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    with pytest.raises(PhaseFailedError):
        lab.submit(work)
    put_by_hand(work[0], asked_ids(work[0])[:by_hand])
    lab.complete(work, rebuy=by_hand < 4)
    assert statuses(work) == ["downloaded"]
    assert work[0].downloaded
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == ([] if by_hand == 4 else [4 - by_hand])
    before = lab.vendor.count("submit")
    lab.complete(lab.work()[:1])
    assert lab.vendor.count("submit") == before, "nothing is left to do"


# --- a record that lost the name -------------------------------------------------------------------------------------


def forget_the_name(work: PartWork) -> None:
    """Leave a part as a record does that says that its job was created, and not what it is called."""
    work.manifest.parts.clear()
    facts = {"key": key_of(work), "attempt": 1, "request_sha256": work.request_sha256}
    events = [PartEvent(part=work.part.name, status=status, at="T", **facts) for status in ("submitting", "running")]  # type: ignore[arg-type]
    fold(work.manifest.parts, events)
    assert work.intents[0].job is None


def forget_the_file(work: PartWork) -> None:
    (work.folder.results / f"{work.part.name}{JOB_FILE}").unlink()


def test_the_name_of_a_job_is_noted_beside_the_results_before_it_is_recorded(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    record = Recorder.record

    def die_first(self: Recorder, work: PartWork, status: PartStatus, **fields: Any) -> None:
        if status == "submitted":
            raise KeyboardInterrupt
        record(self, work, status, **fields)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", die_first)
        with pytest.raises(KeyboardInterrupt):
            lab.submit(work)
    lab.new_process()
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert lab.vendor.count("submit") == 1
    assert work[0].record.job == lab.vendor.name_of(key_of(work[0]))


@pytest.mark.parametrize("change", [{"key": "pt-other-a1"}, {"request_sha256": "0" * 64}])
def test_a_note_of_another_attempt_or_of_other_requests_is_ignored(without_lookup: Lab, change: dict[str, str]) -> None:
    lab = without_lookup
    (work,) = lab.work()[:1]
    lab.submit([work])
    forget_the_name(work)
    path = work.folder.results / f"{work.part.name}{JOB_FILE}"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PhaseFailedError, match="cannot be determined"):
        lab.complete([work])


def test_an_unrecorded_job_name_is_searched_for_by_our_key(searchable: Lab) -> None:
    (work,) = searchable.work()[:1]
    searchable.submit([work])
    forget_the_name(work)
    searchable.complete([work])
    assert statuses([work]) == ["downloaded"]
    assert searchable.vendor.count("submit") == 1
    assert work.record.job == searchable.vendor.name_of(key_of(work))


def test_if_the_job_name_cannot_be_found_its_requests_are_paid_for_again_only_with_permission(
    without_lookup: Lab,
) -> None:
    lab = without_lookup
    (work,) = lab.work()[:1]
    lab.submit([work])
    forget_the_name(work)
    forget_the_file(work)
    for _ in range(2):
        with pytest.raises(
            PhaseFailedError, match=r"cannot be (?:found|determined).*ask these 4 requests again .*--rebuy"
        ):
            lab.complete([work])
    assert lab.vendor.count("submit") == 1
    lab.complete([work], rebuy=True)
    assert statuses([work]) == ["downloaded"]
    assert lab.vendor.count("submit") == 2


def test_if_the_job_name_cannot_be_found_manually_placed_files_are_used(without_lookup: Lab) -> None:
    lab = without_lookup
    (work,) = lab.work()[:1]
    lab.submit([work])
    forget_the_name(work)
    forget_the_file(work)
    put_by_hand(work, asked_ids(work))
    lab.complete([work])
    assert work.downloaded
    assert answered_ids(work) == asked_ids(work)
    assert lab.vendor.count("submit") == 1


# --- jobs that appear late -------------------------------------------------------------------------------------------


def test_a_late_job_is_found_by_our_key_and_stopped_by_its_name(searchable: Lab) -> None:
    lab = searchable
    work = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    with pytest.raises(PhaseFailedError):
        lab.submit(work)
    lab.submit(work, rebuy=True)
    lab.vendor.create(key_of(work[0]), asked_ids(work[0]))
    lab.vendor.jobs[lab.vendor.name_of(key_of(work[0]))][0].ends = 1e9
    lab.collect(work)
    assert lab.vendor.names("cancel") == [lab.vendor.name_of(key_of(work[0]))]


def test_without_a_lookup_no_late_job_is_searched_for(without_lookup: Lab) -> None:
    lab = without_lookup
    work = lab.work()[:1]
    lab.vendor.script("submit", Lost())
    with pytest.raises(PhaseFailedError):
        lab.submit(work)
    lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert lab.vendor.count("cancel") == 0
    assert key_of(work[0]) not in names_asked(lab)
