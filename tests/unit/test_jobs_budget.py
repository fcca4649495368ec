"""The cap of a run: what counts against it, what still fits, and how a run ends that has reached it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from promptrial.costs.committed import Committed, committed_usd, rounded_up
from promptrial.documents.cost_report import Price
from promptrial.errors import CostCapReached, Detached, PermanentError, PhaseFailedError
from promptrial.jobs.budget import Budget, dearest_usd
from promptrial.jobs.work import PartWork
from promptrial.model import Completion
from promptrial.providers.base import JobState
from promptrial.store.part_records import BilledTokens
from tests.support.hosted_provider import HostedProvider, Lab, asked_ids, statuses

PRICE = Price(input_per_million=1.0, output_per_million=2.0, batch_discount=0.0)
ROWS = 4
RESERVE = 1.0
"""What each job of four requests reserves, in USD."""
ACTUAL = 0.25
"""What its answers cost."""


def tokens_of(_provider: HostedProvider, line: bytes) -> Completion:
    """Return a row that says it took as many tokens as a quarter of its reserve pays for."""
    wire_id = msgspec.json.decode(line)["custom_id"]
    return Completion(wire_id, "", "stop", None, 62_500, 0, None)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(HostedProvider, "parse_row", tokens_of)
    return Lab.make(tmp_path)


def priced(lab: Lab, cap: float | None, shards: int) -> list[PartWork]:
    """Return parts whose requests reserve a quarter of a USD each, in a lab that may spend no more than the cap."""
    lab.budget = partial(Budget, cap, lambda _model: PRICE)
    return [replace(each, reserve_usd=lambda rows, _size: rows * RESERVE / ROWS) for each in lab.work(shards=shards)]


def second_signal() -> None:
    raise Detached(2)


def new_cap(lab: Lab, cap: float) -> None:
    lab.new_process()
    lab.budget = partial(Budget, cap, lambda _model: PRICE)


# --- what counts ------------------------------------------------------------------------------------------------------


def test_an_attempt_counts_its_reserve_until_its_answers_arrive_and_then_their_bill() -> None:
    assert committed_usd(0.5, None, PRICE) == Committed(0.0, 0.5)
    billed = BilledTokens(rows=4, prompt=1000, completion=500)
    assert committed_usd(0.5, billed, PRICE) == pytest.approx(Committed(0.002, 0.0))


def test_answers_without_usage_keep_their_share_of_the_reserve() -> None:
    billed = BilledTokens(rows=4, prompt=1000, completion=500, unknown=1)
    assert committed_usd(0.5, billed, PRICE) == pytest.approx(Committed(0.002, 0.125))


def test_without_a_price_the_whole_reserve_counts() -> None:
    assert committed_usd(0.5, BilledTokens(rows=4, prompt=1000), None) == Committed(0.0, 0.5)


def test_unidentified_requests_are_priced_as_the_longest_ones(lab: Lab) -> None:
    work = replace(lab.work(shards=1)[0], reserve_usd=lambda rows, size: 100.0 * rows + size)
    path = work.folder.requests(work.part.name)
    path.write_bytes(b"1\n4444\n333\n")
    assert [dearest_usd(work, rows) for rows in (1, 2, 3)] == [105.0, 209.0, 311.0]
    path.unlink()
    assert dearest_usd(work, 1) == 100.0, "without a file of requests nothing is known of their length"


@pytest.mark.parametrize("amount", [1e-9, 0.00012345678, 0.1, 0.99999, 1.0, 123456.0])
def test_an_amount_is_rounded_up_and_by_less_than_a_thousandth(amount: float) -> None:
    assert amount <= rounded_up(amount) <= amount * 1.001


# --- what fits --------------------------------------------------------------------------------------------------------


def test_without_a_cap_every_part_has_a_job_at_once(lab: Lab) -> None:
    work = priced(lab, None, shards=3)
    lab.submit(work)
    assert lab.vendor.most_in_flight == 6


def test_reserves_in_flight_never_exceed_the_cap(lab: Lab) -> None:
    work = priced(lab, 3.5, shards=4)
    lab.complete(work)
    assert statuses(work) == ["downloaded"] * 8
    assert lab.vendor.most_in_flight == 3


def test_requests_that_do_not_fit_are_not_sent_and_running_jobs_finish(lab: Lab) -> None:
    work = priced(lab, 2.3, shards=4)
    with pytest.raises(CostCapReached) as reached:
        lab.submit(work)
    # Six jobs cost 1.5 USD, and a seventh could cost one more.
    assert statuses(work) == ["downloaded"] * 6 + ["pending"] * 2
    assert lab.vendor.count("submit") == 6
    assert "1.5 USD are spent, 0 USD are reserved" in str(reached.value)
    assert "it needs a cap of 2.5 USD, and everything that is left needs a cap of 3.5 USD" in str(reached.value)
    assert lab.vendor.count("stage") == 6, "nothing is uploaded that does not fit"
    assert reached.value.flags == " --max_cost_usd 3.5", "the command goes on to the end"


def test_the_smallest_cap_named_at_a_stop_lets_the_run_continue_and_a_lower_one_does_not(lab: Lab) -> None:
    work = priced(lab, 2.3, shards=4)
    with pytest.raises(CostCapReached):
        lab.submit(work)
    new_cap(lab, 2.4999)
    with pytest.raises(CostCapReached):
        lab.submit(work)
    assert lab.vendor.count("submit") == 6
    new_cap(lab, 2.5)
    with pytest.raises(CostCapReached):
        lab.submit(work)
    assert lab.vendor.count("submit") == 7
    new_cap(lab, 100.0)
    lab.complete(work)
    assert set(lab.vendor.asked().values()) == {1}
    assert sorted(lab.vendor.asked()) == sorted(wire_id for each in work for wire_id in asked_ids(each))


def test_a_process_that_resumes_jobs_in_flight_counts_them(lab: Lab) -> None:
    work = priced(lab, 2.0, shards=4)
    lab.vendor.script("submit", None, second_signal)
    with pytest.raises(Detached):
        lab.submit(work)
    new_cap(lab, 2.0)
    with pytest.raises(CostCapReached):
        lab.complete(work)
    assert lab.vendor.most_in_flight == 2
    assert len(lab.vendor.jobs) == 5


def test_requests_that_are_sent_again_must_fit_under_the_cap_too(lab: Lab) -> None:
    work = priced(lab, 1.2, shards=1)
    lab.vendor.endings.extend([(JobState.EXPIRED, 0.5)])
    with pytest.raises(CostCapReached):
        lab.complete(work)
    assert lab.vendor.count("submit") >= 2


def test_a_refusal_before_there_is_a_job_frees_its_reserve(lab: Lab) -> None:
    work = priced(lab, 1.0, shards=1)
    lab.vendor.script("submit", PermanentError("no"))
    with pytest.raises(PhaseFailedError):
        lab.submit(work)
    assert statuses(work) == ["pending", "downloaded"]


def test_answers_that_another_run_has_paid_for_count_nothing(lab: Lab) -> None:
    work = priced(lab, 1.0, shards=1)[0]
    budget = lab.budget()
    fields = {"key": "k-a1", "rows": 4, "reserved_usd": 0.6, "request_sha256": work.request_sha256}
    recorder = lab.queue([work])._recorder
    recorder.record(work, "submitting", **fields)
    budget.note(work)
    assert budget.committed == Committed(0.0, 0.6)
    recorder.record(work, "completed", reused={"run": "other"}, **fields)
    budget.note(work)
    assert budget.committed == Committed(0.0, 0.0)


class January:
    """A month in which other runs of the folder have spent 7 of 10 USD."""

    cap_usd, name = 10.0, "2026-01"

    def others_usd(self) -> float:
        return 7.0

    def deciding(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.mark.parametrize("month", [None, January()])
def test_a_run_that_ends_at_its_own_cap_says_so_whatever_is_left_of_the_month(month: January | None) -> None:
    budget = Budget(2.0, lambda _model: PRICE, month)
    budget.set("a", [("2026-01-31T23:59:59Z", Committed(0.5, 0.75))])
    assert not budget.admits("large", 4, 1.5)
    assert not budget.admits("small", 1, 1.0)
    reached = budget.reached(4.0)
    assert str(reached).startswith(
        "the cap of 2 USD is reached: 0.5 USD are spent, 0.75 USD are reserved for requests that may have been "
        "billed, and the next job (1 request of small) could cost 1 USD; it needs a cap of 2.25 USD, and everything "
        "that is left needs a cap of 5.25 USD"
    )
    assert reached.flags == " --max_cost_usd 5.25"


def test_a_run_that_ends_at_the_cap_of_the_month_says_who_has_spent_what_of_it() -> None:
    budget = Budget(20.0, lambda _model: PRICE, January())
    budget.set("a", [("2026-01-31T23:59:59Z", Committed(1.0, 0.5)), ("2025-12-31T23:59:59Z", Committed(4.0, 0.0))])
    assert budget.admits("fits", 4, 1.5)
    budget.release("fits")
    assert not budget.admits("more", 4, 2.0)
    reached = budget.reached(4.0)
    assert str(reached).startswith(
        "the cap of 10 USD for all runs of this folder in 2026-01 is reached: this run has spent or reserved 1.5 "
        "USD, the others 7 USD, and the next job (4 requests of more) could cost 2 USD"
    )
    assert "or set spending.month_max_usd to 10.5 or more" in "\n".join(reached.steps)


def test_a_claim_counts_until_it_is_recorded_or_released() -> None:
    budget = Budget(1.0, lambda _model: PRICE)
    assert budget.admits("a", 4, 0.6)
    assert not budget.admits("b", 4, 0.6)
    assert budget.admits("a", 4, 0.9), "its own claim is no hindrance"
    assert not budget.may_go_on()
    budget.release("a")
    assert budget.may_go_on()
    assert budget.admits("b", 4, 0.6)
    assert not budget.refused
