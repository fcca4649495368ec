"""Live parts killed at every durable operation, before it, in the middle of it and after it, and resumed.

The vendor is simulated, so that a kill meets the same requests each time. A kill is an exception here which nothing may
catch; that the real thing ends a process is shown in ``test_kill_points`` and, for live requests, in
``e2e/test_live_run``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.jobs.work import PartWork
from promptrial.providers.request_rows import RequestRow
from promptrial.store import atomic, jsonl
from tests.support.hosted_provider import answered_ids, asked_ids, statuses
from tests.support.live_provider import LiveLab

OPERATIONS = ("_append", "_fsync", "_replace", "_unlink", "_mkdir", "_fsync_folder", "_cut")
IN_FLIGHT = 4


class Killed(BaseException):
    """The process is gone: nothing may catch this, and nothing durable happens any more."""


def uneven(request: RequestRow, _call: int) -> float:
    return 1.0 + sum(request.custom_id.encode()) * 7919 % 13


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, moment: str) -> Iterator[None]:
    """Within the block the durable operation of a number is the last one, or does not happen, or happens by half."""
    left, is_dead = [number], [False]

    def deadly(plain: Callable[..., Any], name: str) -> Callable[..., Any]:
        def operation(*args: Any) -> Any:
            if is_dead[0]:
                raise Killed
            left[0] -= 1
            if left[0] >= 0:
                return plain(*args)
            is_dead[0] = True
            if moment == "after":
                plain(*args)
            elif moment == "within" and name == "_append":
                plain(args[0], args[1][: len(args[1]) // 2])
            raise Killed

        return operation

    with monkeypatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(atomic, name, deadly(getattr(atomic, name), name))
        yield


def whole_rows(work: list[PartWork]) -> set[str]:
    """Return the ids of the rows that are whole on disk, sealed or not."""
    found = set()
    for each in work:
        for path in (each.folder.part_rows(each.part.name), each.folder.part_results(each.part.name)):
            if path.exists():
                lines = path.read_bytes().split(b"\n")[:-1]
                found |= {msgspec.json.decode(line)["custom_id"] for line in lines}
    return found


def lab_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LiveLab, list[PartWork]]:
    lab = LiveLab.simulated(root, monkeypatch, in_flight=IN_FLIGHT, takes_s=uneven)
    work = lab.parts(rows=5)
    lab.submit(work)
    return lab, work


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_killed_anywhere_it_loses_at_most_what_was_in_flight_and_ends_with_the_same_bytes(
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
    assert points > 30
    assert jsonl.count(work[0].folder.part_results(work[0].part.name)) == 5
