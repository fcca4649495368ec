"""A cap on requests that are asked one by one: what counts of them, and after an end with some in flight."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from msgspec import UNSET

from promptrial.documents.cost_report import Price
from promptrial.errors import (
    CostCapReached,
    Detached,
    PermanentError,
    PhaseFailedError,
    SlowDownError,
    StopRequested,
    UncertainError,
)
from promptrial.jobs.budget import Budget
from promptrial.jobs.work import PartWork
from promptrial.providers.http_outcomes import UnusableBodyError
from promptrial.providers.request_rows import RequestRow
from promptrial.store.part_records import Intent
from tests.support.hosted_provider import asked_ids, statuses
from tests.support.live_provider import LiveLab

PRICE = Price(input_per_million=1.0, output_per_million=2.0, batch_discount=0.0)
ROWS = 4
RESERVE = 1.0
"""What the requests of a part reserve each, in USD."""
ACTUAL = 0.25
"""What an answer costs."""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveLab:
    return LiveLab.simulated(tmp_path, monkeypatch, in_flight=3, usage=(250_000, 0))


def priced(lab: LiveLab, cap: float, shards: int = 1) -> list[PartWork]:
    set_cap(lab, cap)
    return [
        replace(each, reserve_usd=lambda rows, _size: rows * RESERVE) for each in lab.parts(shards=shards, rows=ROWS)
    ]


def set_cap(lab: LiveLab, cap: float) -> None:
    lab.new_process()
    lab.budget = partial(Budget, cap, lambda _model: PRICE)


def committed(lab: LiveLab, work: list[PartWork]) -> float:
    budget = lab.budget()
    budget.count(work)
    return budget.committed.total


def unsure(work: PartWork) -> Intent | None:
    return next((intent for intent in work.live if intent.key.endswith("-unsure")), None)


def ends_at(lab: LiveLab, number: int, error: BaseException) -> None:
    """Let the answer of this number, from 1, meet an end of the process."""
    answers = iter(range(1, 1000))

    def meets(_request: RequestRow, _call: int) -> None:
        if next(answers) == number:
            raise error

    lab.live.meets = meets


def test_live_parts_send_only_as_many_requests_as_fit(lab: LiveLab) -> None:
    work = priced(lab, 9.0, shards=4)
    with pytest.raises(CostCapReached) as reached:
        lab.complete(work)
    assert statuses(work) == ["downloaded"] * 6 + ["submitted"] * 2
    assert committed(lab, work) == pytest.approx(6 * ROWS * ACTUAL)
    assert reached.value.flags == " --max_cost_usd 14"


def test_requests_in_flight_at_a_kill_count_permanently_and_no_request_beyond_the_cap_is_sent(lab: LiveLab) -> None:
    work = priced(lab, 4.0)
    ends_at(lab, 2, Detached(2))
    with pytest.raises(Detached):
        lab.complete(work)
    sent = len(lab.live.calls)
    lab.clock._coming.clear()  # type: ignore[attr-defined]
    lab.live.meets = lambda _request, _call: None
    set_cap(lab, 4.0)
    with pytest.raises(CostCapReached):
        lab.complete(work)
    lost = unsure(work[0])
    assert lost is not None
    assert (lost.rows, lost.reserved_usd) == (3, 3 * RESERVE)
    assert len(lab.live.calls) == sent, "one answer has freed less than three requests in flight may have cost"
    set_cap(lab, 100.0)
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 2
    assert committed(lab, work) == pytest.approx(2 * ROWS * ACTUAL + 3 * RESERVE)


def _killed(lab: LiveLab, work: list[PartWork]) -> None:
    """Begin the parts, and end at the second answer as a kill does."""
    ends_at(lab, 2, Detached(2))
    with pytest.raises(Detached):
        lab.complete(work)
    lab.clock._coming.clear()  # type: ignore[attr-defined]
    lab.live.meets = lambda _request, _call: None
    set_cap(lab, 100.0)


def test_requests_in_flight_at_a_kill_count_once_even_if_the_run_was_renamed(lab: LiveLab) -> None:
    work = priced(lab, 100.0)
    _killed(lab, work)
    renamed = [replace(part, key=f"{part.key}-other") for part in work]
    lab.complete(renamed)
    assert statuses(renamed) == ["downloaded"] * 2
    assert all(intent.in_flight == 0 for each in renamed for intent in each.live if not intent.key.endswith("-unsure"))
    assert committed(lab, renamed) == pytest.approx(2 * ROWS * ACTUAL + 6 * RESERVE)


def test_requests_in_flight_of_two_parts_count_once_even_if_the_parts_share_answers_now(lab: LiveLab) -> None:
    set_cap(lab, 100.0)
    first, _, second, _ = (
        replace(each, reserve_usd=lambda rows, _size: rows * RESERVE) for each in lab.parts(trials=2, rows=ROWS)
    )
    second.folder.requests(second.part.name).write_bytes(first.folder.requests(first.part.name).read_bytes())
    second = replace(second, request_sha256=first.request_sha256)
    lab.live.in_flight = 2 * ROWS
    _killed(lab, [first, second])
    assert all(each.live[0].in_flight for each in (first, second))
    shared = replace(second, duplicates=[first])
    first.duplicates.append(shared)
    lab.complete([first, shared])
    assert (shared.downloaded, shared.record.reason) == (True, f"shared with {first.name}")
    assert [each.live[0].in_flight for each in (first, shared)] == [0, 0]
    before = committed(lab, [first, shared])
    lab.complete([first, shared])
    assert committed(lab, [first, shared]) == before


def test_after_a_soft_stop_only_billed_requests_count(lab: LiveLab) -> None:
    work = priced(lab, 100.0)
    lab.new_process(lambda: len(lab.live.calls) >= 3)
    with pytest.raises(StopRequested):
        lab.complete(work)
    sent = len(lab.live.calls)
    assert 0 < sent < 2 * ROWS
    started = [each for each in work if each.live]
    assert all(intent.in_flight == 0 for each in started for intent in each.live)
    lab.new_process()
    lab.complete(work)
    assert unsure(work[0]) is None
    assert committed(lab, work) == pytest.approx(2 * ROWS * ACTUAL)


def test_a_part_that_had_nothing_in_flight_at_a_soft_stop_says_so(lab: LiveLab) -> None:
    lab.live.in_flight = 1
    work = priced(lab, 100.0)
    lab.new_process(lambda: len(lab.live.calls) >= 2)
    with pytest.raises(StopRequested):
        lab.complete(work)
    started = [intent for each in work for intent in each.live]
    assert len(started) == 2
    assert [intent.in_flight for intent in started] == [0, 0]


def test_a_call_that_was_refused_was_not_billed(lab: LiveLab) -> None:
    work = priced(lab, 100.0)
    ends_at(lab, 2, SlowDownError("slow down"))
    lab.complete(work)
    assert committed(lab, work) == pytest.approx(2 * ROWS * ACTUAL)


def test_each_interrupted_call_counts_as_billed(lab: LiveLab) -> None:
    work = priced(lab, 100.0)
    ends_at(lab, 2, UncertainError("broke off"))
    lab.complete(work)
    assert committed(lab, work) == pytest.approx(2 * ROWS * ACTUAL + RESERVE)


def test_repeatedly_interrupted_calls_end_at_the_cap(lab: LiveLab) -> None:
    work = priced(lab, 10.0)

    def meets(_request: RequestRow, _call: int) -> None:
        raise UncertainError("broke off")

    lab.live.meets = meets
    with pytest.raises(CostCapReached):
        lab.complete(work)
    assert len(lab.live.calls) <= 10.0 / RESERVE


def test_answers_lost_before_they_are_sealed_need_permission_and_count_permanently(lab: LiveLab) -> None:
    ends_at(lab, 4, PermanentError("HTTP 401"))
    work = priced(lab, 100.0)
    with pytest.raises(PhaseFailedError):
        lab.complete(work)
    files = [each.folder.part_rows(each.part.name) for each in work]
    file = next(path for path in files if path.exists())
    lost = len(file.read_bytes().splitlines())
    file.unlink()
    work = priced(lab, 100.0)
    with pytest.raises(PhaseFailedError, match=f"{lost} of its {lost} answers so far were paid for and are lost"):
        lab.collect(work)
    work = priced(lab, 100.0)
    lab.collect(work, rebuy=True)
    answered = len(lab.live.calls) - 1
    assert answered == 2 * ROWS + lost
    assert committed(lab, work) == pytest.approx(answered * ACTUAL)


def test_an_unreadable_answer_counts_as_possibly_billed(lab: LiveLab) -> None:
    ends_at(lab, 4, UnusableBodyError("its body is too large"))
    work = priced(lab, 100.0)
    with pytest.raises(PhaseFailedError, match="too large"):
        lab.complete(work)
    counted = [each for each in map(unsure, work) if each is not None]
    assert [each.rows for each in counted] == [1]
    answered = len(lab.live.calls) - 1
    assert committed(lab, work) == pytest.approx(answered * ACTUAL + RESERVE)


def test_requests_that_may_have_been_billed_count_from_the_first_of_them_on(lab: LiveLab) -> None:
    lost: list[str] = []

    def meets(request: RequestRow, _call: int) -> None:
        if len(lost) < 2 and request.custom_id in asked_ids(work[0]):
            lost.append(lab.clock.now())
            raise UncertainError("no answer")

    lab.live.in_flight = 1
    work = priced(lab, 100.0)
    lab.live.meets = meets
    lab.complete(work)
    found = unsure(work[0])
    assert found is not None
    assert lost[0] < lost[1]
    assert (found.rows, found.began) == (2, lost[0])


def test_without_a_price_a_possibly_billed_request_is_recorded_without_an_amount(lab: LiveLab) -> None:
    work = [replace(each, reserve_usd=lambda _rows, _size: None) for each in lab.parts(rows=ROWS)]
    ends_at(lab, 2, UncertainError("no answer"))
    lab.complete(work)
    (lost,) = (each for each in map(unsure, work) if each is not None)
    assert (lost.rows, lost.reserved_usd) == (1, UNSET)


def test_at_a_price_of_zero_no_request_is_recorded_as_lost(lab: LiveLab) -> None:
    set_cap(lab, 1.0)
    work = [replace(each, reserve_usd=lambda _rows, _size: 0.0) for each in lab.parts(rows=ROWS)]
    ends_at(lab, 2, UncertainError("no answer"))
    lab.complete(work)
    assert not any(map(unsure, work))
