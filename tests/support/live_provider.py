"""A live provider on a simulated clock: calls take time that only the clock knows, and come back in its order.

``SimulatedClock.wait`` goes to the moment at which the next call comes back, and makes it come back, all in one thread:
a test of many requests in flight does the same each time. ``LiveVendor`` says what a call meets.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from promptrial.jobs import calls_beside, live
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.live import AnswersDirectly, LiveAnswer, answers_in_turn
from promptrial.providers.request_rows import RequestRow
from promptrial.runtime.clock import FakeClock
from tests.support.hosted_provider import Lab, Vendor, parse_fake_row

__all__ = ["LiveFake", "LiveLab", "LiveVendor", "SimulatedClock"]


class SimulatedClock(FakeClock):
    """A fake clock that calls come back by."""

    def __init__(self) -> None:
        super().__init__()
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @property
    def calls_out(self) -> int:
        return len(self._coming)

    def at(self, moment: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._coming, (moment, next(self._order), call))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Go on by the seconds, or to the moment at which the next call comes back."""
        until = self.monotonic() + seconds
        if event.is_set():
            return True
        if self._coming and self._coming[0][0] <= until:
            moment, _, call = heapq.heappop(self._coming)
            self.advance(max(0.0, moment - self.monotonic()))
            call()
            return event.is_set()
        self.advance(until - self.monotonic())
        return event.is_set()


@dataclass
class SimulatedThreads:
    """Threads of which each makes one call after the other; a call takes ``call_s`` of the clock."""

    clock: SimulatedClock
    call_s: float = 0.0
    is_calling: bool = False
    """Whether what runs now runs in one of them."""
    calls: int = 0

    def of_one(self, most: int) -> SimulatedThread:
        assert most == 1, "a thread for each provider"
        return SimulatedThread(self)


@dataclass
class SimulatedThread:
    """One of them."""

    threads: SimulatedThreads
    free_at: float = 0.0

    def begin(self, call: Callable[[], None]) -> None:
        clock = self.threads.clock
        self.free_at = max(self.free_at, clock.monotonic()) + self.threads.call_s

        def make() -> None:
            self.threads.is_calling = True
            self.threads.calls += 1
            call()
            self.threads.is_calling = False

        clock.at(self.free_at, make)

    def close(self) -> None:
        pass


@dataclass
class LiveVendor:
    """A server: how long a call takes, what it meets, and what it has seen.

    ``meets`` is called with a request and the number of its call from 1, and raises what the call meets; ``takes_s``
    gives its seconds. ``most_out`` is the largest number of calls at once since it was last set. ``beside`` are the
    threads that ask other providers meanwhile.
    """

    clock: SimulatedClock
    meets: Callable[[RequestRow, int], None] = lambda _request, _call: None
    takes_s: Callable[[RequestRow, int], float] = lambda _request, _call: 1.0
    in_flight: int = 8
    calls: list[tuple[float, str]] = field(default_factory=list)
    most_out: int = 0
    usage: tuple[int, int] | None = None
    beside: SimulatedThreads = field(init=False)

    def __post_init__(self) -> None:
        self.beside = SimulatedThreads(self.clock)

    def asked(self) -> Counter[str]:
        """Return how often each request was sent."""
        return Counter(wire_id for _, wire_id in self.calls)


class LiveFake(AnswersDirectly):
    """The adapter of a ``LiveVendor``."""

    name: ClassVar[str] = "live"
    local: ClassVar[bool] = False
    understands: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, vendor: LiveVendor) -> None:
        self.vendor = vendor

    @property
    def in_flight(self) -> int:
        return self.vendor.in_flight

    def answer(self, request: RequestRow, model: ModelSpec) -> LiveAnswer:
        self.vendor.meets(request, len(self.vendor.calls))
        usage = {} if self.vendor.usage is None else {"usage": self.vendor.usage}
        row = {"custom_id": request.custom_id, "text": f"of {request.custom_id}", **usage}
        return LiveAnswer(msgspec.json.encode(row))

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        return answers_in_turn(self, payload)  # type: ignore[arg-type]

    def _not_called(self, *_: Any) -> Any:
        raise NotImplementedError("a queue takes an open provider, and asks it for answers alone")

    parse_row = staticmethod(parse_fake_row)
    open = check = fingerprint = count_tokens = emulated = close = _not_called


@dataclass
class LiveLab(Lab):
    """A ``Lab`` whose parts are answered by a ``LiveVendor``."""

    live: LiveVendor = field(kw_only=True)

    @classmethod
    def simulated(cls, root: Path, monkeypatch: pytest.MonkeyPatch, **vendor: Any) -> LiveLab:
        """Return a lab whose threads are simulated."""
        clock = SimulatedClock()
        lab = cls(root, Vendor(clock), live=LiveVendor(clock, **vendor))
        monkeypatch.setattr(live, "Workers", lambda _name: SimulatedWorkers(lab.live))
        monkeypatch.setattr(calls_beside, "Workers", lambda _name, most: lab.live.beside.of_one(most))
        return lab

    def parts(self, **size: Any) -> list[PartWork]:
        """Return parts as ``work`` does, of a live provider."""
        work = self.work(**size)
        for manifest in self.manifests.values():
            manifest.hosted = False
        provider = LiveFake(self.live)
        return [
            replace(each, provider=lambda: provider, model=replace(each.model, provider="live"))  # type: ignore[arg-type, return-value]
            for each in work
        ]

    def with_jobs_and_without(self, rows: int) -> tuple[list[PartWork], list[PartWork]]:
        """Return two parts of a vendor with jobs, and two live ones, each with a number of requests."""
        hosted = self.work(rows=rows)
        live = [each for each in self.parts(trials=2, rows=rows) if each.folder.slug == "trial2"]
        for each in hosted:
            each.manifest.hosted = True
        self.manifests["trial2"].hosted = False
        return hosted, live


@dataclass
class SimulatedWorkers:
    vendor: LiveVendor

    def begin(self, call: Callable[[], None]) -> None:
        vendor, asked = self.vendor, call.args[0]  # type: ignore[attr-defined]
        vendor.calls.append((vendor.clock.monotonic(), asked.request.custom_id))
        takes_s = vendor.takes_s(asked.request, len(vendor.calls))
        vendor.clock.at(vendor.clock.monotonic() + takes_s, call)
        vendor.most_out = max(vendor.most_out, vendor.clock.calls_out)

    def close(self) -> None:
        pass
