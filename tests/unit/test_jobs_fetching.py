"""Nothing is bought again because of one download, no row is waited for without end, and what is gone is settled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.errors import (
    NotAskedError,
    OutcomeUnknownError,
    PhaseFailedError,
    ResultsEmptyError,
    ResultsGoneError,
    ResultsShortError,
    TransientError,
)
from promptrial.jobs import fetching
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, PartPayload
from promptrial.store import atomic, jsonl
from tests.support.hosted_provider import HOUR_S, HostedProvider, Lab, Lost, answered_ids, asked_ids, statuses


@pytest.fixture
def lab(tmp_path: Any) -> Lab:
    return Lab.make(tmp_path)


def cut(monkeypatch: pytest.MonkeyPatch, *cuts: Callable[[list[bytes]], list[bytes]], short: Any = None) -> None:
    """Let the first downloads bring only some of the rows, and then end with an error, if one is given."""
    results, left = HostedProvider.results, list(cuts)

    def shortened(provider: HostedProvider, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        rows = list(results(provider, job, payload))
        if left:
            yield from left.pop(0)(rows)
            if short is not None:
                raise short
        else:
            yield from rows

    monkeypatch.setattr(HostedProvider, "results", shortened)


def nothing(_rows: list[bytes]) -> list[bytes]:
    return []


def lost(works: list[PartWork]) -> list[object]:
    return [each.record.lost for each in works]


def drafts(work: PartWork) -> list[str]:
    folder = work.folder.part_results(work.part.name).parent
    return sorted(path.name for path in folder.iterdir() if "draft" in path.name)


# --- a download that lacks rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [JobState.READY, JobState.EXPIRED])
@pytest.mark.parametrize(
    ("short", "first"),
    [
        (None, lambda rows: rows[:2]),
        (None, nothing),
        (ResultsEmptyError("empty"), nothing),
        (ResultsShortError("unproven"), lambda rows: rows[:3]),
    ],
)
def test_a_download_with_missing_rows_is_repeated_after_a_wait_without_a_new_job(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, end: JobState, short: Any, first: Any
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((end, 1.0))
    cut(monkeypatch, first, short=short)
    lab.submit(work)
    lab.clock.advance(lab.vendor.takes_s)
    began = lab.clock.monotonic()
    lab.collect(work)
    assert lab.clock.monotonic() - began >= 20.0
    assert set(lab.vendor.asked().values()) == {1}
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert drafts(work[0]) == []


def test_rows_of_two_downloads_of_one_job_are_merged(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    work = lab.work()[:1]
    cut(monkeypatch, lambda rows: rows[:2], lambda rows: rows[1:3], lambda rows: rows[3:])
    lab.complete(work)
    assert set(lab.vendor.asked().values()) == {1}
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert lab.vendor.count("results") == 3


def test_rows_missing_twice_are_sent_again_and_received_rows_are_kept(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    cut(monkeypatch, lambda rows: rows[:3], lambda rows: rows[:2])
    lab.complete(work)
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == [4, 1]
    assert answered_ids(work[0]) == asked_ids(work[0])


def test_an_interrupted_download_is_not_taken_for_an_accepted_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    work = lab.work()[:1]
    cut(monkeypatch, lambda rows: rows[:2])
    lab.vendor.script("end of results", None, _die)
    lab.submit(work)
    with pytest.raises(KeyboardInterrupt):
        lab.collect(work)
    assert drafts(work[0]) == ["results.a1.draft.jsonl"]
    lab.vendor.scripts.clear()
    lab.new_process()
    lab.complete(work)
    assert set(lab.vendor.asked().values()) == {1}
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert drafts(work[0]) == []


def test_a_transfer_cut_by_a_kill_adds_no_rows_and_nothing_is_asked_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    results, looks = HostedProvider.results, []

    def short_then_killed(provider: HostedProvider, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        looks.append(job.name)
        rows = list(results(provider, job, payload))
        yield from rows[:2] if len(looks) == 1 else rows[2:3] if len(looks) == 2 else rows
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(HostedProvider, "results", short_then_killed)
    lab.submit(work)
    with pytest.raises(KeyboardInterrupt):
        lab.collect(work)
    (draft,) = work[0].folder.part_results(work[0].part.name).parent.glob("*.draft.jsonl")
    assert draft.read_bytes().count(b"\n") == 2
    lab.new_process()
    lab.complete(work)
    assert set(lab.vendor.asked().values()) == {1}
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert drafts(work[0]) == []


@pytest.mark.parametrize("then", [ResultsGoneError("not found"), ResultsEmptyError("an empty output file")])
@pytest.mark.parametrize("end", [JobState.READY, JobState.EXPIRED])
def test_rows_received_before_the_rest_was_lost_are_kept_and_the_rest_needs_permission_to_pay_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, then: Exception, end: JobState
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((end, 1.0))
    first = [lambda rows: rows[:3]]
    results = HostedProvider.results

    def short_then_gone(provider: HostedProvider, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        rows = list(results(provider, job, payload))
        if payload.key.endswith("-a2"):
            yield from rows
        elif first:
            yield from first.pop()(rows)
        else:
            raise then

    monkeypatch.setattr(HostedProvider, "results", short_then_gone)
    lab.submit(work)
    for _ in range(2):
        with pytest.raises(
            PhaseFailedError, match=r"3 of 4 answers were received before that, .*ask these 1 requests .*--rebuy"
        ):
            lab.collect(work)
        assert len(lab.vendor.jobs) == 1
        assert work[0].record.lost is True
        lab.new_process()
    lab.complete(work, rebuy=True)
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == [4, 1]
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))


def test_complete_answers_unrecorded_because_of_a_kill_need_no_provider(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.clock.advance(lab.vendor.takes_s)
    with monkeypatch.context() as kill:
        kill.setattr(atomic, "move", _move_and_die(atomic.move))
        with pytest.raises(KeyboardInterrupt):
            lab.collect(work)
    lab.new_process()
    lab.vendor.script("results", *[ResultsGoneError("not found")] * 20)
    lab.complete(work)
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert len(lab.vendor.jobs) == 1
    assert not [text for text in lab.said if "belong to no request" in text]


def _move_and_die(move: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    def moved(source: Path, target: Path) -> None:
        move(source, target)
        if target.name == "results.a1.jsonl":
            raise KeyboardInterrupt

    return moved


# --- rows that never come --------------------------------------------------------------------------------------------


def test_a_row_that_is_always_omitted_ends_as_unanswered_after_the_maximum_of_jobs(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.skipped = {asked_ids(work[0])[1]}
    lab.complete(work, max_attempts=3)
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == [4, 1, 1]
    assert statuses(work) == ["downloaded"]
    assert work[0].record.reason == ("1 of 4 requests have no answer: the results of 3 jobs have no row for them")
    lab.complete(work)
    assert len(lab.vendor.jobs) == 3


@pytest.mark.parametrize("error", [ResultsEmptyError, ResultsShortError])
def test_a_row_omitted_from_an_otherwise_empty_output_ends_as_unanswered_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    work = lab.work()[:1]
    lab.vendor.skipped = {asked_ids(work[0])[1]}
    results = HostedProvider.results

    def doubtful(provider: HostedProvider, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        rows = list(results(provider, job, payload))
        yield from rows
        if not rows:
            raise error("Fireworks: an empty output file; 0 of 1 rows came")

    monkeypatch.setattr(HostedProvider, "results", doubtful)
    lab.complete(work, max_attempts=3)
    assert statuses(work) == ["downloaded"]
    assert len(lab.vendor.jobs) == 3
    assert lab.vendor.count("results") <= 2 + 2 * 5


def test_a_job_without_rows_is_lost_until_permission_to_pay_again_and_then_unanswered(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.work()[:1]
    cut(monkeypatch, *[nothing] * 1000, short=ResultsEmptyError("an empty output file"))
    lab.submit(work)
    for _ in range(2):
        with pytest.raises(PhaseFailedError, match=r"empty output file, every time .*ask these 4 requests .*--rebuy"):
            lab.collect(work)
        assert len(lab.vendor.jobs) == 1
        assert work[0].record.lost is True
    lab.complete(work, rebuy=True, max_attempts=3)
    assert len(lab.vendor.jobs) == 3
    assert statuses(work) == ["downloaded"]
    assert work[0].record.lost is msgspec.UNSET
    assert "4 of 4 requests have no answer" in str(work[0].record.reason)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_answers_of_an_expired_job_count_as_lost_only_after_the_wait_and_need_permission_to_pay_again(
    lab: Lab, share: float
) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, share))
    lab.submit(work)
    lab.vendor.script("results", *[ResultsGoneError("not found")] * 20)
    with pytest.raises(PhaseFailedError, match=r"not found .*--rebuy"):
        lab.collect(work)
    assert len(lab.vendor.jobs) == 1
    lab.vendor.scripts.clear()
    lab.complete(work)
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert sorted(lab.vendor.asked().values()) == [1] * round(4 * share) + [2] * round(4 * (1 - share))


def test_a_download_that_always_fails_is_given_up_only_with_permission_and_while_the_provider_answers(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", *[TransientError("truncated")] * 10_000)
    with pytest.raises(PhaseFailedError, match="truncated"):
        lab.collect(work)
    assert lost(work) == [msgspec.UNSET], "it may pass"
    for _ in range(2):
        lab.clock.advance(HOUR_S)
        lab.new_process()
        with pytest.raises(PhaseFailedError, match=r"truncated.*ask these 4 requests again .*--rebuy"):
            lab.collect(work)
        assert lost(work) == [True]
    lab.clock.advance(HOUR_S)
    lab.vendor.script("status", *[None, TransientError("down")] * 3)
    with pytest.raises(PhaseFailedError, match="truncated"):
        lab.complete(work, rebuy=True, max_attempts=1)
    assert len(lab.vendor.jobs) == 1
    lab.vendor.scripts["status"].clear()
    lab.clock.advance(HOUR_S)
    lab.complete(work, rebuy=True, max_attempts=1)
    assert statuses(work) == ["downloaded"]
    assert len(lab.vendor.jobs) == 1


def test_an_outage_of_everything_is_never_taken_for_answers_that_are_lost(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", *[TransientError("truncated")] * 10_000)
    for _ in range(3):
        lab.clock.advance(HOUR_S)
        lab.new_process()
        lab.vendor.scripts.pop("status", None)
        lab.vendor.script("status", None, *[TransientError("down")] * 100)
        with pytest.raises(PhaseFailedError, match="truncated"):
            lab.collect(work)
        assert lost(work) == [msgspec.UNSET]


def test_a_download_that_was_not_tried_because_its_provider_was_given_up_counts_for_nothing(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", *[NotAskedError("given up a moment ago")] * 100)
    for _ in range(3):
        lab.clock.advance(HOUR_S)
        lab.new_process()
        with pytest.raises(PhaseFailedError, match="given up a moment ago") as error:
            lab.collect(work)
        assert "--rebuy" not in str(error.value)
        assert lost(work) == [msgspec.UNSET]
    lab.vendor.scripts["results"].clear()
    lab.complete(work)
    assert len(lab.vendor.jobs) == 1


def test_permission_to_pay_again_does_not_apply_to_a_first_failed_or_untried_download(lab: Lab) -> None:
    work = lab.work()[:2]
    lab.submit(work)
    lab.vendor.script("results", *[TransientError("truncated")] * 10_000)
    lab.clock.advance(HOUR_S)
    for rebuy in (True, False):
        with pytest.raises(PhaseFailedError, match="truncated"):
            lab.collect(work, rebuy=rebuy, max_concurrent_jobs=1)
        assert len(lab.vendor.jobs) == 2
        assert lost(work) == [msgspec.UNSET] * 2, "each has tried once: one found it given up"
        lab.clock.advance(HOUR_S)
        lab.new_process()
    lab.vendor.scripts["results"].clear()
    lab.complete(work)
    assert len(lab.vendor.jobs) == 2


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
def test_unfetchable_answers_of_a_failed_job_are_paid_for_again_only_with_permission(lab: Lab, end: JobState) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((end, 0.5))
    lab.submit(work)
    lab.vendor.script("results", *[TransientError("truncated")] * 10_000)
    with pytest.raises(PhaseFailedError):
        lab.collect(work)
    for _ in range(2):
        lab.clock.advance(HOUR_S)
        lab.new_process()
        with pytest.raises(PhaseFailedError, match=r"truncated.*ask these 4 requests again .*--rebuy"):
            lab.complete(work)
        assert lost(work) == [True]
        assert len(lab.vendor.jobs) == 1
    lab.clock.advance(HOUR_S)
    lab.vendor.scripts["results"].clear()
    lab.new_process()
    lab.complete(work, rebuy=True)
    assert answered_ids(work[0]) == asked_ids(work[0])


# --- rows that nobody asked for --------------------------------------------------------------------------------------


def test_a_flood_of_foreign_or_repeated_rows_is_counted_and_not_written(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_SPARE_ROWS", 10)
    work = lab.work()[:1]
    flood = [json.dumps({"custom_id": f"other-{n}", "text": "x"}).encode() for n in range(5000)]
    cut(monkeypatch, lambda rows: [*flood, *rows, *rows[:1] * 100, b"no row at all"])
    lab.complete(work)
    rows = list(jsonl.lines(work[0].folder.part_results(work[0].part.name)))
    assert len(rows) == 4 + 4 + 10
    assert set(asked_ids(work[0])) <= set(answered_ids(work[0]))
    assert set(lab.vendor.asked().values()) == {1}
    assert [text for text in lab.said if "5,087 rows belong to no request of this part" in text]


# --- a job that was created, not recorded, and is gone ---------------------------------------------------------------


def created_and_gone(lab: Lab, work: list[PartWork], *, output: bool) -> str:
    """Create a job of which the record knows nothing, and let the vendor forget it, with or without its output."""
    key = f"{work[0].key}-a1"
    lab.vendor.script("submit", Lost())
    lab.vendor.script("find", None, _die)
    with pytest.raises(KeyboardInterrupt):
        lab.submit(work)
    lab.vendor.scripts.clear()
    assert statuses(work) == ["submitting"]
    lab.vendor.gone[key] = lab.vendor.jobs.pop(key)
    if not output:
        lab.vendor.gone[key] = []
    lab.new_process()
    return key


def _die() -> None:
    raise KeyboardInterrupt


def put_by_hand(work: PartWork, ids: list[str]) -> None:
    folder = work.folder.part_results(work.part.name).parent / "dataset" / f"{work.key}-a1-out"
    folder.mkdir(parents=True, exist_ok=True)
    rows = (json.dumps({"custom_id": wire_id, "text": "by hand"}) + "\n" for wire_id in ids)
    (folder / "BIJOutputSet.jsonl").write_text("".join(rows))


def test_the_output_of_a_deleted_unrecorded_job_is_fetched(lab: Lab) -> None:
    work = lab.work()[:1]
    key = created_and_gone(lab, work, output=True)
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert lab.vendor.jobs == {}
    assert work[0].record.job == key


def test_answers_in_the_parts_folder_are_used_without_another_create_call(lab: Lab) -> None:
    work = lab.work()[:1]
    created_and_gone(lab, work, output=False)
    before = lab.vendor.count("submit")
    put_by_hand(work[0], asked_ids(work[0]))
    lab.complete(work)
    assert statuses(work) == ["downloaded"]
    assert answered_ids(work[0]) == asked_ids(work[0])
    assert lab.vendor.count("submit") == before


@pytest.mark.parametrize("by_hand", [0, 3])
def test_with_permission_only_requests_without_answers_are_paid_for_again(lab: Lab, by_hand: int) -> None:
    work = lab.work()[:1]
    key = created_and_gone(lab, work, output=False)
    put_by_hand(work[0], asked_ids(work[0])[:by_hand])
    for _ in range(2):
        with pytest.raises(PhaseFailedError, match=rf"ask these {4 - by_hand} requests again .*--rebuy"):
            lab.complete(work)
        assert lab.vendor.jobs == {}
    lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert {name: len(jobs[0].ids) for name, jobs in lab.vendor.jobs.items()} == {f"{work[0].key}-a2": 4 - by_hand}
    assert [intent.key for intent in work[0].intents] == [key, f"{work[0].key}-a2"]


@pytest.mark.parametrize("by_hand", [0, 2, 4])
def test_a_parked_part_is_settled_by_manually_placed_answers_or_by_permission_to_pay_again(
    tmp_path: Any, by_hand: int
) -> None:
    lab = Lab.make(tmp_path, keyed=False)
    work = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    for _ in range(2):
        with pytest.raises(
            PhaseFailedError, match=r"cannot be (?:found|determined).*ask these 4 requests again .*--rebuy"
        ):
            lab.submit(work)
        assert statuses(work) == ["unknown"]
    put_by_hand(work[0], asked_ids(work[0])[:by_hand])
    if by_hand == 4:
        lab.complete(work)
    else:
        with pytest.raises(PhaseFailedError, match=rf"ask these {4 - by_hand} requests again"):
            lab.submit(work)
        lab.complete(work, rebuy=True)
    assert statuses(work) == ["downloaded"]
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))
    assert [len(jobs[0].ids) for jobs in lab.vendor.jobs.values()] == ([] if by_hand == 4 else [4 - by_hand])


def test_a_doubtful_attempt_is_given_up_once_per_process(tmp_path: Any) -> None:
    lab = Lab.make(tmp_path, keyed=False)
    work = lab.work()[:1]
    lab.vendor.script("submit", *[OutcomeUnknownError("no answer")] * 100)
    with pytest.raises(PhaseFailedError):
        lab.submit(work)
    with pytest.raises(PhaseFailedError):
        lab.submit(work, rebuy=True)
    assert lab.vendor.count("submit") == 2
