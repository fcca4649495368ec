"""What one hosted part does when a provider says that the answers are gone: it looks again before it believes that."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.errors import PhaseFailedError, ResultsGoneError
from promptrial.providers.base import JobState
from tests.support.hosted_provider import Lab, answered_ids, asked_ids, statuses


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path)


@pytest.mark.parametrize("rebuy", [False, True])
def test_answers_that_cannot_be_seen_for_a_moment_are_fetched_and_not_bought_again(lab: Lab, rebuy: bool) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.vendor.script("results", ResultsGoneError("not found"), ResultsGoneError("not found"))
    lab.collect(work, rebuy=rebuy)
    assert statuses(work) == ["downloaded"]
    assert set(lab.vendor.asked().values()) == {1}


def test_what_an_expired_job_had_answered_is_not_bought_again_because_it_cannot_be_seen_for_a_moment(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.vendor.endings.append((JobState.EXPIRED, 0.5))
    lab.submit(work)
    lab.vendor.script("results", ResultsGoneError("not found"))
    lab.collect(work)
    assert sorted(lab.vendor.asked().values()) == [1, 1, 2, 2], "only what was left unanswered is asked again"
    assert sorted(answered_ids(work[0])) == sorted(asked_ids(work[0]))


def test_answers_that_stay_away_for_the_settling_time_are_gone_and_that_is_not_waited_for_longer(lab: Lab) -> None:
    work = lab.work()[:1]
    lab.submit(work)
    lab.clock.advance(lab.vendor.takes_s)
    lab.vendor.script("results", *[ResultsGoneError("not found")] * 20)
    began = lab.clock.monotonic()
    with pytest.raises(PhaseFailedError, match=r"not found .*--rebuy"):
        lab.collect(work, settle_s=60.0, settle_looks=3)
    assert 60.0 <= lab.clock.monotonic() - began <= 80.0
    assert 3 <= lab.vendor.count("results") <= 5
