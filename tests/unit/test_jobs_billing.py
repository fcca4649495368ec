"""What the answers of an attempt report is counted as they arrive, and kept with the record of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.documents.cost_report import Price
from promptrial.errors import OutcomeUnknownError, PhaseFailedError, ResultsGoneError, StopRequested
from promptrial.jobs.answers import Answers
from promptrial.jobs.billing import count_billed, larger, with_unanswered
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.model import Completion
from promptrial.phases.ledger import run_ledger
from promptrial.providers.anthropic_rows import parse_message_row
from promptrial.providers.base import JobLookup, JobState
from promptrial.providers.chat_rows import parse_chat_row
from promptrial.store import jsonl
from promptrial.store.journal import PartEvent, fold
from promptrial.store.part_records import BilledTokens, ReusedAnswers, ReusedFrom
from tests.support.hosted_provider import Lab
from tests.support.live_provider import LiveLab

PRICE = Price(input_per_million=3.0, output_per_million=15.0, batch_discount=0.5)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, usage=(10, 3))


def billed(work: PartWork) -> list[Any]:
    """Return what each attempt of a part was billed."""
    return [intent.billed for intent in work.record.intents]


def chat(wire_id: str, usage: dict[str, Any] | None, **more: Any) -> bytes:
    choice = {"message": {"content": "Rome"}, "finish_reason": "stop"}
    return json.dumps({"custom_id": wire_id, "response": {"choices": [choice], "usage": usage}, **more}).encode()


USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}


# --- what rows report ------------------------------------------------------------------------------------------------


def test_tokens_are_summed_over_rows_and_errors_count_where_they_report_usage() -> None:
    rows = [
        chat("a", USAGE),
        chat("b", USAGE),
        json.dumps({"custom_id": "c", "error": {"message": "no"}, "response": {"usage": USAGE}}).encode(),
        json.dumps({"custom_id": "d", "error": {"message": "no"}}).encode(),
    ]
    found = count_billed(rows, "abcd", parse_chat_row)
    assert found == BilledTokens(rows=4, prompt=21, completion=6, cached=12)


def test_the_tokens_of_reasoning_are_part_of_the_completion() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 80}}
    assert count_billed([chat("a", usage)], "a", parse_chat_row).completion == 90


@pytest.mark.parametrize("missing", ["prompt_tokens", "completion_tokens"])
def test_a_response_with_partial_usage_is_unknown_and_its_reported_part_counts(missing: str) -> None:
    half = {key: value for key, value in USAGE.items() if key != missing}
    found = count_billed([chat("a", half)], "a", parse_chat_row)
    assert (found.unknown, found.prompt + found.completion) == (1, 2 if missing == "prompt_tokens" else 7)


def test_a_response_that_reports_no_usage_is_unknown() -> None:
    found = count_billed([chat("a", None), chat("b", USAGE)], "ab", parse_chat_row)
    assert found == BilledTokens(rows=2, prompt=7, completion=2, cached=4, unknown=1)


def test_cache_reads_and_writes_of_a_message_are_counted_separately() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 40}
    message = {"id": "m", "content": [{"type": "text", "text": "Rome"}], "usage": usage, "stop_reason": "end_turn"}
    row = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": message}}).encode()
    found = count_billed([row], "a", parse_message_row)
    assert found == BilledTokens(rows=1, prompt=75, completion=2, cached=40, cache_write=30)


def test_a_repeated_row_and_one_of_other_requests_are_not_billed_here() -> None:
    found = count_billed([chat("a", USAGE), chat("a", USAGE), chat("theirs", USAGE)], "ab", parse_chat_row)
    assert found == BilledTokens(rows=1, prompt=7, completion=2, cached=4)


def test_a_garbled_row_has_unknown_usage_while_it_may_answer_a_request() -> None:
    rows = [b'{"custom_id": "a", "respo', b"upstream connect error", b"upstream connect error", chat("b", USAGE)]
    found = count_billed(rows, "abc", parse_chat_row)
    assert found == BilledTokens(rows=3, prompt=7, completion=2, cached=4, unknown=2)


def test_requests_without_a_row_in_a_completed_job_have_unknown_usage() -> None:
    assert with_unanswered(BilledTokens(rows=3, prompt=5), 5) == BilledTokens(rows=5, prompt=5, unknown=2)
    assert with_unanswered(BilledTokens(rows=3, prompt=5), None) == BilledTokens(rows=3, prompt=5)


def test_losing_rows_does_not_reduce_the_billed_amount() -> None:
    more, less = BilledTokens(rows=5, prompt=9, unknown=1), BilledTokens(rows=5, prompt=3, unknown=3)
    assert larger(less, more) is None
    assert larger(more, less) == more


# --- what is put on record -------------------------------------------------------------------------------------------


def test_the_record_of_an_attempt_says_what_its_answers_report(lab: Lab) -> None:
    work = lab.work()
    lab.complete(work)
    assert [billed(each) for each in work] == [[BilledTokens(rows=4, prompt=40, completion=12)]] * 2


def test_each_attempt_of_an_expired_job_has_its_own_bill(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.complete(work)
    assert billed(work[0]) == [BilledTokens(rows=2, prompt=20, completion=6)] * 2


def test_requests_omitted_by_a_finished_job_may_have_been_billed(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.skipped.add(next(row.custom_id for row in work[0].requests()))
    lab.complete(work, max_attempts=1)
    assert billed(work[0]) == [BilledTokens(rows=4, prompt=30, completion=9, unknown=1)]


def test_answers_of_a_failed_job_are_billed(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.FAILED, 0.25))
    with pytest.raises(PhaseFailedError):
        lab.complete(work)
    assert billed(work[0]) == [BilledTokens(rows=1, prompt=10, completion=3)]
    lab.complete(work)
    assert billed(work[0]) == [
        BilledTokens(rows=1, prompt=10, completion=3),
        BilledTokens(rows=3, prompt=30, completion=9),
    ]


def test_answers_lost_before_they_arrived_are_not_recorded_as_free(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.jobs.clear()
    lab.collect(work, rebuy=True)
    first, second = work[0].record.intents
    assert first.results is not None
    assert first.results.rows == 0
    assert not isinstance(first.billed, BilledTokens)
    assert second.billed == BilledTokens(rows=4, prompt=40, completion=12)


def test_answers_lost_after_they_arrived_stay_billed(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.complete(work)
    for path in work[0].folder.part_results(work[0].part.name).parent.iterdir():
        path.unlink()
    lab.vendor.jobs.clear()
    lab.complete(work, rebuy=True)
    assert billed(work[0]) == [BilledTokens(rows=4, prompt=40, completion=12)] * 2


def test_an_attempt_that_cannot_have_a_job_costs_nothing(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path, usage=(10, 3), keyed=False, fences=True, lookup=JobLookup.SEARCH)
    work = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    lab.complete(work)
    assert billed(work[0]) == [BilledTokens(), BilledTokens(rows=4, prompt=40, completion=12)]


def test_an_attempt_given_up_in_doubt_is_not_recorded_as_free(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path, usage=(10, 3), keyed=False, lookup=JobLookup.SEARCH)
    work = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    lab.complete(work, rebuy=True)
    assert [isinstance(each, BilledTokens) for each in billed(work[0])] == [False, True]


def test_an_error_row_is_not_a_response_of_unknown_usage() -> None:
    completion = Completion("a", "", None, None, None, None, None, error="500: no")
    assert count_billed([b"row"], "a", lambda _line: completion) == BilledTokens(rows=1)


# --- requests that are asked one by one ------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveLab:
    return LiveLab.simulated(tmp_path, monkeypatch, usage=(10, 3))


def ledger(work: PartWork) -> list[tuple[Any, ...]]:
    return [(each.status, each.rows, each.billed) for each in work.record.ledger]


def test_the_rows_of_a_live_part_are_billed_once_they_are_sealed(live: LiveLab) -> None:
    work = live.parts(rows=5)
    live.complete(work)
    for each in work:
        assert ledger(each) == [("downloaded", 5, BilledTokens(rows=5, prompt=50, completion=15))]
        assert each.record.intents == (), "it has no job elsewhere"
        assert each.record.ledger[0].began is not msgspec.UNSET


def test_a_stopped_live_part_counts_what_its_rows_report_and_no_unsent_request(
    live: LiveLab,
) -> None:
    work = live.parts(rows=20)[:1]
    live.live.in_flight = 1
    live.new_process(lambda: len(live.live.calls) >= 4)
    with pytest.raises(StopRequested):
        live.complete(work)
    here = len(list(jsonl.lines(work[0].folder.part_rows(work[0].part.name))))
    assert 0 < here < 20
    expected = BilledTokens(rows=here, prompt=10 * here, completion=3 * here)
    assert ledger(work[0]) == [("running", 20, expected)]

    live.new_process(lambda: len(live.live.calls) >= 8)
    with pytest.raises(StopRequested):
        live.complete(work)
    here = len(list(jsonl.lines(work[0].folder.part_rows(work[0].part.name))))
    expected = BilledTokens(rows=here, prompt=10 * here, completion=3 * here)
    assert ledger(work[0]) == [("running", 20, expected)]

    live.new_process()
    live.complete(work)
    assert ledger(work[0]) == [("downloaded", 20, BilledTokens(rows=20, prompt=200, completion=60))]


def test_lost_live_answers_that_are_requested_again_are_billed_twice(live: LiveLab) -> None:
    work = live.parts(rows=5)[:1]
    live.complete(work)
    path = work[0].folder.part_results(work[0].part.name)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    live.complete(work, rebuy=True)
    assert live.live.asked().total() == 7
    assert ledger(work[0]) == [
        ("downloaded", 5, BilledTokens(rows=5, prompt=50, completion=15)),
        ("expired", 2, BilledTokens(rows=2, prompt=20, completion=6)),
    ]


def test_a_kill_after_a_loss_was_recorded_does_not_count_it_twice(
    live: LiveLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = live.parts(rows=5)[:1]
    live.complete(work)
    work[0].folder.part_results(work[0].part.name).unlink()
    record_lost = Recorder.record_lost

    def killed(*args: Any, **facts: Any) -> None:
        record_lost(*args, **facts)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record_lost", killed)
        with pytest.raises(KeyboardInterrupt):
            live.complete(work, rebuy=True)
    live.complete(work, rebuy=True)
    assert [billed for *_, billed in ledger(work[0])] == [BilledTokens(rows=5, prompt=50, completion=15)] * 2


def test_lost_answers_of_an_earlier_version_are_not_recorded_as_free(live: LiveLab) -> None:
    work = live.parts(rows=5)[:1]
    live.complete(work)
    manifest = work[0].manifest
    record = manifest.parts[work[0].part.name]
    manifest.parts[work[0].part.name] = msgspec.structs.replace(record, live=msgspec.UNSET)
    work[0].folder.part_results(work[0].part.name).unlink()
    live.complete(work, rebuy=True)
    assert ("expired", 5, BilledTokens(rows=5, unknown=5)) in ledger(work[0])


@pytest.mark.parametrize("taken_over", [2, 5])
def test_answers_that_another_run_has_paid_for_are_not_billed_here(live: LiveLab, taken_over: int) -> None:
    work = live.parts(rows=5)[:1]
    live.submit(work)
    answers = Answers(work[0], live.queue(work)._recorder)
    ids = [row.custom_id for row in work[0].requests()][:taken_over]
    file = answers.write(1, [msgspec.json.encode({"custom_id": each, "usage": (90, 9)}) for each in ids])
    source = ReusedFrom(run_id="other", trial="t", part="p", rows=taken_over, requests_sha256="a", results_sha256="b")
    from_there = ReusedAnswers(at="t", sources=(source,))
    answers.recorder.record_reused(work[0], "k-r1", 1, file, from_there, BilledTokens(rows=taken_over, prompt=90))
    live.collect(work)
    reused, *asked = work[0].record.ledger
    assert isinstance(reused.reused, ReusedAnswers)
    own = 5 - taken_over
    assert [(each.rows, each.billed) for each in asked] == (
        [(own, BilledTokens(rows=own, prompt=10 * own, completion=3 * own))] if own else []
    )


# --- a second job for the same requests ------------------------------------------------------------------------------


def given_up(lab: Lab) -> PartWork:
    """Return a part whose first attempt was given up, and whose job of it is shown from now on."""
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", OutcomeUnknownError("no answer"))
    lab.submit([work], rebuy=True)
    first = work.record.intents[0]
    assert (first.status, first.job) == ("expired", None)
    lab.vendor.create(first.key, [row.custom_id for row in work.requests()])
    return work


@pytest.fixture
def searchable(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, usage=(10, 3), keyed=False, lookup=JobLookup.SEARCH)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_bill_of_a_late_job_is_recorded_under_its_name(searchable: Lab, share: float) -> None:
    lab = searchable
    lab.vendor.endings.extend([(JobState.READY, 1.0), (JobState.READY if share == 1 else JobState.EXPIRED, share)])
    work = given_up(lab)
    name = lab.vendor.name_of(work.record.intents[0].key)
    lab.collect([work])
    first, second = work.record.intents
    assert (first.job, first.status, first.results) == (name, "expired", None)
    rows = round(4 * share)
    assert first.billed == BilledTokens(rows=rows, prompt=10 * rows, completion=3 * rows)
    assert second.billed == BilledTokens(rows=4, prompt=40, completion=12)
    found = run_ledger("r", {"trial1": work.manifest}, None, lambda *_: PRICE, lambda *_: None)
    assert [line.fate for line in found.lines] == ["duplicate", "used"]
    assert found.total.spent == sum(line.usd.spent or 0 for line in found.lines) > (found.total.used or 0)


def test_a_late_job_that_was_stopped_holds_its_reserve_until_it_has_ended(searchable: Lab) -> None:
    lab = searchable
    work = given_up(lab)
    lab.vendor.jobs[lab.vendor.name_of(work.record.intents[0].key)][0].ends = 1e9
    lab.collect([work])
    assert lab.vendor.count("cancel") == 1
    first = work.record.intents[0]
    assert first.job is not None
    assert first.billed == BilledTokens(rows=4, unknown=4)


def test_an_unexpected_late_job_counts_while_it_runs_and_after_it_ended(searchable: Lab) -> None:
    lab = searchable
    work = given_up(lab)
    first = work.record.intents[0]
    event = PartEvent(
        part=work.part.name, status="expired", at="", key=first.key, billed=BilledTokens(), intent_only=True
    )
    fold(work.manifest.parts, [event])
    job = lab.vendor.jobs[lab.vendor.name_of(first.key)][0]
    job.ends = 1e9
    lab.collect([work])
    assert lab.vendor.count("cancel") == 1
    assert work.record.intents[0].billed == BilledTokens(rows=4, unknown=4)
    job.ends = 0.0
    lab.collect([work])
    assert work.record.intents[0].billed != BilledTokens(rows=4, unknown=4), "the end of the job is looked at again"


def test_a_late_job_whose_answers_cannot_be_fetched_is_not_recorded_as_free(searchable: Lab) -> None:
    lab = searchable
    work = given_up(lab)
    lab.vendor.script("results", None, ResultsGoneError("gone"))
    lab.collect([work])
    first = work.record.intents[0]
    assert first.job is not None
    assert first.billed == BilledTokens(rows=4, unknown=4)
