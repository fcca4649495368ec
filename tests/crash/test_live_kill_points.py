"""Live parts killed at every durable operation, before it, in the middle of it and after it, and resumed.

The vendor is simulated, so that a kill meets the same requests each time. A kill is an exception here which nothing may
catch; that the real thing ends a process is shown in ``test_kill_points`` and, for live requests, in
``e2e/test_live_run``.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from promptrial.jobs.work import PartWork
from promptrial.providers.request_rows import RequestRow
from promptrial.store import jsonl
from tests.support.hosted_provider import answered_ids, asked_ids, statuses
from tests.support.killed import Killed, killed_at
from tests.support.live_provider import LiveLab

IN_FLIGHT = 4


def uneven(request: RequestRow, _call: int) -> float:
    return 1.0 + sum(request.custom_id.encode()) * 7919 % 13


def whole_rows(work: list[PartWork]) -> set[str]:
    """Return the ids of the rows that are whole on disk, sealed or not."""
    found = set()
    for each in work:
        for path in (each.folder.part_rows(each.part.name), each.folder.part_results(each.part.name)):
            if path.exists():
                lines = path.read_bytes().split(b"\n")[:-1]
                found |= {msgspec.json.decode(line)["custom_id"] for line in lines}
    return found


def close(parts: list[PartWork]) -> None:
    """Close the journals of a life that is over: hundreds of them are lived in one process."""
    for part in parts:
        part.folder.journal.close()


def lab_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LiveLab, list[PartWork]]:
    lab = LiveLab.simulated(root, monkeypatch, in_flight=IN_FLIGHT, takes_s=uneven)
    work = lab.parts(rows=5)
    lab.submit(work)
    return lab, work


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_run_killed_anywhere_loses_at_most_the_requests_in_flight_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    undisturbed, work = lab_of(tmp_path / "undisturbed", monkeypatch)
    undisturbed.collect(work)
    expected = [each.folder.part_results(each.part.name).read_bytes() for each in work]
    points = 0
    for number in itertools.count():
        lab, work = lab_of(tmp_path / str(number), monkeypatch)
        try:
            with killed_at(monkeypatch, number, moment):
                lab.collect(work)
        except Killed:
            points += 1
        else:
            break
        kept, sent = whole_rows(work), set(lab.live.asked())
        assert len(sent - kept) <= IN_FLIGHT, f"{moment} operation {number}"
        before = lab.live.asked()
        lab.clock._coming.clear()  # type: ignore[attr-defined]
        lab.collect(work)
        again = lab.live.asked() - before
        assert not set(again) & kept, f"{moment} operation {number}: asked again in spite of a row on disk"
        assert statuses(work) == ["downloaded"] * 2
        assert [answered_ids(each) for each in work] == [asked_ids(each) for each in work]
        assert [each.folder.part_results(each.part.name).read_bytes() for each in work] == expected
        assert not any(each.folder.part_rows(each.part.name).exists() for each in work)
        close(work)
    assert points > 30
    assert jsonl.count(work[0].folder.part_results(work[0].part.name)) == 5


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_run_killed_while_it_polls_jobs_beside_live_requests_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def started(root: Path) -> tuple[LiveLab, list[PartWork]]:
        lab = LiveLab.simulated(root, monkeypatch, in_flight=IN_FLIGHT, takes_s=uneven)
        lab.vendor.takes_s, lab.live.beside.call_s = 4.0, 1.5
        hosted, live = lab.with_jobs_and_without(rows=6)
        lab.submit([*hosted, *live])
        return lab, [*hosted, *live]

    undisturbed, parts = started(tmp_path / "undisturbed")
    undisturbed.collect(parts)
    assert undisturbed.live.beside.calls >= 2 + 2, "jobs were looked at beside live requests"
    expected = [part.folder.part_results(part.part.name).read_bytes() for part in parts]
    for number in itertools.count():
        lab, parts = started(tmp_path / str(number))
        try:
            with killed_at(monkeypatch, number, moment):
                lab.collect(parts)
        except Killed:
            pass
        else:
            break
        kept, before = whole_rows(parts), lab.live.asked()
        lab.clock._coming.clear()  # type: ignore[attr-defined]
        lab.collect(parts)
        assert not set(lab.live.asked() - before) & kept, f"{moment} operation {number}: asked again"
        assert set(lab.vendor.asked().values()) == {1}, f"{moment} operation {number}: another job"
        assert [part.folder.part_results(part.part.name).read_bytes() for part in parts] == expected
        close(parts)
    assert number > 50
