"""The narrow Protocol that every source of answers implements, and the values that cross it.

An adapter translates between promptrial and one vendor, nothing more: it keeps no files, retries nothing, never
sleeps and never prints. Queueing, durable records, retry and stop belong to ``promptrial.jobs.queue``. What only some
adapters can do is in ``capabilities``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from promptrial.model import Completion, ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.request_rows import RequestRow

__all__ = [
    "BatchProvider",
    "JobLookup",
    "JobRef",
    "JobState",
    "JobStatus",
    "PartPayload",
    "Staged",
]


class JobState(enum.StrEnum):
    """What a vendor says about a job, in our words."""

    WORKING = "working"
    """Also where the vendor names a state that we do not know: then ``JobStatus.message`` says which."""
    READY = "ready"
    """``results`` can be read now. A local engine is always ready: it computes each row as it is read."""
    EXPIRED = "expired"
    """Ended early; ``results`` gives what was finished."""
    FAILED = "failed"
    """Ended without all results; ``results`` gives what there is, mostly nothing."""
    CANCELLED = "cancelled"
    """Ended by someone; ``results`` gives what there is."""
    NO_ROOM = "no room"
    """Ended before it was started, because the vendor had no room for it: it is not a job, and may be made again."""
    BY_HAND = "by hand"
    """A person has to do something before there can be answers: ``JobStatus`` says what."""
    MISSING = "missing"
    """The vendor does not know the job, now; that alone does not mean that it never will."""


class JobLookup(enum.StrEnum):
    """How a job is found whose creation was not answered: by our key, which was sent with the call."""

    KEY_IS_NAME = "key is name"
    """We choose the name of a job, and it is our key."""
    SEARCH = "search"
    """The vendor chooses the name, and ``find`` searches the vendor's jobs for our key."""
    GUESS = "guess"
    """The vendor chooses the name and shows nothing of ours before the job has ended: ``find`` returns the one job that
    may be ours, and ``results`` says if it is not. Only one job of an instance may be in doubt at a time."""
    NONE = "none"
    """The vendor chooses the name, and a job cannot be found by our key: ``find`` is not called."""


@dataclass(frozen=True, slots=True)
class JobRef:
    """A job as the vendor knows it. ``name`` is the vendor's, and enough to find the job again from another process.

    ``output`` names where its answers will be, for people, where the vendor has such names.
    """

    name: str
    output: str | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's state and any message. No counts: vendors' counters and their rows do not always agree.

    ``steps`` are what a person has to do, each a command or a comment, where the state is BY_HAND; ``patient`` says
    whether to look again until that was done, instead of ending once nothing else is in flight.
    """

    state: JobState
    message: str = ""
    steps: tuple[str, ...] = ()
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Staged:
    """Uploaded requests: the vendor's name for them, and whether a job may be made from them yet."""

    name: str
    ready: bool


@dataclass(frozen=True, slots=True)
class PartPayload:
    """What is sent for one part.

    ``key`` is unique to this part and attempt, and is what ``find`` looks for; the vendor may call the job something
    else. ``dataset_key`` names the requests themselves. Both match ``[a-z][a-z0-9-]{0,55}``. ``path`` is the file of
    the requests, a line each, and ``rows``, ``size`` (bytes) and ``sha256`` (hex) describe it. ``requests`` opens a
    fresh iterator over the requests still wanted, in order, on each call; a local engine is asked for those alone.

    ``since`` is when the job was first asked for, in seconds since 1970, where that is on record; ``known`` returns the
    names of all jobs of the run that are on record. A vendor that keeps no keys is searched with both. ``staged`` is
    what the vendor calls the uploaded requests, once that is on record.
    """

    key: str
    dataset_key: str
    model: ModelSpec
    path: Path
    rows: int
    size: int
    sha256: str
    requests: Callable[[], Iterator[RequestRow]]
    since: float | None = None
    known: Callable[[], frozenset[str]] = frozenset
    staged: str | None = None


class BatchProvider(Protocol):
    """One source of answers.

    Every call raises ``TransientError`` where it may work later and has changed nothing, and ``PermanentError`` where
    it never will. ``stage`` and ``submit`` raise ``OutcomeUnknownError`` where the vendor may have accepted a call that
    it did not answer.
    """

    name: ClassVar[str]
    local: ClassVar[bool]
    """True when answers are computed in this process, so that they cost no money and need no connection."""
    jobs: ClassVar[bool]
    """True when answers come in jobs that run on without this process; otherwise each takes a call of its own."""
    keyed: ClassVar[bool]
    """True when the vendor refuses a second job of one key, so that creating it again is harmless."""
    lookup: ClassVar[JobLookup]
    """How a job is found by our key. A local engine, which can compute every job again, finds all of them."""
    understands: ClassVar[frozenset[str]]
    """The fields of ``RequestOptions`` that it can send; another one given for a model is refused before anything is
    asked."""

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for an instance, or for the preset of its own name. Makes no call.

        ``env`` is where keys and addresses are looked up.

        Raises
        ------
        ConfigError
            If the environment lacks what this provider needs; names the variable.
        """

    def check(self, model: ModelSpec) -> None:
        """Refuse, before anything is uploaded, what can be known to fail: a wrong key, account or model."""

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return what identifies the model and engine exactly (weights' SHA-256, versions, parameters).

        Of a hosted one also whose account it is, and under ``api`` where it is reached. No secret is among them.
        """

    def count_tokens(self, model: ModelSpec, text: str) -> int | None:
        """Return how many tokens the model's tokenizer makes of a text, or None if there is no tokenizer to ask."""

    def stage(self, payload: PartPayload) -> Staged:
        """Upload the requests, as far as that goes without waiting; call again until it is ready.

        Calling it again never uploads twice what the vendor has whole. From then on payloads say what it is called.
        """

    def find(self, payload: PartPayload) -> JobRef | None:
        """Return the job that an earlier call created for this payload's key, or None if none is found.

        One for which there was no room counts as none.

        It looks at the payload's key, dataset key and model alone, and is not called where ``lookup`` is NONE.

        Raises
        ------
        PermanentError
            If a job has this key that was made from other requests, or for another model.
        UndecidedError
            If several may be it, and cannot be distinguished before they end.
        """

    def submit(self, payload: PartPayload) -> JobRef:
        """Create the job, with one call that is never repeated here.

        Raises
        ------
        QuotaReachedError
            If the vendor has no room for it now.
        """

    def fence(self, payload: PartPayload) -> bool:
        """Make sure that no job can still come of a call for this payload whose outcome is not known.

        Returns whether that is certain. Called after the job was not found for the settling time.
        """

    def status(self, job: JobRef) -> JobStatus:
        """Return what the vendor says about the job now."""

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        """Yield the raw result rows, failed ones too, one JSON object a row without its newline.

        Raises
        ------
        ResultsTornError
            After all rows but one, which is broken off in what the vendor keeps, and not on the way.
        TransientError
            If they were cut short: what was yielded is then not all there is.
        ResultsGoneError
            If the vendor no longer has them.
        NotOursError
            If the job, found as ``JobLookup.GUESS`` allows, is somebody else's.
        """

    def cancel(self, job: JobRef) -> None:
        """Ask the vendor to stop the job."""

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        """Return the commands by which a person can fetch the results of a job into a folder, if there are any."""

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> str | None:
        """Return the command by which a person stops a job; None if there is none. Needs neither key nor connection.

        ``engine`` is the fingerprint that was recorded when the job was created.
        """

    @staticmethod
    def emulated(instance: Instance, url: str, key: str, account: str) -> tuple[Instance, Mapping[str, str]]:
        """Return with what ``open`` leads to a local emulator: an instance, and an environment that is all it needs.

        The environment of an engine of this process is empty.

        Raises
        ------
        ConfigError
            If the emulator does not speak this vendor's API.
        """

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        """Read one raw row; needs neither key nor connection.

        Raises
        ------
        ValueError
            If the row is not one that this provider writes.
        """

    def close(self) -> None:
        """Free what the adapter holds."""
