"""Which files count as answers to a part's requests: those of the present ones, however a run came to ask them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptrial.parts.recording import Recorder
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
def test_a_change_of_prompt_that_was_cut_off_anywhere_loses_no_answers_to_either(
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


def test_answers_that_were_put_apart_when_a_run_was_killed_are_seen_though_the_provider_has_forgotten_them(
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
