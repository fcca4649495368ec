"""Taking over answers of another run, killed at durable operations and resumed: nothing is asked for that was there.

A kill is an exception here which nothing may catch; that the real thing ends a process is shown in
``test_kill_points``, which kills a whole run that takes over answers. ``make crash`` kills at every operation.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Final

import pytest

from promptrial.jobs.work import PartWork
from promptrial.phases.lending import LentPart
from promptrial.store.journal import fold
from tests.support.hosted_provider import Lab, asked_ids, statuses
from tests.support.killed import Killed, killed_at
from tests.support.lending import lent_by, take_all
from tests.support.live_provider import LiveLab

_STRIDE: Final = 1 if os.environ.get("CRASH_POINTS") == "all" else 5


def lab_of(root: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> tuple[Lab, list[PartWork]]:
    if kind == "hosted":
        lab = Lab.make(root)
        return lab, lab.work(rows=3)
    live = LiveLab.simulated(root, monkeypatch)
    return live, live.parts(rows=3)


def work_on(lab: Lab, work: list[PartWork], lent: list[LentPart]) -> None:
    take_all(lab, [each for each in work if not each.submitted], lent)
    lab.complete(work)


def new_process(lab: Lab, work: list[PartWork]) -> None:
    """Let parts know what a new process knows: what is durable."""
    work[0].folder.journal.close()
    parts = work[0].manifest.parts
    parts.clear()
    fold(parts, work[0].folder.journal.read())
    if isinstance(lab, LiveLab):
        lab.clock._coming.clear()  # type: ignore[attr-defined]


@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("kind", ["hosted", "live"])
def test_a_run_killed_anywhere_sends_no_request_that_the_other_run_has_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, moment: str
) -> None:
    whole, work = lab_of(tmp_path / "whole", monkeypatch, kind)
    lent = lent_by(tmp_path / "old", whole, rows=3)[:1]  # all answers of one arm, and none of the other
    work_on(whole, work, lent)
    expected = [each.folder.part_results(each.part.name).read_bytes() for each in work]
    for number in itertools.count(0, _STRIDE):
        lab, work = lab_of(tmp_path / str(number), monkeypatch, kind)
        try:
            with killed_at(monkeypatch, number, moment):
                work_on(lab, work, lent)
        except Killed:
            new_process(lab, work)
        else:
            break
        work_on(lab, work, lent)
        asked = lab.live.asked() if isinstance(lab, LiveLab) else lab.vendor.asked()
        assert not set(asked) & set(asked_ids(work[0])), f"{moment} operation {number}"
        assert statuses(work) == ["downloaded"] * 2
        assert [each.folder.part_results(each.part.name).read_bytes() for each in work] == expected
        assert [reused.rows for reused in work[0].record.reused] == [3], f"{moment} operation {number}"
    assert number > 20
