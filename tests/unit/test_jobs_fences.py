"""A vendor that keeps no keys apart may let us make sure that no job comes of a lost call: then another is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import OutcomeUnknownError, PermanentError, PhaseFailedError
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobLookup
from tests.support.hosted_provider import Lab, Lost, answered_ids, asked_ids, statuses


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path, keyed=False, lookup=JobLookup.SEARCH, fences=True)


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("no answer")


def keys(work: PartWork) -> list[str]:
    return [intent.key for intent in work.intents]


def test_requests_whose_job_was_provably_not_created_are_sent_as_another_attempt(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", lost())
    lab.complete([work], settle_s=60.0)
    (first, second) = [call for call in lab.vendor.calls if call.operation == "submit"]
    assert [first.name, second.name] == keys(work) == [f"{work.key}-a1", f"{work.key}-a2"]
    assert second.at - first.at >= 60
    assert lab.vendor.names("fence") == [first.name]
    assert [intent.status for intent in work.intents] == ["expired", "downloaded"]
    assert set(lab.vendor.asked().values()) == {1}
    assert answered_ids(work) == asked_ids(work)


def test_an_existing_job_is_adopted_without_a_fence(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", Lost())
    lab.complete([work])
    assert lab.vendor.count("fence") == 0
    assert set(lab.vendor.asked().values()) == {1}


def test_a_job_that_appears_during_the_fence_is_adopted(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", lost())
    lab.vendor.script("fence", lambda: lab.vendor.create(f"{work.key}-a1", asked_ids(work)))
    lab.complete([work])
    assert lab.vendor.count("submit") == 1
    assert set(lab.vendor.asked().values()) == {1}


def test_a_job_created_just_before_the_fence_and_listed_late_is_adopted(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", lost())
    before = 1 + 4  # looks: one before the call, and those of the settling time
    lab.vendor.script("find", *[None] * (before + 1), lambda: lab.vendor.create(f"{work.key}-a1", asked_ids(work)))
    lab.complete([work], settle_s=60.0, settle_looks=3)
    assert lab.vendor.count("fence") == lab.vendor.count("submit") == 1
    assert set(lab.vendor.asked().values()) == {1}


def test_a_job_listed_only_minutes_after_the_fence_is_adopted(lab: Lab) -> None:
    """It was created before the fence, which does not stop it."""
    (work,) = lab.work()[:1]
    name = lab.vendor.name_of(f"{work.key}-a1")
    lab.vendor.script("submit", Lost())
    lab.vendor.hidden.add(name)
    lab.vendor.script("fence", lambda: lab.vendor.script("find", *[None] * 13, lab.vendor.hidden.clear))
    lab.complete([work], settle_s=60.0, settle_looks=3)
    assert work.record.job == name
    assert set(lab.vendor.asked().values()) == {1}


@pytest.mark.parametrize("happening", [None, PermanentError("you may not delete files")])
def test_a_part_that_cannot_be_fenced_is_parked_and_its_requests_are_not_sent_again(
    lab: Lab, happening: Exception | None
) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.fences = False
    lab.vendor.script("submit", lost())
    lab.vendor.script("fence", happening)
    with pytest.raises(PhaseFailedError):
        lab.submit([work])
    assert lab.vendor.count("submit") == 1
    assert work.intents[-1].status in {"unknown", "submitting"}


def test_a_vendor_that_answers_no_call_is_not_retried_forever(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", *[lost() for _ in range(50)])
    with pytest.raises(PhaseFailedError, match="cannot be determined"):
        lab.submit([work])
    assert lab.vendor.count("submit") == 9
    assert statuses([work]) == ["unknown"]


@pytest.mark.parametrize("moment", ["submit", "fence"])
def test_a_kill_around_the_fence_leaves_one_job_for_the_requests(lab: Lab, moment: str) -> None:
    (work,) = lab.work()[:1]
    lab.vendor.script("submit", lost())
    lab.vendor.script(moment, _kill())
    with pytest.raises(KeyboardInterrupt):
        lab.submit([work])
    lab.new_process()
    (work,) = lab.work()[:1]
    lab.complete([work])
    assert set(lab.vendor.asked().values()) == {1}
    assert answered_ids(work) == asked_ids(work)


def test_the_time_of_a_create_call_survives_a_kill_so_that_the_job_can_be_searched_for(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    began = lab.clock.timestamp()
    lab.vendor.script("submit", lost(), _kill())
    with pytest.raises(KeyboardInterrupt):
        lab.submit([work])
    assert work.intents[0].asked_at == pytest.approx(began, abs=1)


def test_for_a_vendor_without_a_search_no_time_is_recorded(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path)
    (work,) = lab.work()[:1]
    lab.complete([work])
    assert not any(intent.asked_at for intent in work.intents)


def _kill() -> Callable[[], Any]:
    def kill() -> None:
        raise KeyboardInterrupt

    return kill


@pytest.mark.parametrize("is_there", [True, False])
def test_an_attempt_in_doubt_is_searched_for_by_its_own_upload_and_nothing_new_is_uploaded(
    lab: Lab, is_there: bool
) -> None:
    """Another upload would take the place on record of the one that the job, if there is one, was made from."""
    (work,) = lab.work()[:1]

    def dies() -> None:
        if is_there:
            lab.vendor.create(f"{work.key}-a1", asked_ids(work))
        raise KeyboardInterrupt

    lab.vendor.script("submit", dies)
    with pytest.raises(KeyboardInterrupt):
        lab.submit([work])
    upload = work.intents[0].dataset
    lab.new_process()
    (again,) = lab.work()[:1]
    lab.complete([again], settle_s=60.0)
    staged = lab.vendor.names("stage")
    assert staged == ([f"{work.key}-a1"] if is_there else [f"{work.key}-a1", f"{work.key}-a2"])
    assert again.intents[0].dataset == upload
    assert set(lab.vendor.asked().values()) == {1}
    assert answered_ids(again) == asked_ids(again)
