"""A hosted provider in this process, on a fake clock: a vendor with jobs that take time, told by a test how to behave.

``Vendor`` is what outlives every client: its jobs, each call with its time, and what the next calls of an operation
meet. ``HostedProvider`` is the adapter in front of it. ``Lab`` puts parts, records and a queue around the two.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import msgspec

from promptrial.errors import (
    AlreadyThereError,
    NotOursError,
    OutcomeUnknownError,
    ResultsGoneError,
    UndecidedError,
)
from promptrial.jobs.budget import Budget
from promptrial.jobs.queue import QueueManager
from promptrial.jobs.settings import QueueSettings
from promptrial.jobs.work import PartWork
from promptrial.model import Completion, Message, ModelSpec, Part, Request, RequestId, Sampling
from promptrial.model.instances import Instance
from promptrial.model.units import RUN
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.request_rows import decode_request_row, encode_request_row
from promptrial.runtime.clock import FakeClock
from promptrial.runtime.events import EventLog, Redactor
from promptrial.runtime.progress import NoProgress
from promptrial.runtime.stop import StopToken
from promptrial.store import jsonl
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir

HOUR_S = 3600.0


class Lost:
    """The call takes effect, and its answer is lost."""


class Call(NamedTuple):
    """One call that the vendor saw."""

    at: float
    operation: str
    name: str


@dataclass
class Job:
    """A job of the vendor; it ends ``takes_s`` after its creation."""

    created: float
    ends: float
    state: JobState
    ids: tuple[str, ...]
    answered: tuple[str, ...]


@dataclass
class Vendor:
    """The vendor.

    ``script`` says what the next calls of an operation meet: an error to raise, a function to call first, or None for
    nothing. Of ``gone`` jobs the output is left, and their ids stay taken; requests in ``skipped`` never get a row.
    ``endings`` gives the jobs of the next keys another end than READY, with a share of the rows answered. ``fences``
    is what a fence comes to. Unless our key is the name (``lookup``), the vendor gives its jobs names that show nothing
    of it. Jobs in ``hidden`` are there, and not shown. ``usage`` is what each row reports of prompt and answer, if any.
    """

    clock: FakeClock
    keyed: bool = True
    fences: bool = False
    lookup: JobLookup = JobLookup.KEY_IS_NAME
    takes_s: float = 100.0
    jobs: dict[str, list[Job]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    scripts: dict[str, deque[Any]] = field(default_factory=dict)
    endings: deque[tuple[JobState, float]] = field(default_factory=deque)
    gone: dict[str, list[Job]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    most_in_flight: int = 0
    message: str = ""
    usage: tuple[int, int] | None = None

    def script(self, operation: str, *happenings: Exception | Lost | Callable[[], object] | None) -> None:
        self.scripts.setdefault(operation, deque()).extend(happenings)

    def met(self, operation: str, name: str) -> bool:
        """Note a call, and let it meet what the script says; return whether its answer will be lost."""
        self.calls.append(Call(self.clock.monotonic(), operation, name))
        waiting = self.scripts.get(operation)
        happening = waiting.popleft() if waiting else None
        if isinstance(happening, Lost):
            return True
        if isinstance(happening, Exception):
            raise happening
        if happening is not None:
            happening()
        return False

    def create(self, key: str, ids: Sequence[str]) -> None:
        state, share = self.endings.popleft() if self.endings else (JobState.READY, 1.0)
        now = self.clock.monotonic()
        answered = tuple(ids[: round(share * len(ids))])
        self.jobs.setdefault(self.name_of(key), []).append(Job(now, now + self.takes_s, state, tuple(ids), answered))
        running = sum(job.ends > now for jobs in self.jobs.values() for job in jobs)
        self.most_in_flight = max(self.most_in_flight, running)

    def add_stranger(self, name: str, rows: int) -> None:
        """Let somebody else create a job of a number of requests."""
        now, ids = self.clock.monotonic(), tuple(f"theirs-{number}" for number in range(rows))
        self.jobs[name] = [Job(now, now + self.takes_s, JobState.READY, ids, ids)]

    def name_of(self, key: str) -> str:
        """Return what the vendor calls the job of a key."""
        if self.lookup is JobLookup.KEY_IS_NAME:
            return key
        return f"batch_{hashlib.sha256(key.encode()).hexdigest()[:12]}"

    def count(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.calls)

    def names(self, operation: str) -> list[str]:
        return [call.name for call in self.calls if call.operation == operation]

    def asked(self) -> Counter[str]:
        """Return how often each request was put into a job."""
        return Counter(wire_id for jobs in self.jobs.values() for job in jobs for wire_id in job.ids)


class HostedProvider:
    """The adapter in front of a vendor."""

    name: ClassVar[str] = "hosted"
    local: ClassVar[bool] = False
    jobs: ClassVar[bool] = True
    understands: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.keyed = vendor.keyed
        self.lookup = vendor.lookup

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        raise NotImplementedError("a queue takes an open provider")

    def check(self, model: ModelSpec) -> None:
        pass

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        return {"model": model.id}

    def count_tokens(self, model: ModelSpec, text: str) -> int | None:
        return None

    def stage(self, payload: PartPayload) -> Staged:
        self.vendor.met("stage", payload.key)
        return Staged(payload.dataset_key, ready=True)

    def find(self, payload: PartPayload) -> JobRef | None:
        assert self.vendor.lookup is not JobLookup.NONE, "there is no look-up"
        self.vendor.met("find", payload.key)
        if self.vendor.lookup is JobLookup.GUESS:
            return self._guessed(payload)
        name = self.vendor.name_of(payload.key)
        there = [job for job in self.vendor.jobs.get(name, ()) if job.state is not JobState.NO_ROOM]
        return JobRef(name) if there and name not in self.vendor.hidden else None

    def _guessed(self, payload: PartPayload) -> JobRef | None:
        """Return the one job that may be the payload's: a job that has ended tells, one that works does not."""
        ours, working = self.vendor.name_of(payload.key), []
        for name, (*_, job) in self.vendor.jobs.items():
            if name in payload.known() | self.vendor.hidden or len(job.ids) != payload.rows:
                continue
            if self.vendor.clock.monotonic() < job.ends:
                working.append(name)
            elif name == ours:
                return JobRef(name)
        if len(working) > 1:
            raise UndecidedError(f"{len(working)} jobs may be it")
        return JobRef(working[0]) if working else None

    def submit(self, payload: PartPayload) -> JobRef:
        lost, name = self.vendor.met("submit", payload.key), self.vendor.name_of(payload.key)
        if self.vendor.keyed and name in {*self.vendor.jobs, *self.vendor.gone}:
            raise AlreadyThereError(f"there is a job {payload.key}")
        self.vendor.create(payload.key, [row.custom_id for row in payload.requests()])
        if lost:
            raise OutcomeUnknownError("no answer")
        return JobRef(name, f"{name}-out")

    def fence(self, payload: PartPayload) -> bool:
        self.vendor.met("fence", payload.key)
        return self.vendor.fences

    def status(self, job: JobRef) -> JobStatus:
        self.vendor.met("status", job.name)
        if job.name not in self.vendor.jobs:
            return JobStatus(JobState.MISSING)
        last = self.vendor.jobs[job.name][-1]
        ended = self.vendor.clock.monotonic() >= last.ends
        return JobStatus(last.state) if ended else JobStatus(JobState.WORKING, message=self.vendor.message)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        self.vendor.met("results", job.name)
        kept = self.vendor.jobs.get(job.name) or self.vendor.gone.get(job.name)
        if not kept:
            raise ResultsGoneError(f"no results of {job.name}")
        if self.vendor.lookup is JobLookup.GUESS and job.name != self.vendor.name_of(payload.key):
            raise NotOursError(f"job {job.name} is somebody else's")
        for wire_id in kept[-1].answered:
            if wire_id not in self.vendor.skipped:
                usage = {} if self.vendor.usage is None else {"usage": self.vendor.usage}
                yield msgspec.json.encode({"custom_id": wire_id, "text": f"answer to {wire_id}", **usage})
        self.vendor.met("end of results", job.name)

    def cancel(self, job: JobRef) -> None:
        self.vendor.met("cancel", job.name)

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        return (f"fetch {job.name} {folder}",)

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> str | None:  # noqa: ARG004 - the Protocol's
        return f"stop {job}"

    @staticmethod
    def emulated(instance: Instance, url: str, key: str, account: str) -> tuple[Instance, Mapping[str, str]]:
        raise NotImplementedError("a queue starts no emulator")

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        return parse_fake_row(line)

    def close(self) -> None:
        pass


@dataclass
class Lab:
    """Parts of a few trials in a folder, and queues over them; a second queue is what a resume has."""

    root: Path
    vendor: Vendor
    said: list[str] = field(default_factory=list)
    manifests: dict[str, TrialManifest] = field(default_factory=dict)
    budget: Callable[[], Budget] = Budget
    """Makes what a process may spend."""
    stop: StopToken = field(init=False)

    def __post_init__(self) -> None:
        self.new_process()

    @classmethod
    def make(cls, root: Path, **vendor: Any) -> Lab:
        return cls(root, Vendor(FakeClock(), **vendor))

    @property
    def clock(self) -> FakeClock:
        return self.vendor.clock

    def new_process(self, when: Callable[[], bool] | None = None) -> None:
        """Begin as a process does that was not asked to stop."""
        self.stop = StopToken(None, self.clock, when)

    def work(
        self, *, trials: int = 1, shards: int = 1, rows: int = 4, question: str = "Question", provider: str = "hosted"
    ) -> list[PartWork]:
        """Return parts: of each trial both arms of each shard. Another ``question`` is another prompt."""
        run = RunDir(self.root, "r")
        found = []
        for slug in (f"trial{number}" for number in range(1, trials + 1)):
            manifest = self.manifests.setdefault(slug, _manifest(slug))
            for index in range(1, shards + 1):
                for arm in ("control", "treatment"):
                    part = Part(slug, 0.0, arm, index, (index - 1) * rows, index * rows, rows)
                    path = run.trial(slug).requests(part.name)
                    _write(path, part, question)
                    digest = jsonl.digest(path).sha256
                    found.append(
                        PartWork(
                            folder=run.trial(slug),
                            manifest=manifest,
                            part=part,
                            model=ModelSpec(alias="m", id="model", provider=provider, adapter="hosted"),
                            provider=lambda: HostedProvider(self.vendor),  # type: ignore[arg-type, return-value]
                            request_sha256=digest,
                            key=_key(slug, part, question),
                            requests=lambda path=path: map(decode_request_row, jsonl.lines(path)),  # type: ignore[misc]
                            estimate_usd=lambda count, _size: 0.5 * count,
                        )
                    )
        return found

    def queue(self, work: Sequence[PartWork], others: Sequence[PartWork] = (), **settings: Any) -> QueueManager:
        """Return a queue over parts, as a process makes one for a phase."""
        events = EventLog(self.clock.now, Redactor({}), self.said.append)
        return QueueManager(
            work,
            self.clock,
            events,
            self.stop,
            settings=QueueSettings(**settings),
            others=others,
            budget=self.budget(),
        )

    def submit(self, work: Sequence[PartWork], **settings: Any) -> None:
        with NoProgress().task("submit", RUN, None) as task:
            self.queue(work, **settings).submit(task)

    def collect(self, work: Sequence[PartWork], **settings: Any) -> None:
        with NoProgress().task("poll", RUN, None) as task:
            self.queue(work, **settings).collect(task)

    def complete(self, work: Sequence[PartWork], **settings: Any) -> None:
        """Submit and collect."""
        self.submit(work, **settings)
        self.collect(work, **settings)


def parse_fake_row(line: bytes) -> Completion:
    """Read a row of ``HostedProvider`` or of a live fake; raises ``ValueError`` for anything else."""
    try:
        row = msgspec.json.decode(line)
        prompt, completion = row.get("usage") or (None, None)
        return Completion(row["custom_id"], row.get("text", ""), None, None, prompt, completion, None,
                          error=row.get("error"))  # fmt: skip
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no row") from error


def answered_ids(work: PartWork) -> list[str]:
    """Return the ids of the rows in a part's sealed results."""
    rows = jsonl.lines(work.folder.part_results(work.part.name))
    return [msgspec.json.decode(row)["custom_id"] for row in rows]


def asked_ids(work: PartWork) -> list[str]:
    """Return the ids of a part's requests."""
    return [row.custom_id for row in work.requests()]


def statuses(work: Sequence[PartWork]) -> list[str]:
    """Return where each part stands."""
    return [each.record.status for each in work]


def _manifest(slug: str) -> TrialManifest:
    return TrialManifest(
        run_id="r", trial={"name": slug}, prompts={}, temps=[0.0], samples_per_item={"0.0": 1}, hosted=True
    )


def _key(slug: str, part: Part, question: str) -> str:
    name = f"pt-{slug}-{part.name}".replace("_", "-")
    return name if question == "Question" else f"{name}-{question.lower()}"


def _write(path: Path, part: Part, question: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (
        Request(
            RequestId("set", f"{part.trial_slug}{number}", part.condition, "0.0", 0, "closed"),
            (Message("user", f"{question} {number}?"),),
            Sampling(0.0, 1.0, 50, 8, (), 1),
        )
        for number in range(part.start, part.stop)
    )
    path.write_bytes(b"".join(encode_request_row(row) + b"\n" for row in rows))
