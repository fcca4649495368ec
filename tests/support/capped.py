"""Queues under a cap, with faults and kills drawn at random, against vendors that keep an account of what they bill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import pytest
from hypothesis import strategies as st

from promptrial.costs.prices import usd
from promptrial.costs.reserve import reserve_usd
from promptrial.documents.cost_report import Price
from promptrial.errors import (
    CostCapReached,
    PermanentError,
    PromptrialError,
    SlowDownError,
    TransientError,
    UncertainError,
)
from promptrial.jobs.budget import Budget
from promptrial.jobs.work import PartWork
from promptrial.providers.base import JobState
from promptrial.store.journal import fold
from tests.support.hosted_provider import Lab, Lost
from tests.support.killed import Killed, killed_at
from tests.support.live_provider import LiveLab

__all__ = ["Case", "Session", "World", "cases"]

PRICE: Final = Price(input_per_million=1.0, output_per_million=20.0, batch_discount=0.0)
LONGEST: Final = 8
_LONGEST_PROMPT: Final = 210
"""Tokens that each request may have: it has more bytes, with what a template adds to it."""
_ENDINGS: Final = ((JobState.EXPIRED, 0.5), (JobState.EXPIRED, 0.0), (JobState.FAILED, 0.5), (JobState.CANCELLED, 0.0))
Outcome = Literal["answered", "unsure", "refused", "busy"]


@dataclass(frozen=True)
class Session:
    """One process: by how much the cap has grown, what its calls meet, and where it is killed, if it is."""

    cap_factor: float
    calls: tuple[Outcome, ...]
    endings: tuple[tuple[JobState, float], ...]
    killed: tuple[int, str] | None
    rebuy: bool


@dataclass(frozen=True)
class Case:
    """A run: its size, what an answer takes in tokens, its first cap as a share of all reserves, and its processes."""

    live: bool
    keyed: bool
    shards: int
    rows: int
    usage: tuple[int, int]
    share: float
    sessions: tuple[Session, ...]


_OUTCOMES: Final = st.sampled_from(["answered"] * 5 + ["unsure", "unsure", "refused", "busy"])
_KILLS: Final = st.none() | st.tuples(st.integers(0, 90), st.sampled_from(["before", "within", "after"]))
_SESSIONS: Final = st.builds(
    Session,
    cap_factor=st.sampled_from([1.0, 1.0, 1.3, 2.0]),
    calls=st.lists(_OUTCOMES, max_size=12).map(tuple),
    endings=st.lists(st.sampled_from(_ENDINGS), max_size=2).map(tuple),
    killed=_KILLS,
    rebuy=st.booleans(),
)


def cases() -> st.SearchStrategy[Case]:
    """Return runs at random."""
    return st.builds(
        Case,
        live=st.booleans(),
        keyed=st.booleans(),
        shards=st.integers(1, 4),
        rows=st.integers(1, 5),
        usage=st.tuples(st.integers(0, _LONGEST_PROMPT), st.integers(0, LONGEST)),
        share=st.floats(0.02, 1.2),
        sessions=st.lists(_SESSIONS, min_size=1, max_size=4).map(tuple),
    )


@dataclass
class World:
    """One run and its vendor, process after process."""

    case: Case
    root: Path
    patch: pytest.MonkeyPatch
    refused: int = 0
    lab: Lab = field(init=False)
    work: list[PartWork] = field(init=False)
    cap: float = field(init=False)

    def __post_init__(self) -> None:
        case = self.case
        if case.live:
            self.lab = LiveLab.simulated(self.root, self.patch, in_flight=3, usage=case.usage)
            plain = self.lab.parts(shards=case.shards, rows=case.rows)
        else:
            self.lab = Lab.make(self.root, keyed=case.keyed, usage=case.usage)
            plain = self.lab.work(shards=case.shards, rows=case.rows)
        self.work = [replace(each, reserve_usd=_reserve) for each in plain]
        self.cap = case.share * sum(self.whole_usd(each) for each in self.work)

    def whole_usd(self, work: PartWork) -> float:
        """Return what a part can cost at most."""
        return _reserve(work.part.rows, work.folder.requests(work.part.name).stat().st_size)

    @property
    def billed_usd(self) -> float:
        """What the vendor bills: each answer of its jobs, and each live request that it did not refuse."""
        if isinstance(self.lab, LiveLab):
            rows = len(self.lab.live.calls) - self.refused
        else:
            vendor = self.lab.vendor
            rows = sum(
                len(job.answered) for named in (vendor.jobs, vendor.gone) for jobs in named.values() for job in jobs
            )
        return rows * usd(*self.case.usage, PRICE)

    def budget(self) -> Budget:
        """Return a budget that counts what is on record."""
        budget = Budget(self.cap, lambda _model: PRICE)
        budget.count(self.work)
        return budget

    def process(self, session: Session) -> BaseException | None:
        """Let one process work on the run; return what it ended with."""
        self.cap *= session.cap_factor
        self._forget()
        self.lab.new_process()
        self.lab.budget = lambda: Budget(self.cap, lambda _model: PRICE)
        self._script(session)
        with _dies(self.patch, session.killed):
            try:
                self.lab.complete(self.work, rebuy=session.rebuy, max_attempts=3)
            except (PromptrialError, CostCapReached, Killed) as error:
                return error
        return None

    def _forget(self) -> None:
        """Let the next process know what is on disk alone."""
        for each in self.work:
            each.folder.journal.close()
        for slug, manifest in self.lab.manifests.items():
            manifest.parts.clear()
            fold(manifest.parts, self.work[0].folder.run.trial(slug).journal.read())
        if isinstance(self.lab, LiveLab):
            self.lab.clock._coming.clear()  # type: ignore[attr-defined]

    def _script(self, session: Session) -> None:
        vendor, outcomes = self.lab.vendor, iter(session.calls)
        if isinstance(self.lab, LiveLab):
            self.lab.live.meets = lambda _request, _call: self._meets(next(outcomes, "answered"))
            return
        vendor.scripts.clear()
        happenings = {
            "answered": None,
            "unsure": Lost(),
            "refused": TransientError("HTTP 503"),
            "busy": PermanentError("no"),
        }
        vendor.script("submit", *(happenings[outcome] for outcome in outcomes))
        vendor.endings.clear()
        vendor.endings.extend(session.endings)

    def _meets(self, outcome: Outcome) -> None:
        if outcome == "unsure":
            raise UncertainError("broke off")
        if outcome in {"refused", "busy"}:
            self.refused += 1
            raise SlowDownError("slow down") if outcome == "busy" else TransientError("no connection")


def _reserve(rows: int, size: int) -> float:
    return reserve_usd(rows, size, LONGEST, PRICE)


@contextmanager
def _dies(patch: pytest.MonkeyPatch, killed: tuple[int, str] | None) -> Iterator[None]:
    if killed is None:
        yield
        return
    with suppress(Killed), killed_at(patch, *killed):
        yield
