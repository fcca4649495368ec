"""Whatever happens to a run, it never spends more than its cap; and where it stops, the next job would not have fitted.

``make cap`` has more examples than the suite.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings

from promptrial.errors import CostCapReached
from tests.support.capped import Case, Session, World, cases

EXAMPLES: Final = int(os.environ.get("CAP_EXAMPLES", "25"))
PLAIN: Final = Session(cap_factor=1.0, calls=(), endings=(), killed=None, rebuy=True)
ROUNDING: Final = 1 + 1e-9


@contextmanager
def world_of(case: Case) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        yield World(case, Path(folder), patch)


def check(world: World, ended: BaseException | None) -> None:
    budget = world.budget()
    assert world.billed_usd <= world.cap * ROUNDING, f"{world.billed_usd} USD billed of {world.cap} USD"
    assert world.billed_usd <= budget.committed.total * ROUNDING, "what is billed is on record"
    if isinstance(ended, CostCapReached):
        named = float(re.findall(r"it needs a cap of (\S+) USD", str(ended))[0])
        assert named > world.cap, "it could have gone on"
        assert budget.committed.total <= world.cap * ROUNDING or named > budget.committed.total


@given(cases())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_run_is_billed_above_its_cap_and_it_stops_only_if_the_next_job_does_not_fit(case: Case) -> None:
    with world_of(case) as world:
        for session in case.sessions:
            check(world, world.process(session))
        world.cap *= 1000
        for _ in range(12):
            ended = world.process(PLAIN)
            check(world, ended)
            if ended is None:
                break
        assert ended is None, f"it does not end: {ended}"
        assert all(each.downloaded for each in world.work)
