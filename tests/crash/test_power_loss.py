"""The power fails during a run, the kernel's cache is lost, and the run is resumed from what the disk may still hold.

A kill leaves the kernel alive, so it cannot show a missing fsync. Here a run is watched from inside: what it writes,
names and removes, and what it flushes. After each operation the states are built that POSIX then allows: bytes that
were not flushed may be missing, torn or zeros; names whose folder was not flushed may be as before (``crash_disk``
says which combinations are tried, some of them drawn with a fixed seed). From each different state the run is resumed
and must end as after a kill: see ``test_kill_points``. A row is durable, and never asked for again, once its append
had returned.

Besides, whatever returned from the durable module must have been flushed, and no file may change behind its back.

The bugs that this check sees, each planted and looked for below:

- a folder is not flushed: a file of answers vanishes, and they are asked for again;
- a file is not flushed: a record is empty under its final name;
- writing in place: bytes change that no operation accounts for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

import pytest

from tests.support.crash_survey import Findings, Survey, carry_out

ALL: Final = os.environ.get("CRASH_POINTS") == "all"
pytestmark = pytest.mark.timeout(8 * 3600 if ALL else 3600)
SURVEYS: Final = {
    "a first run": Survey(crash="power", stride=1 if ALL else 199),
    "a run that was killed before": Survey(crash="power", scenario="second crash", stride=1 if ALL else 331),
    "a run with damaged files": Survey(crash="power", scenario="repair", stride=1 if ALL else 331),
}
# Each bug: which states to examine (so that it is quick), and what is reported about them and about the run.
BUGS: Final = {
    "no_folder_fsync": (
        "all lost after append .*results.partial",
        "asked for again",
        "append returned before .*flushed",
    ),
    "no_file_fsync": ("bytes lost after replace .*manifest", "does not load", "__exit__ returned before .*flushed"),
    "write_in_place": ("bytes lost after create .*manifest", "does not load", "changed without the durable module"),
}
PLANTED: Final = {bug: Survey(crash="power", bug=bug, only=only) for bug, (only, *_) in BUGS.items()}


@pytest.fixture(scope="module")
def findings() -> Mapping[str, Findings]:
    surveys = {**SURVEYS, **PLANTED}
    return dict(zip(surveys, carry_out(list(surveys.values())), strict=True))


@pytest.mark.parametrize("name", SURVEYS)
def test_after_any_power_failure_a_resume_ends_with_the_same_bytes(name: str, findings: Mapping[str, Findings]) -> None:
    found = findings[name]
    print(f"{name}: {found}")
    assert found.problems == []
    assert found.crashes == len(range(0, found.possible, SURVEYS[name].stride))
    assert 0 < found.resumes <= found.crashes


@pytest.mark.parametrize("bug", BUGS)
def test_the_check_detects_a_planted_bug(bug: str, findings: Mapping[str, Findings]) -> None:
    print(f"{bug}: {findings[bug]}")
    for said in BUGS[bug][1:]:
        assert [problem for problem in findings[bug].problems if re.search(said, problem)], said
