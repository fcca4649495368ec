"""The program behind ``crash_survey``: crashes runs at its share of the points, and checks what is left of them.

It prints its findings as JSON. Arguments: the surveys as JSON, which copy this is (from 0), how many copies there are.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import pickle
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from promptrial.providers.base import JobLookup
from tests.support import crash_points
from tests.support.crash_bugs import BUGS
from tests.support.crash_copies import CopiedRun
from tests.support.crash_disk import PowerLoss, Watched, write_tree
from tests.support.crash_lab import SCENARIOS, Lab, in_fork, portrait, warm_up
from tests.support.crash_points import Point
from tests.support.crash_survey import Findings, Survey
from tests.support.crash_vendor import Ledger, Vendor
from tests.support.project import Outcome

_BLOCK: Final = 8
"""Neighbours often leave the same files; a block of them goes to one process, which then resumes only once."""


class _Crash(NamedTuple):
    """A possible crash: its name, and a function that causes it and returns the folder."""

    name: str
    happen: Callable[[], Path]


def main(surveys: list[Survey], copy: int, copies: int) -> list[Findings]:
    """Carry out this copy's share of the surveys, each in its own fork, because planted bugs are permanent."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        warm_up(root)
        os.chdir(home)
        gc.freeze()  # so that collecting garbage does not copy the memory that forks share
        found = []
        for number, survey in enumerate(surveys):
            place = root / str(number)
            place.mkdir()
            ended = in_fork(place, partial(_look, survey, place, copy, copies))
            if ended.code != 0:
                raise RuntimeError(f"{survey}: {ended.said}")
            found.append(Findings(**json.loads((place / "findings").read_text())))
            shutil.rmtree(place)
    return found


def _look(survey: Survey, place: Path, copy: int, copies: int) -> None:
    began, findings = time.perf_counter(), Findings()
    lab = Lab(place, SCENARIOS[survey.scenario])
    Vendor.lookup = JobLookup(survey.lookup)
    if survey.bug:
        BUGS[survey.bug]()
    watch, crashes_of = _CRASHES[survey.crash]
    if survey.real > 1:
        crashes_of = partial(_copies, survey.real)
    whole = lab.measure(partial(watch, lab), each_job_once=Vendor.lookup is not JobLookup.NONE)
    crashes = crashes_of(lab, whole, findings)
    wanted = [crash for crash in crashes if re.search(survey.only, crash.name)][:: survey.stride]
    at_once = len(findings.problems)
    for number, crash in enumerate(wanted):
        if number // _BLOCK % copies != copy or (survey.bug and len(findings.problems) > at_once):
            continue
        folder = crash.happen()
        problems, resumed = lab.problems(folder)
        shutil.rmtree(folder)
        findings.crashes += 1
        findings.resumes += resumed
        findings.problems += [f"{crash.name}: {problem}" for problem in problems]
    findings.seconds = time.perf_counter() - began
    (place / "findings").write_text(json.dumps(asdict(findings)))


def _kills(lab: Lab, whole: Path, findings: Findings) -> Iterator[_Crash]:
    """Yield, for each point that a run comes to, the kill there."""
    for number, point in enumerate(_points(whole, findings)):
        yield _Crash(f"killed {point} (point {number})", partial(_kill, lab, number))


def _copies(real: int, lab: Lab, whole: Path, findings: Findings) -> Iterator[_Crash]:
    """Yield the same kills; of which every so many-th is one, and the others are copies of a run at these points."""
    run = CopiedRun(lab)
    for number, point in enumerate(_points(whole, findings)):
        happen = partial(_copied, lab, run, findings, number, is_real=number % real == 0)
        yield _Crash(f"killed {point} (point {number})", happen)


def _copied(lab: Lab, run: CopiedRun, findings: Findings, number: int, *, is_real: bool) -> Path:
    copy = run.copy_at(number)
    if is_real:
        killed = _kill(lab, number)
        if (portrait(killed, wreck=True), Ledger.read(killed)) != (portrait(copy, wreck=True), Ledger.read(copy)):
            findings.problems.append(f"point {number}: a kill leaves something else than a copy holds")
        shutil.rmtree(killed)
    findings.kills += is_real
    return copy


def _refusals(error: int, lab: Lab, whole: Path, findings: Findings) -> Iterator[_Crash]:
    """Yield, for each operation that a run comes to, a disk that refuses from there on."""
    for number, point in enumerate(_points(whole, findings)):
        if point.moment == "before":
            yield _Crash(f"refused from {point} (point {number})", partial(_refuse, lab, number, error))


def _list_points(lab: Lab) -> Outcome:
    """Run, and leave the points that the run came to beside it."""
    points: list[Point] = []
    crash_points.list_points(points)
    outcome = lab.run()
    Path("points").write_bytes(pickle.dumps(points))
    return outcome


def _points(whole: Path, findings: Findings) -> list[Point]:
    points: list[Point] = pickle.loads((whole / "points").read_bytes())  # noqa: S301 - our own
    findings.possible = len(points)
    findings.operations = sum(point.moment == "after" for point in points)
    findings.kinds = sorted({point.operation for point in points})
    return points


def _refuse(lab: Lab, number: int, error: int) -> Path:
    """Run on a disk that refuses; the run must end with exit code 1, or 0 if it had nothing more to write."""

    def work() -> Outcome:
        crash_points.refuse_from(number, error)
        return lab.run()

    folder = lab.folder()
    ended = in_fork(folder, work)
    named = re.search(r"error: .*(?:\n  .*)*experiments.*: " + os.strerror(error) + r"\n  next: ", ended.said)
    if ended.code != 0 and (ended.code != 1 or not named):
        raise RuntimeError(f"point {number}: the run ended with {ended.code}: {ended.said}")
    return folder


def _kill(lab: Lab, number: int) -> Path:
    def work() -> Outcome:
        crash_points.kill_at(number)
        return lab.run()

    folder = lab.folder()
    ended = in_fork(folder, work)
    if ended.code != -signal.SIGKILL:
        raise RuntimeError(f"point {number}: not killed, but ended with {ended.code}: {ended.said}")
    return folder


def _watch_disk(lab: Lab) -> Outcome:
    """Run, and leave what the disk may hold after each operation beside the run."""
    model = PowerLoss()
    model.begin()
    outcome = lab.run()
    Path("watched").write_bytes(pickle.dumps(model.seen))
    return outcome


def _power_losses(lab: Lab, whole: Path, findings: Findings) -> Iterator[_Crash]:
    """Yield each state of the disk that a power failure during a run may leave."""
    watched: Watched = pickle.loads((whole / "watched").read_bytes())  # noqa: S301 - our own
    findings.operations = watched.points
    findings.problems += sorted(set(watched.problems))
    ledger = Ledger.read(whole)
    different = {(frozenset(state.tree.items()), state.ledger): state for state in reversed(watched.states)}
    findings.possible = len(different)
    for state in reversed(different.values()):
        rest = ledger.cut(state.ledger)
        yield _Crash(f"power failed, {state.name}", partial(_lose_power, lab, partial(write_tree, state.tree), rest))


def _lose_power(lab: Lab, write: Callable[[Path], None], ledger: Ledger) -> Path:
    folder = lab.folder(empty=True)
    write(folder)
    ledger.write(folder)
    return folder


_CRASHES: Final[dict[str, tuple[Callable[[Lab], Outcome], Callable[[Lab, Path, Findings], Iterator[_Crash]]]]] = {
    "kill": (_list_points, _kills),
    "power": (_watch_disk, _power_losses),
    "full": (_list_points, partial(_refusals, errno.ENOSPC)),
    "read-only": (_list_points, partial(_refusals, errno.EROFS)),
}
"""For each kind: the undisturbed run that is watched, and the crashes that are possible in it."""


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # forking beside the threads of Arrow is what is done here
    results = main([Survey(**survey) for survey in json.loads(sys.argv[1])], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps([asdict(found) for found in results]))
