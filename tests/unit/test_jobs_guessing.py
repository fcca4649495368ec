"""A vendor that shows nothing of ours before a job has ended: one attempt at a time is in doubt, and results tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial.errors import (
    OutcomeUnknownError,
    PermanentError,
    PhaseFailedError,
    QuotaReachedError,
    TransientError,
)
from promptrial.jobs.work import PartWork
from promptrial.model.units import RUN
from promptrial.providers.base import JobLookup, JobState
from promptrial.runtime.progress import NoProgress
from tests.support.hosted_provider import Lab, Lost, answered_ids, asked_ids, statuses

SETTLING = {"settle_s": 60.0, "settle_looks": 3}
NOT_CREATED = OutcomeUnknownError("no answer")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, keyed=False, lookup=JobLookup.GUESS)


def key_of(work: PartWork, attempt: int = 1) -> str:
    return f"{work.key}-a{attempt}"


def operations(lab: Lab, *wanted: str) -> list[tuple[str, str]]:
    return [(call.operation, call.name) for call in lab.vendor.calls if call.operation in wanted]


def is_right(work: list[PartWork]) -> bool:
    return all(sorted(answered_ids(each)) == sorted(asked_ids(each)) for each in work)


class TestALostAnswer:
    def test_a_guessed_job_is_found_and_no_second_one_is_created(self, lab: Lab) -> None:
        work = lab.work(shards=2)
        lab.vendor.script("submit", Lost(), Lost(), Lost(), Lost())
        lab.complete(work, **SETTLING)
        assert statuses(work) == ["downloaded"] * 4
        assert set(lab.vendor.asked().values()) == {1}
        assert is_right(work)

    def test_no_other_job_is_created_before_a_doubtful_one_is_settled(self, lab: Lab) -> None:
        work = lab.work()
        first, second = (key_of(each) for each in work)
        lab.vendor.script("submit", Lost())
        lab.vendor.hidden.add(lab.vendor.name_of(first))
        lab.vendor.script("find", None, None, lab.vendor.hidden.clear)
        lab.complete(work, **SETTLING)
        assert operations(lab, "submit", "find") == [
            ("submit", first),
            *[("find", first)] * 3,
            ("submit", second),
        ]
        assert is_right(work)

    def test_a_job_that_is_not_found_is_parked_and_does_not_delay_the_others(self, lab: Lab) -> None:
        work = lab.work()
        lab.vendor.script("submit", NOT_CREATED)
        with pytest.raises(PhaseFailedError, match=key_of(work[0])):
            lab.submit(work, **SETTLING)
        assert statuses(work) == ["unknown", "downloaded"]
        assert lab.vendor.count("submit") == 2

    def test_a_parked_part_continues_if_its_job_appears_later(self, lab: Lab) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", Lost())
        lab.vendor.hidden.add(lab.vendor.name_of(key_of(work[0])))
        with pytest.raises(PhaseFailedError):
            lab.complete(work, **SETTLING)
        lab.vendor.hidden.clear()
        lab.new_process()
        lab.complete(lab.work()[:1], **SETTLING)
        assert lab.vendor.count("submit") == 1

    def test_with_permission_to_pay_again_a_parked_part_makes_another_attempt(self, lab: Lab) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", NOT_CREATED)
        with pytest.raises(PhaseFailedError):
            lab.complete(work, **SETTLING)
        lab.complete(work, rebuy=True, **SETTLING)
        assert [intent.attempt for intent in work[0].intents] == [1, 2]
        assert is_right(work)


class TestAnotherProcess:
    def test_a_doubtful_part_comes_first_and_the_others_wait_for_it(self, lab: Lab) -> None:
        work = lab.work()
        first, second = (key_of(each) for each in work)
        lab.vendor.script("submit", _created_and_killed(lab, work[1]))
        with pytest.raises(_KilledError):
            lab.submit(work[1:])
        lab.new_process()
        again = lab.work()
        lab.complete(again, **SETTLING)
        assert operations(lab, "submit") == [("submit", second), ("submit", first)]
        assert is_right(again)

    @pytest.mark.parametrize("in_flight", [False, True])
    def test_a_doubtful_part_gets_a_slot_before_the_parts_that_wait_for_it(self, lab: Lab, in_flight: bool) -> None:
        """With one slot: a part that needs a job, its first or another, would keep it and wait forever."""
        work = lab.work()
        if in_flight:
            lab.vendor.endings.append((JobState.READY, 0.5))
            lab.submit(work[:1])
        lab.vendor.script("submit", _created_and_killed(lab, work[1]))
        with pytest.raises(_KilledError):
            lab.submit(work[1:])
        lab.new_process()
        again = lab.work()
        lab.collect(again, max_concurrent_jobs=1, **SETTLING)
        assert statuses(again) == ["downloaded"] * 2
        assert is_right(again)

    def test_a_doubtful_part_that_no_longer_needs_a_job_is_not_waited_for(self, lab: Lab) -> None:
        work = lab.work()
        lab.vendor.script("submit", _created_and_killed(lab, work[0]))
        with pytest.raises(_KilledError):
            lab.submit(work[:1])
        lab.new_process()
        again = lab.work()
        folder = again[0].folder.part_results(again[0].part.name).parent / "dataset" / f"{key_of(again[0])}-out"
        folder.mkdir(parents=True)
        rows = ({"custom_id": wire_id, "text": "x"} for wire_id in asked_ids(again[0]))
        (folder / "BIJOutputSet.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lab.collect(again, **SETTLING)
        assert statuses(again) == ["downloaded"] * 2

    def test_a_doubtful_part_outside_this_work_is_not_waited_for(self, lab: Lab) -> None:
        lab.vendor.script("submit", _created_and_killed(lab, lab.work()[1]))
        with pytest.raises(_KilledError):
            lab.submit(lab.work()[1:])
        lab.new_process()
        work = lab.work()
        with NoProgress().task("submit", RUN, None) as task:
            lab.queue(work[:1], others=work[1:], **SETTLING).submit(task)
        assert work[0].has_job


class TestAStranger:
    def test_a_wrong_guess_is_detected_by_its_results_and_our_job_is_found(self, lab: Lab) -> None:
        work = lab.work()[:1]
        ours = lab.vendor.name_of(key_of(work[0]))
        lab.vendor.script("submit", Lost())
        lab.vendor.hidden.add(ours)  # as long as it is, the stranger is the only one that may be ours
        lab.vendor.add_stranger("batch_theirs", rows=4)
        lab.vendor.script("results", lab.vendor.hidden.clear)
        lab.complete(work, **SETTLING)
        assert work[0].record.job == ours
        assert set(lab.vendor.asked().values()) == {1}
        assert is_right(work)
        assert any("looking for its own job" in line for line in lab.said)

    @pytest.mark.parametrize("end", [JobState.CANCELLED, JobState.FAILED, JobState.EXPIRED])
    def test_a_wrongly_guessed_job_stopped_by_its_owner_is_detected_too(self, lab: Lab, end: JobState) -> None:
        work = lab.work()[:1]
        self._take_theirs_for_ours(lab, work[0], end)
        lab.vendor.script("results", lab.vendor.hidden.clear)
        lab.complete(work, **SETTLING)
        assert work[0].record.job == lab.vendor.name_of(key_of(work[0]))
        assert set(lab.vendor.asked().values()) == {1}
        assert is_right(work)

    def test_the_next_process_detects_a_stopped_wrong_guess_if_this_one_could_not(self, lab: Lab) -> None:
        work = lab.work()[:1]
        self._take_theirs_for_ours(lab, work[0], JobState.CANCELLED)
        lab.vendor.script("results", PermanentError("you may not read results"))
        with pytest.raises(PhaseFailedError):
            lab.complete(work, **SETTLING)
        lab.vendor.hidden.clear()
        lab.new_process()
        again = lab.work()[:1]
        lab.complete(again, **SETTLING)
        assert again[0].record.job == lab.vendor.name_of(key_of(again[0]))
        assert set(lab.vendor.asked().values()) == {1}

    def _take_theirs_for_ours(self, lab: Lab, work: PartWork, end: JobState) -> None:
        """Let the only job that the vendor shows be a stranger's, with another end than ours."""
        lab.vendor.script("submit", Lost())
        lab.vendor.hidden.add(lab.vendor.name_of(key_of(work)))
        lab.vendor.add_stranger("batch_theirs", rows=4)
        lab.vendor.jobs["batch_theirs"][0].state = end

    def test_if_our_job_was_never_created_the_part_is_parked_and_nothing_is_paid_again(self, lab: Lab) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", NOT_CREATED)
        lab.vendor.add_stranger("batch_theirs", rows=4)
        with pytest.raises(PhaseFailedError, match="cannot be determined"):
            lab.complete(work, **SETTLING)
        assert statuses(work) == ["unknown"]
        assert lab.vendor.count("submit") == 1

    def test_two_candidate_jobs_are_waited_for_until_they_can_be_distinguished(self, lab: Lab) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", Lost())
        lab.vendor.add_stranger("batch_theirs", rows=4)
        lab.complete(work, **SETTLING)
        assert work[0].record.job == lab.vendor.name_of(key_of(work[0]))
        assert is_right(work)

    def test_waiting_for_candidate_jobs_may_take_as_long_as_a_job_and_is_not_an_outage(self, tmp_path: Path) -> None:
        lab = Lab.make(tmp_path, keyed=False, lookup=JobLookup.GUESS, takes_s=5 * 3600.0)
        work = lab.work()
        lab.vendor.script("submit", Lost())
        lab.vendor.add_stranger("batch_theirs", rows=4)
        lab.complete(work, **SETTLING)
        assert is_right(work)
        assert set(lab.vendor.asked().values()) == {1}
        assert sum("waiting for that" in line for line in lab.said) == 1, lab.said
        assert not any("not responding" in line for line in lab.said), lab.said

    def test_waiting_for_candidate_jobs_longer_than_a_job_may_take_fails(self, tmp_path: Path) -> None:
        lab = Lab.make(tmp_path, keyed=False, lookup=JobLookup.GUESS, takes_s=5 * 3600.0)
        work = lab.work()[:1]
        lab.vendor.script("submit", Lost())
        lab.vendor.add_stranger("batch_theirs", rows=4)
        with pytest.raises(PhaseFailedError, match="2 jobs may be it"):
            lab.submit(work, job_deadline_s=3600.0, **SETTLING)
        assert lab.clock.monotonic() < 2 * 3600
        assert lab.vendor.count("submit") == 1

    def test_parts_that_adopted_each_others_jobs_recover_their_own(self, lab: Lab) -> None:
        """The first takes a stranger's, so that the second takes the first one's; each gives its own back."""
        work = lab.work()
        first, second = (lab.vendor.name_of(key_of(each)) for each in work)
        lab.vendor.script("submit", Lost(), Lost())
        lab.vendor.hidden.add(first)
        lab.vendor.add_stranger("batch_theirs", rows=4)

        def swap() -> None:
            lab.vendor.hidden.symmetric_difference_update({first, second})

        lab.vendor.script("find", None, swap)
        lab.vendor.script("results", lab.vendor.hidden.clear)
        lab.complete(work, **SETTLING)
        assert [each.record.job for each in work] == [first, second]
        assert set(lab.vendor.asked().values()) == {1}
        assert is_right(work)

    def test_recorded_jobs_are_not_candidates(self, lab: Lab) -> None:
        work = lab.work(shards=3)
        lab.submit(work[:2])
        lab.vendor.script("submit", Lost(), Lost(), Lost(), Lost())
        lab.complete(work, **SETTLING)
        assert len({each.record.job for each in work}) == 6
        assert is_right(work)


class TestARefusal:
    def test_the_first_create_call_is_made_without_a_search(self, lab: Lab) -> None:
        lab.submit(lab.work()[:1])
        assert operations(lab, "submit", "find") == [("submit", key_of(lab.work()[0]))]

    @pytest.mark.parametrize("refusal", [TransientError("busy"), QuotaReachedError("full")])
    def test_after_a_transient_error_a_search_precedes_the_next_create_call(self, lab: Lab, refusal: Exception) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", refusal, refusal)
        lab.complete(work)
        key = key_of(work[0])
        assert operations(lab, "submit", "find") == [("submit", key), *[("find", key), ("submit", key)] * 2]
        assert is_right(work)

    def test_a_job_created_despite_the_transient_error_is_adopted(self, lab: Lab) -> None:
        work = lab.work()[:1]

        def create_and_refuse() -> None:
            lab.vendor.create(key_of(work[0]), asked_ids(work[0]))
            raise TransientError("busy")

        lab.vendor.script("submit", create_and_refuse)
        lab.complete(work)
        assert lab.vendor.count("submit") == 1
        assert is_right(work)

    @pytest.mark.parametrize("refusal", [TransientError("busy"), QuotaReachedError("full")])
    @pytest.mark.parametrize("restarts", [False, True])
    def test_a_foreign_job_adopted_after_a_transient_error_is_released_and_ours_is_created(
        self, lab: Lab, refusal: Exception, *, restarts: bool
    ) -> None:
        """That nothing was created is known: the part is not in doubt, and needs no permission to pay again."""
        work = lab.work()[:1]
        lab.vendor.script("submit", refusal)
        lab.vendor.script("find", lambda: lab.vendor.add_stranger("batch_theirs", rows=4))
        if restarts:
            lab.submit(work, **SETTLING)
            assert work[0].record.job == "batch_theirs"
            lab.new_process()
            work = lab.work()[:1]
        lab.complete(work, **SETTLING)
        assert statuses(work) == ["downloaded"]
        assert lab.vendor.count("submit") == 2
        assert [intent.attempt for intent in work[0].intents] == [1]
        assert is_right(work)

    def test_a_lost_call_after_a_transient_error_leaves_the_part_in_doubt(self, lab: Lab) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", TransientError("busy"), NOT_CREATED)
        lab.vendor.script("find", None, lambda: lab.vendor.add_stranger("batch_theirs", rows=4))
        with pytest.raises(PhaseFailedError, match="cannot be determined"):
            lab.complete(work, **SETTLING)
        assert statuses(work) == ["unknown"]
        assert lab.vendor.count("submit") == 2

    @pytest.mark.parametrize("refusal", [TransientError("busy"), QuotaReachedError("full")])
    def test_a_process_that_ends_while_waiting_to_retry_leaves_nothing_in_doubt(
        self, lab: Lab, refusal: Exception
    ) -> None:
        work = lab.work()[:1]
        lab.vendor.script("submit", refusal)
        lab.vendor.script("find", _kill)
        with pytest.raises(_KilledError):
            lab.submit(work)
        assert statuses(lab.work()[:1]) == ["pending"]
        lab.new_process()
        again = lab.work()[:1]
        lab.complete(again)
        assert [intent.attempt for intent in again[0].intents] == [1]
        assert is_right(again)


def test_another_instance_of_the_vendor_is_not_delayed(lab: Lab) -> None:
    work, other = lab.work(), lab.work(trials=2, provider="second")[2:]
    lab.vendor.script("submit", Lost())
    lab.vendor.hidden.add(lab.vendor.name_of(key_of(work[0])))
    lab.vendor.script("find", *[None] * 2, lab.vendor.hidden.clear)
    lab.submit([work[0], *other], **SETTLING)
    names = [name for _, name in operations(lab, "submit", "find")]
    assert names.index(key_of(other[1])) < names.index(key_of(work[0]), 2)


class _KilledError(BaseException):
    """What ends a process in the middle of a call."""


def _kill() -> None:
    raise _KilledError


def _created_and_killed(lab: Lab, work: PartWork) -> Callable[[], None]:
    """Return what happens where the vendor creates the job, and the process is killed before it hears of that."""

    def happens() -> None:
        lab.vendor.create(key_of(work), asked_ids(work))
        raise _KilledError

    return happens
