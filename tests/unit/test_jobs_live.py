"""Live parts: how many requests are in flight, what failures and stops do, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.errors import (
    ActionNeeded,
    Detached,
    PermanentError,
    PhaseFailedError,
    PromptrialError,
    SlowDownError,
    StopRequested,
    TransientError,
    UncertainError,
)
from promptrial.jobs.live import LivePart, _unanswered
from promptrial.jobs.local import PartRows
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobRef, JobState, JobStatus, PartPayload
from promptrial.providers.http_outcomes import FailedThereError
from promptrial.providers.live import AnswersDirectly, LiveAnswer, Note
from promptrial.providers.request_rows import RequestRow
from promptrial.runtime.events import EventLog, Redactor
from promptrial.store import atomic, jsonl
from tests.support.hosted_provider import HostedProvider, answered_ids, asked_ids, statuses
from tests.support.live_provider import LiveFake, LiveLab, SimulatedWorkers


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveLab:
    return LiveLab.simulated(tmp_path, monkeypatch)


def uneven(request: RequestRow, _call: int) -> float:
    """Return seconds that bring answers back in another order than that of their requests."""
    return 1.0 + sum(request.custom_id.encode()) * 7919 % 13


def first_calls(count: int, error: Exception) -> Callable[[RequestRow, int], None]:
    """Return what lets the first ``count`` calls fail, and no later one."""
    left = [count]

    def meets(_request: RequestRow, _call: int) -> None:
        if left[0]:
            left[0] -= 1
            raise error

    return meets


def partial_rows(work: PartWork) -> list[str]:
    path = work.folder.part_rows(work.part.name)
    return [msgspec.json.decode(row)["custom_id"] for row in jsonl.lines(path)] if path.exists() else []


# --- how many, and in which order ------------------------------------------------------------------------------------


def test_the_instance_limits_the_number_of_requests_in_flight(lab: LiveLab) -> None:
    work = lab.parts(shards=3, rows=20)
    lab.complete(work)
    assert lab.live.most_out == 8
    assert lab.clock.monotonic() == pytest.approx(120 / 8, abs=2), "all of them were used all the time"
    assert set(lab.live.asked().values()) == {1}
    assert statuses(work) == ["downloaded"] * 6


def test_both_arms_of_a_shard_are_asked_side_by_side(lab: LiveLab) -> None:
    lab.complete(lab.parts(shards=2, rows=20))
    ahead = 0
    for _, wire_id in lab.live.calls:
        ahead += 1 if "-c-" in wire_id else -1
        assert abs(ahead) <= 8
    assert sum("-c-" in wire_id for _, wire_id in lab.live.calls[:8]) == 4


def test_small_parts_are_started_until_all_slots_are_used(lab: LiveLab) -> None:
    lab.complete(lab.parts(shards=10, rows=1))
    assert lab.live.most_out == 8
    assert lab.clock.monotonic() == pytest.approx(3, abs=1)


def test_rows_are_sealed_in_the_order_of_the_requests_whatever_order_they_arrive(lab: LiveLab) -> None:
    lab.live.takes_s = uneven
    work = lab.parts(rows=30)
    lab.complete(work)
    for each in work:
        assert answered_ids(each) == asked_ids(each)
        assert not each.folder.part_rows(each.part.name).exists()


def test_timing_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = []
    for name, takes_s in (("even", lambda _request, _call: 1.0), ("uneven", uneven)):
        lab = LiveLab.simulated(tmp_path / name, monkeypatch, takes_s=takes_s)
        work = lab.parts(rows=30)
        lab.complete(work)
        sealed.append([each.folder.part_results(each.part.name).read_bytes() for each in work])
    assert sealed[0] == sealed[1]


def test_a_row_counts_only_when_it_is_on_disk(lab: LiveLab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, flushed = [], atomic.Appender.append_lines

    def spied(self: atomic.Appender, lines: Iterable[bytes]) -> None:
        rows = [*lines]
        if b'"text"' in rows[0]:
            seen.append(lab.live.clock.calls_out + len(rows))
        flushed(self, rows)

    monkeypatch.setattr(atomic.Appender, "append_lines", spied)
    lab.complete(lab.parts(rows=40))
    assert max(seen) == 8, "while rows are being written, their places are not given to others"


# --- failures --------------------------------------------------------------------------------------------------------


def test_failed_requests_are_sent_again_after_a_wait_and_answered(lab: LiveLab) -> None:
    lab.live.meets = first_calls(3, TransientError("HTTP 500"))
    work = lab.parts(rows=4)
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 2
    assert sorted(lab.live.asked().values()) == [1] * 5 + [2] * 3


def test_a_server_that_asks_for_fewer_requests_gets_fewer_and_later_more_again(lab: LiveLab) -> None:
    lab.live.meets = first_calls(8, SlowDownError("slow down", retry_after_s=30.0))
    lab.live.in_flight = 8
    work = lab.parts(rows=60)
    lab.complete(work)
    again = [at for at, _ in lab.live.calls[8:]]
    assert again[0] >= 31, "the wait that was asked for is kept to"
    at_once = [sum(1 for at, _ in lab.live.calls[8:] if at == moment) for moment in dict.fromkeys(again)]
    assert at_once[0] == 1, "one tries it first"
    assert at_once[1] <= 4
    assert max(at_once) > 4
    assert set(lab.live.asked().values()) <= {1, 2}


def test_after_the_outage_limit_every_part_is_left_to_a_resume(lab: LiveLab) -> None:
    lab.live.meets = first_calls(10**9, TransientError("HTTP 503"))
    work = lab.parts(shards=5, rows=20)
    lab.submit(work)
    lab.clock.advance(5000)
    with pytest.raises(PhaseFailedError, match="10 of 10 parts failed") as caught:
        lab.collect(work, outage_s=1800.0)
    assert 5000 + 1800 <= lab.clock.monotonic() <= 5000 + 1800 + 61
    assert "20 of 20 requests have no answer: HTTP 503" in caught.value.message
    assert len(lab.live.calls) < 200, "a server that is down is not flooded"
    assert sum("is not responding" in text for text in lab.said) == 1
    lab.live.meets = first_calls(0, TransientError(""))
    lab.collect(work)
    assert statuses(work) == ["downloaded"] * 10


def test_a_refused_key_ends_the_work_immediately_and_received_answers_are_kept(lab: LiveLab) -> None:
    def meets(_request: RequestRow, call: int) -> None:
        if call > 20:
            raise PermanentError("HTTP 401", hint="check SOME_KEY")

    lab.live.meets = meets
    work = lab.parts(shards=2, rows=20)
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="check SOME_KEY"):
        lab.collect(work)
    assert lab.clock.monotonic() < 10, "no part waits for what will not come"
    kept = sum(len(partial_rows(each)) for each in work)
    assert 8 <= kept <= 20
    assert len(lab.live.calls) <= 40
    lab.live.meets = first_calls(0, TransientError(""))
    lab.collect(work)
    assert lab.live.asked().most_common(1)[0][1] <= 2
    assert statuses(work) == ["downloaded"] * 4


def _once(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, call: int, error: Exception) -> None:
    """Let the call of this number, from 1, to a method fail, of whichever object."""
    real, calls = getattr(kind, name), count(1)

    def method(self: Any, *arguments: Any) -> Any:
        if next(calls) == call:
            raise error
        return real(self, *arguments)

    monkeypatch.setattr(kind, name, method)


@pytest.mark.parametrize("call", range(1, 8))
@pytest.mark.parametrize(
    ("kind", "method", "error"),
    [
        (SimulatedWorkers, "begin", PromptrialError("can't start new thread")),
        (LivePart, "next_request", OSError("the file of the requests cannot be read")),
        (LivePart, "count_unsure", OSError("the disk is full")),
    ],
)
def test_a_permanent_error_of_one_request_ends_every_part_and_a_resume_asks_the_rest(
    lab: LiveLab, monkeypatch: pytest.MonkeyPatch, call: int, kind: type, method: str, error: Exception
) -> None:
    _once(monkeypatch, kind, method, call, error)
    lab.live.meets = first_calls(9 if method == "count_unsure" else 0, UncertainError("no answer"))
    work = lab.parts(rows=20)
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="2 of 2 parts failed") as caught:
        lab.collect(work)
    assert str(error) in caught.value.message
    assert lab.clock.monotonic() < 60, "no part waits for what will not come"
    lab.collect(work)
    assert statuses(work) == ["downloaded"] * 2
    assert [answered_ids(part) for part in work] == [asked_ids(part) for part in work]


def test_no_part_waits_for_a_server_that_another_part_gave_up(lab: LiveLab) -> None:
    lab.live.in_flight = 1
    lab.live.meets = first_calls(10**9, PermanentError("HTTP 401"))
    work = lab.parts(rows=4)
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="2 of 2 parts failed"):
        lab.collect(work)
    assert lab.clock.monotonic() < 5


def test_a_request_that_never_works_while_others_do_becomes_an_error_of_its_own(lab: LiveLab) -> None:
    work = lab.parts(rows=900)
    poison = asked_ids(work[0])[3]

    def meets(request: RequestRow, _call: int) -> None:
        if request.custom_id == poison:
            raise TransientError("HTTP 500: bad grammar")

    lab.live.meets = meets
    lab.complete(work, outage_s=60.0)
    rows = [msgspec.json.decode(row) for row in jsonl.lines(work[0].folder.part_results(work[0].part.name))]
    (refused,) = [row for row in rows if "error" in row]
    assert refused["custom_id"] == poison
    assert "HTTP 500: bad grammar" in refused["error"]["message"]
    assert lab.live.asked()[poison] < 15


@pytest.mark.parametrize("error", [UncertainError("HTTP 500: bad grammar"), FailedThereError("upstream failed")])
def test_requests_that_always_fail_at_the_server_count_as_unanswered_with_permission(
    lab: LiveLab, error: TransientError
) -> None:
    """Once all others are answered, nothing else shows that it is these requests that fail, and not the server."""
    work = lab.parts(rows=20)
    lost = {asked_ids(work[0])[3], asked_ids(work[1])[3], asked_ids(work[1])[4]}

    def meets(request: RequestRow, _call: int) -> None:
        if request.custom_id in lost:
            raise error

    lab.live.meets = meets
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match=r"have no answer.*counts them as unanswered: \S+ .* --rebuy"):
        lab.collect(work, outage_s=60.0)
    with pytest.raises(PhaseFailedError, match="have no answer"):
        lab.collect(work, outage_s=60.0)
    lab.collect(work, outage_s=60.0, rebuy=True)
    rows = [row for each in work for row in jsonl.lines(each.folder.part_results(each.part.name))]
    failed = [row for row in map(msgspec.json.decode, rows) if "error" in row]
    assert {row["custom_id"] for row in failed} == lost
    assert {row["error"]["code"] for row in failed} == {"not_answered"}
    assert all("--rebuy" in row["error"]["message"] and error.message in row["error"]["message"] for row in failed)
    assert max(lab.live.asked().values()) < 60


@pytest.mark.parametrize("error", [TransientError("no connection"), SlowDownError("HTTP 429")])
def test_requests_that_never_reached_the_server_do_not_count_as_unanswered_even_with_permission(
    lab: LiveLab, error: TransientError
) -> None:
    lab.live.meets = first_calls(10**9, error)
    work = lab.parts(rows=4)
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="have no answer") as caught:
        lab.collect(work, outage_s=60.0, rebuy=True)
    assert "--rebuy" not in str(caught.value)
    assert not any(partial_rows(each) for each in work)


def test_requests_that_fail_with_the_whole_server_never_become_errors_of_their_own(lab: LiveLab) -> None:
    """Also if others, sent at the same time, were answered just after they had failed."""

    def meets(_request: RequestRow, call: int) -> None:
        if call > 6:
            raise TransientError("HTTP 503")

    lab.live.meets = meets
    lab.live.takes_s = uneven
    work = lab.parts(rows=20)
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="have no answer"):
        lab.collect(work, outage_s=30.0)
    lab.live.meets = first_calls(0, TransientError(""))
    lab.collect(work)
    rows = [row for each in work for row in jsonl.lines(each.folder.part_results(each.part.name))]
    assert not [row for row in rows if b"error" in row]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TransientError("HTTP 503"), TransientError),
        (SlowDownError("HTTP 429"), TransientError),
        (PermanentError("HTTP 401"), PermanentError),
    ],
)
def test_a_part_fails_for_now_or_until_something_is_corrected_as_its_requests_do(
    error: Exception, kind: type[Exception]
) -> None:
    found = _unanswered(error, 3, 20, "promptrial resume r")
    assert type(found) is kind
    assert str(found).startswith("3 of 20 requests have no answer: HTTP")


def test_an_unexpected_error_ends_the_parts_but_not_the_process(lab: LiveLab) -> None:
    lab.live.meets = first_calls(1, ValueError("a bug"))
    work = lab.parts(rows=20)
    lab.submit(work)
    with pytest.raises(PhaseFailedError, match="a bug"):
        lab.collect(work)


def test_a_note_of_an_adapter_is_reported_once_and_counted(lab: LiveLab, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = LiveFake.answer

    def noted(self: LiveFake, *args: Any) -> LiveAnswer:
        return LiveAnswer(plain(self, *args).row, (Note("cut", "the prompt was cut"),))

    monkeypatch.setattr(LiveFake, "answer", noted)
    lab.complete(lab.parts(rows=4))
    assert [text for text in lab.said if "cut" in text] == [
        "warning: live: the prompt was cut (other parts may be affected too)",
        "live: 8 answers in all: cut",
    ]


# --- stops, kills and resumes ----------------------------------------------------------------------------------------


def test_a_stop_sends_nothing_more_and_keeps_what_was_in_flight(lab: LiveLab) -> None:
    work = lab.parts(rows=40)
    lab.submit(work)
    lab.new_process(when=lambda: lab.clock.monotonic() >= 2.5)
    with pytest.raises(StopRequested):
        lab.collect(work)
    assert len(lab.live.calls) == sum(len(partial_rows(each)) for each in work) == 24
    assert max(at for at, _ in lab.live.calls) <= 3
    assert any("8 requests in flight" in text for text in lab.said), lab.said
    assert statuses(work) == ["running"] * 2
    lab.new_process()
    lab.collect(work)
    assert set(lab.live.asked().values()) == {1}
    assert statuses(work) == ["downloaded"] * 2


@pytest.mark.parametrize("lost", [False, True])
def test_requests_started_under_another_name_of_the_run_count_once(lab: LiveLab, *, lost: bool) -> None:
    work = lab.parts(rows=40)
    lab.submit(work)
    lab.new_process(when=lambda: lab.clock.monotonic() >= 2.5)
    with pytest.raises(StopRequested):
        lab.collect(work)
    lab.new_process()
    assert all(partial_rows(part) for part in work)
    if lost:
        work[0].folder.part_rows(work[0].part.name).unlink()
    renamed = [replace(part, key=f"{part.key}-other") for part in work]
    if lost:
        with pytest.raises(PhaseFailedError, match="were paid for and are lost"):
            lab.collect(renamed)
        return
    lab.collect(renamed)
    assert set(lab.live.asked().values()) == {1}
    assert [len(each.live) for each in renamed] == [1, 1]
    assert [each.live[0].in_flight for each in renamed] == [0, 0]


def test_a_stop_during_an_outage_ends_immediately(lab: LiveLab) -> None:
    lab.live.meets = first_calls(10**9, TransientError("HTTP 503"))
    work = lab.parts(rows=40)
    lab.submit(work)
    lab.new_process(when=lambda: lab.clock.monotonic() >= 100)
    with pytest.raises(StopRequested):
        lab.collect(work)
    assert lab.clock.monotonic() <= 102


def test_a_detach_waits_for_nothing_and_a_resume_asks_only_what_has_no_row(lab: LiveLab) -> None:
    work = lab.parts(rows=40)
    lab.submit(work)

    def detach() -> None:
        raise Detached(2)

    lab.clock.at(3.5, detach)  # type: ignore[attr-defined]
    with pytest.raises(Detached):
        lab.collect(work)
    kept = {wire_id for each in work for wire_id in partial_rows(each)}
    assert len(kept) == 24
    assert lab.clock.monotonic() == 3.5
    lab.collect(work)
    assert {wire_id for wire_id, count in lab.live.asked().items() if count > 1}.isdisjoint(kept)
    assert statuses(work) == ["downloaded"] * 2


@pytest.mark.parametrize("damage", ["torn", "sealed and not recorded", "another order"])
def test_a_resume_continues_after_a_kill(lab: LiveLab, damage: str) -> None:
    work = lab.parts(rows=6)
    lab.submit(work)
    each = work[0]
    rows = [b'{"custom_id":"%s"}\n' % wire_id.encode() for wire_id in asked_ids(each)]
    path = each.folder.part_rows(each.part.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if damage == "torn":
        path.write_bytes(b"".join(rows[:2]) + rows[2][:-9])
    elif damage == "another order":
        path.write_bytes(b"".join(reversed(rows)))
    else:
        each.folder.part_results(each.part.name).write_bytes(b"".join(rows))
    lab.collect(work)
    assert answered_ids(each) == asked_ids(each)
    asked_again = sum(wire_id in set(asked_ids(each)) for _, wire_id in lab.live.calls)
    assert asked_again == (4 if damage == "torn" else 0)


# --- beside other providers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [b"", None])
def test_sealed_local_rows_that_changed_are_moved_aside_and_reported(lab: LiveLab, rows: bytes | None) -> None:
    work = lab.parts(shards=1, rows=4)
    lab.complete(work)
    folder, name = work[0].folder, work[0].part.name
    if rows is not None:
        folder.part_rows(name).write_bytes(rows)
    events = EventLog(lab.clock.now, Redactor({}), lab.said.append)
    PartRows(work[0], Recorder(lab.clock, events, lambda _slug, _key: None))._unseal()
    assert not folder.part_results(name).exists()
    assert not folder.part_rows(name).exists()
    assert any("they have changed since they were saved" in text for text in lab.said)


def test_jobs_are_polled_while_live_requests_are_sent(lab: LiveLab) -> None:
    hosted, live = lab.with_jobs_and_without(rows=200)
    work = [*hosted, *live]
    lab.vendor.takes_s = 30.0
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 4
    looks = [call.at for call in lab.vendor.calls if call.operation == "status"]
    assert sum(0 < at < 45 for at in looks) >= 2, "jobs were looked at while requests were in flight"
    assert lab.clock.monotonic() == pytest.approx(400 / 8, abs=3), "neither waited for the other"


def test_live_requests_do_not_wait_for_polling_a_job(lab: LiveLab, monkeypatch: pytest.MonkeyPatch) -> None:
    hosted, live = lab.with_jobs_and_without(rows=200)
    lab.vendor.takes_s, lab.live.beside.call_s = 12.0, 5.0
    met = lab.vendor.met

    def takes_time(operation: str, name: str) -> bool:
        if operation == "status" and not lab.live.beside.is_calling:
            lab.clock.advance(5.0)
        return met(operation, name)

    monkeypatch.setattr(lab.vendor, "met", takes_time)
    lab.submit([*hosted, *live])
    began = lab.clock.monotonic()
    lab.collect([*hosted, *live])
    assert statuses([*hosted, *live]) == ["downloaded"] * 4
    assert lab.vendor.count("status") >= 2
    assert lab.clock.monotonic() - began == pytest.approx(400 / 8, abs=3), "as long as without any job"


def test_a_job_that_waits_for_a_person_is_checked_again_after_the_live_requests(
    lab: LiveLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted, live = lab.with_jobs_and_without(rows=50)

    def waits(provider: HostedProvider, job: JobRef) -> JobStatus:
        provider.vendor.met("status", job.name)
        return JobStatus(JobState.BY_HAND, message="a person has to look", patient=False)

    monkeypatch.setattr(HostedProvider, "status", waits)
    lab.submit([*hosted, *live])
    lab.vendor.calls.clear()
    with pytest.raises(ActionNeeded, match="a person has to look"):
        lab.collect([*hosted, *live])
    assert statuses(live) == ["downloaded"] * 2
    assert [call.at for call in lab.vendor.calls] == [0.0, 0.0, 13.0, 13.0]


class Computes(AnswersDirectly):
    """An adapter whose rows are computed in this process, each in five seconds."""

    name, local = "embedded", True

    def __init__(self, lab: LiveLab) -> None:
        self.lab = lab

    def results(self, _job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        for request in payload.requests():
            if not self.lab.live.beside.is_calling:
                self.lab.clock.advance(5.0)
            yield b'{"custom_id":"%s"}' % request.custom_id.encode()


@pytest.mark.parametrize("is_stopped", [False, True])
def test_live_requests_do_not_wait_for_local_rows(lab: LiveLab, *, is_stopped: bool) -> None:
    lab.live.beside.call_s = 5.0
    computes: Any = Computes(lab)
    here, live = lab.with_jobs_and_without(rows=200)
    for each in here:
        each.manifest.hosted = False
    here = [replace(each, provider=lambda: computes) for each in here]
    if is_stopped:
        lab.new_process(lambda: lab.clock.monotonic() > 12)
        with pytest.raises(StopRequested):
            lab.complete([*here, *live])
        assert len(partial_rows(here[0])) == 3, "the row that was being computed is finished and kept"
        assert any("requests in flight are answered" in line for line in lab.said)
        lab.new_process()
    lab.complete([*here, *live])
    assert statuses([*here, *live]) == ["downloaded"] * 4
    assert answered_ids(here[0]) == asked_ids(here[0])
    assert set(lab.live.asked().values()) == {1}
    assert lab.live.calls[-1][0] == pytest.approx(400 / 8, abs=3)


def test_after_the_last_live_request_jobs_are_polled_without_threads(lab: LiveLab) -> None:
    hosted, live = lab.with_jobs_and_without(rows=4)
    lab.vendor.takes_s = 500.0
    lab.complete([*hosted, *live])
    assert lab.live.beside.calls < lab.vendor.count("status") / 2


@pytest.mark.parametrize("error", [TransientError("no connection"), PermanentError("HTTP 401")])
def test_no_live_request_waits_for_another_provider_that_is_down(lab: LiveLab, error: Exception) -> None:
    hosted, parts = lab.with_jobs_and_without(rows=20)
    lab.vendor.script("stage", *[error] * 500)
    with pytest.raises(PhaseFailedError, match="2 of 4 parts failed"):
        lab.submit([*hosted, *parts])
    assert statuses(parts) == ["downloaded"] * 2
    assert set(lab.live.asked().values()) == {1}


def test_after_a_stop_no_live_request_is_sent_even_if_another_provider_failed(lab: LiveLab) -> None:
    hosted, parts = lab.with_jobs_and_without(rows=20)

    def fails() -> None:
        lab.stop.set("asked")
        raise PermanentError("HTTP 401")

    lab.vendor.script("stage", fails)
    with pytest.raises(StopRequested):
        lab.submit([*hosted, *parts])
    assert not lab.live.calls


# --- answers that were paid for --------------------------------------------------------------------------------------


class TestWhatWasPaidFor:
    def test_readable_rows_of_changed_sealed_answers_are_kept(self, lab: LiveLab) -> None:
        work = lab.parts(rows=5)
        lab.complete(work)
        sealed = work[0].folder.part_results(work[0].part.name)
        before = sealed.read_bytes()
        sealed.write_bytes(before + b"\n")
        lab.complete(lab.parts(rows=5))
        assert len(lab.live.calls) == 10
        assert sealed.read_bytes() == before
        assert any("all 5 answers can still be read, and are kept" in line for line in lab.said)

    @pytest.mark.parametrize("left", [0, 3])
    def test_lost_answers_are_asked_again_only_with_permission(self, lab: LiveLab, left: int) -> None:
        work = lab.parts(rows=5)
        lab.complete(work)
        sealed = work[0].folder.part_results(work[0].part.name)
        before = sealed.read_bytes()
        if left:
            sealed.write_bytes(b"".join(before.splitlines(keepends=True)[:left]) + b'{"custom_id": "cut')
        else:
            sealed.unlink()
        for _ in range(2):
            lab.new_process()
            with pytest.raises(PhaseFailedError) as caught:
                lab.complete(lab.parts(rows=5))
            assert f"{5 - left} of its 5 answers were paid for and are lost" in caught.value.message
            assert f"ask these {5 - left} requests again (about {0.5 * (5 - left):g} USD)" in caught.value.message
            assert "--rebuy" in caught.value.message
            assert len(lab.live.calls) == 10
            assert lab.parts(rows=5)[0].record.lost is True
        again = lab.parts(rows=5)
        lab.complete(again, rebuy=True)
        assert len(lab.live.calls) == 10 + 5 - left
        assert statuses(again) == ["downloaded"] * 2
        assert again[0].record.lost is not True
        assert sealed.read_bytes() == before

    def test_a_damaged_row_does_not_affect_other_rows(self, lab: LiveLab) -> None:
        lab.live.meets = _refused_from(11)
        with pytest.raises(PhaseFailedError):
            lab.complete(lab.parts(rows=10))
        lab.new_process()
        lab.live.meets, lab.live.calls = lambda _request, _call: None, []
        work = lab.parts(rows=10)
        here = {each.name: partial_rows(each) for each in work}
        path = work[0].folder.part_rows(work[0].part.name)
        rows = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([rows[0], b"garbled\n", *rows[2:]]))
        with pytest.raises(PhaseFailedError, match=f"1 of its {len(rows)} answers so far were paid for and are lost"):
            lab.complete(work)
        lab.new_process()
        work = lab.parts(rows=10)
        lab.complete(work, rebuy=True)
        lost = here[work[0].name][1]
        asked = {wire_id for each in work for wire_id in asked_ids(each) if wire_id not in here[each.name]}
        assert lab.live.asked() == dict.fromkeys({*asked, lost}, 1)
        assert all(answered_ids(each) == asked_ids(each) for each in work)

    @pytest.mark.parametrize("is_finished", [True, False])
    def test_answers_return_with_the_prompt_they_belong_to(self, lab: LiveLab, is_finished: bool) -> None:
        first = lab.parts(rows=10)
        if is_finished:
            lab.complete(first)
        else:
            lab.live.meets = _refused_from(11)
            with pytest.raises(PhaseFailedError):
                lab.complete(first)
            lab.live.meets = lambda _request, _call: None
        lab.new_process()
        here = sum(len(partial_rows(each)) for each in first)
        lab.complete(lab.parts(rows=10, question="Another question"))
        lab.live.calls.clear()
        again = lab.parts(rows=10)
        lab.complete(again)
        assert len(lab.live.calls) == (0 if is_finished else 20 - here)
        assert statuses(again) == ["downloaded"] * 2
        assert all(answered_ids(each) == asked_ids(each) for each in again)


def _refused_from(number: int) -> Callable[[RequestRow, int], None]:
    def meets(_request: RequestRow, call: int) -> None:
        if call >= number:
            raise PermanentError("no more")

    return meets


def test_rows_that_cannot_be_written_free_their_slot_and_the_other_parts_continue(
    lab: LiveLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.live.in_flight = 1
    append, errors = atomic.Appender.append_lines, [OSError(28, "No space left on device")]

    def once_full(self: atomic.Appender, lines: Iterable[bytes]) -> None:
        rows = [*lines]
        if errors and b'"text"' in rows[0]:
            raise errors.pop()
        append(self, rows)

    monkeypatch.setattr(atomic.Appender, "append_lines", once_full)
    work = lab.parts(rows=5)
    with pytest.raises(PhaseFailedError, match="No space left"):
        lab.complete(work)
    assert sorted(statuses(work)) == ["downloaded", "failed"]
    lab.new_process()
    lab.complete(lab.parts(rows=5))
    assert lab.live.asked().total() == 11


@pytest.mark.parametrize("fails", [False, True])
def test_an_answer_that_arrives_after_its_part_has_ended_frees_its_place_and_ends_no_other_part(
    lab: LiveLab, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    lab.live.in_flight = 4
    lab.live.takes_s = lambda _request, call: 1.0 if call == 1 else 2.0
    work = lab.parts(rows=20)
    append, errors = atomic.Appender.append_lines, [OSError(28, "No space left on device")]

    def once_full(self: atomic.Appender, lines: Iterable[bytes]) -> None:
        rows = [*lines]
        if errors and b'"text"' in rows[0]:
            (ended,) = (each for each in work if msgspec.json.decode(rows[0])["custom_id"] in asked_ids(each))
            lab.live.meets = refused_to(ended) if fails else lab.live.meets
            raise errors.pop()
        append(self, rows)

    monkeypatch.setattr(atomic.Appender, "append_lines", once_full)
    with pytest.raises(PhaseFailedError, match="No space left"):
        lab.complete(work)
    assert sorted(statuses(work)) == ["downloaded", "failed"]
    assert lab.clock.monotonic() == pytest.approx(2 * 20 / 4, abs=2), "the other part had all places"


def refused_to(part: PartWork) -> Callable[[RequestRow, int], None]:
    """Return what refuses the requests of a part."""

    def meets(request: RequestRow, _call: int) -> None:
        if request.custom_id in asked_ids(part):
            raise PermanentError("HTTP 400")

    return meets
