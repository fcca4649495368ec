"""What one hosted part does with its answers: those that cannot be seen, and those to other requests than it has now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptrial.errors import PhaseFailedError, ResultsGoneError
from promptrial.parts.work import PartWork
from promptrial.providers.base import JobState
from promptrial.store import atomic, jsonl
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


# --- other requests than before --------------------------------------------------------------------------------------


def test_files_by_hand_for_an_earlier_prompt_never_answer_a_new_one(lab: Lab) -> None:
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
    assert sorted(path.name for path in apart.iterdir()) == ["by hand.jsonl", "results.jsonl"]
    assert any("its requests have changed" in text and f"set_aside/{apart.name}" in text for text in lab.said)


@pytest.mark.parametrize("end", [(JobState.READY, 1.0), (JobState.EXPIRED, 0.5)])
def test_answers_to_an_earlier_prompt_are_taken_back_when_that_is_asked_again(
    lab: Lab, end: tuple[JobState, float]
) -> None:
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


def test_moving_earlier_answers_apart_may_be_cut_off_anywhere(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.complete(lab.work()[:1])
    lab.complete(lab.work(question="Other")[:1])
    (again,) = lab.work()[:1]
    move, moved = atomic.move, []

    def cut_off(source: Path, target: Path) -> None:
        move(source, target)
        moved.append(target)
        raise KeyboardInterrupt

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(atomic, "move", cut_off)
            with pytest.raises(KeyboardInterrupt):
                lab.submit([again])
    assert [path.parent.name for path in moved] == ["set_aside", "results"]
    lab.complete([again])
    assert answered_ids(again) == asked_ids(again)
    assert set(lab.vendor.asked().values()) == {2}, "each prompt was asked once"


def test_an_arm_whose_answers_are_shared_keeps_no_files_of_its_earlier_prompt(lab: Lab) -> None:
    lab.complete(lab.work(trials=2))
    _, _, second, _ = lab.work(trials=2)
    folder = second.folder.part_results(second.part.name).parent
    (folder / "by hand.jsonl").write_bytes(b"".join(line + b"\n" for line in old_answers(second)))
    first, _, follower, _ = lab.work(trials=2, question="Other")
    first.twins.append(follower)
    follower = replace(follower, request_sha256=first.request_sha256, twins=[first])
    first.twins[:] = [follower]
    lab.complete([first, follower])
    assert follower.downloaded
    assert [path.name for path in folder.iterdir()] == ["results.jsonl"]


def old_answers(work: PartWork) -> list[bytes]:
    return list(jsonl.lines(work.folder.part_results(work.part.name)))
