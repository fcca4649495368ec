"""A run is started, stopped, killed, gated, damaged, intruded upon and resumed in any order, and comes to its end.

Hypothesis draws the steps; ``tests/support/run_machine.py`` says what they are and what must hold after each of them.
Above all: a plan changes nothing and says what the next command does; exit codes are the documented ones; no answer
that is whole on disk is asked for again, no job is created twice; and at the end a plain resume leaves the same bytes
as a run that nothing disturbed. The same seeds give the same steps each time. ``CRASH_POINTS=all`` takes forty times
as many.

That the machine has teeth is shown by bugs planted for it, five with ``CRASH_POINTS=all`` and three otherwise.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

import pytest

from tests.support.run_machine_tasks import Found, Task, carry_out

ALL: Final = os.environ.get("CRASH_POINTS") == "all"
pytestmark = pytest.mark.timeout(8 * 3600 if ALL else 3600)
EXAMPLES: Final = 160 if ALL else 4
SEEDS: Final = (1, 2)
_LATE: Final = {
    "plan_that_repairs": "the plan changed",
    "no_lock": "(ended with 0 instead of 4|beside the writer ended with 0)",
}
"""Bugs that the machine comes to after many steps."""
# Each bug, and the problem that must be reported.
BUGS: Final = {
    "existing_files_are_done": "differs",
    "kept_sentinel": "(ended with 5 instead of 0|a stale sentinel was left)",
    "times_decide": "a touched file changed the plan",
} | (_LATE if ALL else {})
KINDS: Final = frozenset(
    {"run", "resume", "stop", "kill", "gate", "plan", "corrupt", "delete", "touch", "second writer", "stale sentinel"}
)
SOONEST: Final = {
    "existing_files_are_done": (9, 7),
    "kept_sentinel": (9, 3),
    "times_decide": (9, 1),
    "plan_that_repairs": (40, 3),
    "no_lock": (40, 1),
}
"""For each bug how many lives at most, and the seed that comes to it after few of them.

Hypothesis begins with short lives if it may take ten or more, and most bugs need a long one.
"""
TASKS: Final = {
    **{str(seed): Task(seed=seed, examples=EXAMPLES) for seed in SEEDS},
    **{bug: Task(bug=bug, examples=SOONEST[bug][0], seed=SOONEST[bug][1]) for bug in BUGS},
}


@pytest.fixture(scope="module")
def found() -> Mapping[str, Found]:
    return dict(zip(TASKS, carry_out(list(TASKS.values())), strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_sequence_of_steps_a_run_can_be_resumed_to_the_same_result(
    seed: int, found: Mapping[str, Found]
) -> None:
    print(f"{EXAMPLES} lives of a run, {found[str(seed)]}")
    assert not found[str(seed)].problem, found[str(seed)].problem


def test_the_machine_takes_every_kind_of_step(found: Mapping[str, Found]) -> None:
    steps = sum((Counter(found[str(seed)].steps) for seed in SEEDS), Counter[str]())
    assert not KINDS - steps.keys()


@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_detects_a_planted_bug(bug: str, found: Mapping[str, Found]) -> None:
    print(f"{bug}: {found[bug]}")
    assert re.search(BUGS[bug], found[bug].problem), found[bug].problem
