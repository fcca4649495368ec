"""What is known of one part of a run: its status, each attempt to have it answered, and what that was billed."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

import msgspec

from promptrial.documents.amounts import Count, UsdAmount
from promptrial.registry import PartState

__all__ = [
    "IN_DOUBT",
    "BilledTokens",
    "FileRecord",
    "Intent",
    "PartRecord",
    "PartStatus",
    "ReusedAnswers",
    "ReusedFrom",
    "listed",
    "set_or_none",
]

PartStatus = Literal[
    "pending",
    "submitting",
    "submitted",
    "running",
    "completed",
    "downloaded",
    "failed",
    "expired",
    "cancelled",
    "unknown",
]
IN_DOUBT: Final[frozenset[PartStatus]] = frozenset({"submitting", "unknown"})
"""With these it is not known whether there is a job."""
_Value = TypeVar("_Value")


class FileRecord(msgspec.Struct, frozen=True):
    """What a file was when it was committed: SHA-256 (hex), size in bytes, and rows where it has rows."""

    sha256: str
    size: Count
    rows: Count | None = None


class BilledTokens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tokens that answers report, which is what a vendor bills: sums over ``rows``, error rows included.

    ``cached`` and ``cache_write`` are part of the prompt tokens. ``unknown`` counts the rows that report none.

    Raises
    ------
    ValueError
        If more rows report none than there are.
    """

    rows: Count = 0
    prompt: Count = 0
    completion: Count = 0
    cached: Count = 0
    cache_write: Count = 0
    unknown: Count = 0

    def __post_init__(self) -> None:
        if self.unknown > self.rows:
            raise ValueError(f"the tokens of {self.unknown} of {self.rows} rows are unknown")

    @property
    def answered(self) -> int:
        """How many rows say what they took."""
        return self.rows - self.unknown


class ReusedFrom(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sealed part of another run from which answers were taken over, and how many.

    ``requests_sha256`` and ``results_sha256`` are its files as they were sealed. ``asked_at`` is when its oldest
    answer was asked for, in UTC; empty if that is not known.
    """

    run_id: str
    trial: str
    part: str
    rows: Count
    requests_sha256: str
    results_sha256: str
    asked_at: str = ""


class ReusedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that another run has paid for: when they were taken over, in UTC, and from where."""

    at: str
    sources: tuple[ReusedFrom, ...]

    @property
    def rows(self) -> int:
        """How many they are."""
        return sum(source.rows for source in self.sources)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to have requests answered by a job that may cost money: what was meant, and what became of it.

    ``key`` is what we sent with the job, so that it can be found by it; ``job`` is what the vendor calls it, and is
    here once that is known. ``asked_at`` is when it was first asked for, in seconds since 1970, where the vendor's
    jobs are searched by that; ``refused`` whether its last call was, where a job can only be guessed.
    ``estimated_usd`` is the estimated cost when the attempt was decided on, None without a price; ``reserved_usd`` what
    it could cost at most, and ``began`` when that was, in UTC. ``billed`` is what its answers report, once they are
    here. ``results`` is the file of its answers as they came, ``engine`` who was asked. ``reused`` says from where its
    answers were taken, if they were paid for by another run: no job was made then. ``in_flight`` is how many requests
    that are asked one by one a process may have in flight, and 0 once it has none.
    """

    key: str
    attempt: int
    status: PartStatus
    request_sha256: str | None = None
    rows: Count | None = None
    estimated_usd: UsdAmount | None = None
    dataset: str | None = None
    job: str | None = None
    results: FileRecord | None = None
    reason: str | None = None
    engine: dict[str, Any] | None = None
    asked_at: float | msgspec.UnsetType = msgspec.UNSET
    refused: bool | msgspec.UnsetType = msgspec.UNSET
    reserved_usd: UsdAmount | msgspec.UnsetType = msgspec.UNSET
    began: str | msgspec.UnsetType = msgspec.UNSET
    billed: BilledTokens | msgspec.UnsetType = msgspec.UNSET
    reused: ReusedAnswers | msgspec.UnsetType = msgspec.UNSET
    in_flight: Count | msgspec.UnsetType = msgspec.UNSET


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one part: its status, what was sent and what came back.

    ``intents`` is its ledger of spending, oldest first; a part that is answered by this process has none. ``live`` is
    that of a part whose requests are asked one by one: the first is of all of its requests. Others, of status
    ``expired``, are of answers that were lost and asked for again, and of requests that may have been billed though no
    answer came. ``lost`` is true while answers that were paid for are unavailable, so that only ``--rebuy`` settles it.
    """

    status: PartStatus = "pending"
    resume_key: str
    attempt: int = 1
    request_sha256: str | None = None
    dataset: str | None = None
    job: str | None = None
    results: FileRecord | None = None
    reason: str | None = None
    intents: tuple[Intent, ...] = ()
    lost: bool | msgspec.UnsetType = msgspec.UNSET
    live: tuple[Intent, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def ledger(self) -> tuple[Intent, ...]:
        """All that answers were paid for by, oldest first: its jobs, or its requests that were asked one by one.

        Answers that were taken over from other runs are there, too.
        """
        return self.intents if isinstance(self.live, msgspec.UnsetType) else self.intents + self.live

    @property
    def attempts(self) -> tuple[Intent, ...]:
        """Its intents to have requests answered: answers that were taken over from other runs are none."""
        return tuple(intent for intent in self.intents if not isinstance(intent.reused, ReusedAnswers))

    @property
    def reused(self) -> tuple[ReusedAnswers, ...]:
        """The answers to its present requests that were taken over from other runs."""
        own = (intent.reused for intent in self.intents if intent.request_sha256 == self.request_sha256)
        return tuple(each for each in own if isinstance(each, ReusedAnswers))

    def reached(self, state: PartState) -> bool:
        """Whether it is submitted (a job is named, and its creation not in doubt), or downloaded."""
        if state == "downloaded":
            return self.status == "downloaded"
        return self.job is not None and self.status != "submitting"


def listed(values: list[_Value] | msgspec.UnsetType) -> list[_Value]:
    """Return a list that a record may lack; empty where it does."""
    return [] if isinstance(values, msgspec.UnsetType) else values


def set_or_none(value: _Value | msgspec.UnsetType) -> _Value | None:
    """Return a value that a record may lack; None where it does."""
    return None if isinstance(value, msgspec.UnsetType) else value
