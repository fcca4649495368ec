"""Which files count as answers to a part's requests: those of the present ones, however a run came to ask them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial.errors import PhaseFailedError
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.store import atomic
from tests.support.hosted_provider import Lab, answered_ids, asked_ids


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab.make(tmp_path)


# --- answers to other requests are kept apart ------------------------------------------------------------------------


def cut_off_after(call: Callable[..., object], left: list[int]) -> Callable[..., None]:
    """Return a call that has its effect, and after which the process is gone once so many were made."""

    def made(*args: object, **kwargs: object) -> None:
        call(*args, **kwargs)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    return made


@pytest.mark.parametrize("steps", range(1, 5))
@pytest.mark.parametrize("question", ["Question", "Other"])
def test_an_interrupted_change_of_prompt_loses_no_answers_to_either_prompt(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, steps: int, question: str
) -> None:
    for each in ("Other", "Question"):
        lab.complete(lab.work(question=each)[:1])
    with monkeypatch.context() as patch:
        left = [steps]
        patch.setattr(atomic, "move", cut_off_after(atomic.move, left))
        patch.setattr(Recorder, "record", cut_off_after(Recorder.record, left))
        with pytest.raises(KeyboardInterrupt):
            lab.complete(lab.work(question="Other")[:1])
    lab.vendor.jobs.clear()
    lab.vendor.calls.clear()
    for each in (question, "Question", "Other"):
        work = lab.work(question=each)[:1]
        lab.complete(work)
        assert work[0].downloaded
        assert answered_ids(work[0]) == asked_ids(work[0])
        assert work[0].record.job == f"{work[0].key}-a1"
    assert lab.vendor.calls == [], "nothing had to be asked for"


def test_answers_moved_aside_before_a_kill_are_found_even_if_the_provider_has_lost_them(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.complete(lab.work()[:1])
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "move", cut_off_after(atomic.move, [1]))
        with pytest.raises(KeyboardInterrupt):
            lab.submit(lab.work(question="Other")[:1])
    lab.vendor.jobs.clear()
    lab.vendor.calls.clear()
    work = lab.work()[:1]
    lab.complete(work)
    assert work[0].downloaded
    assert lab.vendor.calls == [], "nothing had to be asked for"


@pytest.mark.parametrize("steps", range(1, 5))
def test_a_job_whose_requests_are_needed_again_is_resumed_after_any_interruption(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    lab.submit(lab.work()[:1])
    lab.complete(lab.work(question="Other")[:1])
    made = dict(lab.vendor.jobs)
    with monkeypatch.context() as patch:
        left = [steps]
        patch.setattr(atomic, "move", cut_off_after(atomic.move, left))
        patch.setattr(Recorder, "record", cut_off_after(Recorder.record, left))
        with pytest.raises(KeyboardInterrupt):
            lab.complete(lab.work()[:1])
    work = lab.work()[:1]
    lab.complete(work)
    assert work[0].downloaded
    assert lab.vendor.jobs == made, "nothing was asked again"


# --- answers that a person has put there -----------------------------------------------------------------------------


def rows(work: PartWork, text: str) -> bytes:
    return b"".join(b'{"custom_id":"%s","text":"%s"}\n' % (each.encode(), text.encode()) for each in asked_ids(work))


def put(work: PartWork, name: str, content: bytes) -> None:
    path = work.folder.part_results(work.part.name).parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def sealed(work: PartWork) -> bytes:
    return work.folder.part_results(work.part.name).read_bytes()


def test_files_downloaded_for_an_earlier_prompt_are_reported_once_and_never_used_for_a_new_one(lab: Lab) -> None:
    (old,) = lab.work()[:1]
    lab.submit([old])
    (new,) = lab.work(question="Other")[:1]
    lab.submit([new])
    lab.vendor.jobs.clear()
    put(new, f"dataset/{old.key}-a1-out/BIJOutputSet.jsonl", rows(new, "to the previous requests"))
    with pytest.raises(PhaseFailedError, match="--rebuy"):
        lab.collect([new])
    assert sum(f"{old.key}-a1-out, put into" in text for text in lab.said) == 1
    assert not new.downloaded
    put(new, f"dataset/{new.key}-a1-out/BIJOutputSet.jsonl", rows(new, "to this one"))
    lab.collect([new])
    assert sealed(new) == rows(new, "to this one")


def test_a_job_whose_id_only_starts_with_ours_is_another_job(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.submit([work])
    lab.vendor.jobs.clear()
    put(work, f"dataset/{work.key}-a11-out/BIJOutputSet.jsonl", rows(work, "to another"))
    with pytest.raises(PhaseFailedError, match="--rebuy"):
        lab.collect([work])


def test_answers_at_the_provider_are_preferred_to_manually_placed_files(lab: Lab) -> None:
    (work,) = lab.work()[:1]
    lab.submit([work])
    put(work, "by hand.jsonl", rows(work, "by hand"))
    lab.collect([work])
    assert b"answer to" in sealed(work)
    assert b"by hand" not in sealed(work)


@pytest.mark.parametrize("name", ["by hand.jsonl", "dataset/KEY-a1/a.jsonl", "dataset/KEY-a1-out/a.jsonl"])
def test_manually_placed_files_are_used_if_the_provider_has_nothing_left(lab: Lab, name: str) -> None:
    (work,) = lab.work()[:1]
    lab.submit([work])
    lab.vendor.jobs.clear()
    put(work, name.replace("KEY", work.key), rows(work, "by hand"))
    lab.collect([work])
    assert sealed(work) == rows(work, "by hand")
