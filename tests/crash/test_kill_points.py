"""A run killed before, during and after every durable operation, and resumed: the same bytes, nothing done twice.

A child process runs a small two-trial experiment and sends itself SIGKILL. What it leaves must load; then the same
experiment is resumed and must end as an undisturbed one does: exit code 0, every artifact, record and receipt the same
(times aside), no temporary file left, no torn line, no row lost, no row asked for again whose append had returned, no
job created twice. A request in flight at the kill, whose row was not yet durable, may be asked again. Of kills that
leave the same files (an fsync changes none) one is resumed.

Eleven runs are killed: a first run, one that resumes after a kill, one that repairs damaged files, one that resumes
with another prompt, one whose accepted answers are corrected, one that takes over answers of another run, one whose
sample grows, one that is asked in waves, one whose answers are judged, a pilot, and one that goes on beyond its pilot.
Without ``CRASH_POINTS=all`` the run is killed at a fixed part of the points. ``make crash`` takes every point: at one
in twenty the run is killed; at the others a run that goes on is copied, and the copy is resumed. Where a run is killed,
the copy at that point must hold what the kill leaves.

The bugs that this check sees, each planted and looked for below:

- writing in place: a kill between opening and writing leaves an empty record;
- a file that exists counts as done, receipt or not: half of a phase's files are taken for all of them;
- a torn last line is not cut off: the next line is lost with it;
- the journal is forgotten, at a vendor that cannot look a job up: the job is created again;
- a job is created without being looked up first: it is created twice.

It cannot see a missing fsync, for the kernel outlives the kill: ``test_power_loss`` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

import pytest

from tests.support import crash_points
from tests.support.crash_survey import Findings, Survey, carry_out

ALL: Final = os.environ.get("CRASH_POINTS") == "all"
pytestmark = pytest.mark.timeout(8 * 3600 if ALL else 3600)
REAL: Final = 20 if ALL else 1
SURVEYS: Final = {
    "a first run": Survey(crash="kill", real=REAL, stride=1 if ALL else 149),
    "a first run at a vendor without lookup": Survey(crash="kill", real=REAL, lookup="none", stride=1 if ALL else 331),
    "a first run at a vendor that names its own jobs": Survey(
        crash="kill", real=REAL, lookup="search", stride=1 if ALL else 331
    ),
    "a run that was killed before": Survey(crash="kill", real=REAL, scenario="second crash", stride=1 if ALL else 331),
    "a run with damaged files": Survey(crash="kill", real=REAL, scenario="repair", stride=1 if ALL else 331),
    "a run with another prompt": Survey(crash="kill", real=REAL, scenario="changed prompt", stride=1 if ALL else 331),
    "a run whose questions are corrected": Survey(
        crash="kill", real=REAL, scenario="corrected", stride=1 if ALL else 331
    ),
    "a run that takes over answers": Survey(crash="kill", real=REAL, scenario="reuse", stride=1 if ALL else 331),
    "a run that grows": Survey(crash="kill", real=REAL, scenario="grown", stride=1 if ALL else 331),
    "a run that is asked in waves": Survey(crash="kill", real=REAL, scenario="waves", stride=1 if ALL else 797),
    "a run with judges": Survey(crash="kill", real=REAL, scenario="judged", stride=1 if ALL else 797),
    "a pilot": Survey(crash="kill", real=REAL, scenario="pilot", stride=1 if ALL else 347),
    "a run that goes on beyond its pilot": Survey(
        crash="kill", real=REAL, scenario="beyond a pilot", stride=1 if ALL else 797
    ),
}
# Each bug: where to look for it (so that it takes a moment), and what is then said of it.
BUGS: Final = {
    "write_in_place": ("after create .*trial_manifest", "key is name", "trial_manifest.json does not load"),
    "existing_files_are_done": ("after replace .*predictions", "key is name", "(differs|is missing|ended with 1)"),
    "no_repaired_tail": (
        "amid append .*results.partial",
        "key is name",
        "results.partial.jsonl.corrupt.1 is left over",
    ),
    "forgotten_journal": ("before create .*trial_manifest", "none", "created again, though it was on record"),
    "no_lookup": ("before append .*jobs.journal", "key is name", "created twice"),
}
PLANTED: Final = {
    bug: Survey(crash="kill", bug=bug, lookup=lookup, only=only) for bug, (only, lookup, _) in BUGS.items()
}


@pytest.fixture(scope="module")
def findings() -> Mapping[str, Findings]:
    surveys = {**SURVEYS, **PLANTED}
    return dict(zip(surveys, carry_out(list(surveys.values())), strict=True))


@pytest.mark.parametrize("name", SURVEYS)
def test_after_a_kill_at_any_point_a_resume_ends_with_the_same_bytes(
    name: str, findings: Mapping[str, Findings]
) -> None:
    found = findings[name]
    print(f"{name}: {found}")
    assert found.problems == []
    assert found.crashes == len(range(0, found.possible, SURVEYS[name].stride))
    assert 0 < found.resumes <= found.crashes
    assert found.kills == (0 if not ALL else len(range(0, found.possible, REAL)))


def test_kills_hit_every_kind_of_durable_operation(findings: Mapping[str, Findings]) -> None:
    reached = {kind for name in SURVEYS for kind in findings[name].kinds}
    missed = crash_points.operations().keys() - reached
    assert not missed, "add a scenario to tests/support/crash_lab.py that comes to these"


@pytest.mark.parametrize("bug", BUGS)
def test_the_check_detects_a_planted_bug(bug: str, findings: Mapping[str, Findings]) -> None:
    said = BUGS[bug][2]
    print(f"{bug}: {findings[bug]}")
    assert [problem for problem in findings[bug].problems if re.search(said, problem)], findings[bug].problems[:5]
