"""PartWork: one part as the queue sees it, and what its records say about it. Reads the disk; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from promptrial import registry
from promptrial.model import ModelSpec, Part
from promptrial.model.instances import Limits
from promptrial.providers.base import BatchProvider
from promptrial.providers.request_rows import RequestRow
from promptrial.registry import PartState
from promptrial.store import breadcrumbs
from promptrial.store.asked_files import Asked, folder_apart, read_asked
from promptrial.store.breadcrumbs import Breadcrumb
from promptrial.store.part_records import (
    IN_DOUBT,
    BilledTokens,
    Intent,
    PartRecord,
    PartStatus,
    ReusedAnswers,
    set_or_none,
)
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import TrialDir

__all__ = ["PartWork"]

_OF_PROMPT = frozenset({"sha256", "asked_with"})
_WITH_JOB: frozenset[PartStatus] = frozenset({"submitted", "running", "completed", "downloaded"})


@dataclass(frozen=True, slots=True, eq=False)
class PartWork:
    """One part to be answered: where it is, who answers it, and its requests (a fresh iterator a call).

    ``request_sha256`` is the digest of what is asked and of the model that is asked: answers are kept only as long as
    both stay the same. ``key`` is what the keys of its jobs begin with, ``limits`` those of its provider.
    ``estimate_usd`` and ``reserve_usd`` say what so many requests of so many bytes cost, about and at most; None
    without a price. ``duplicates`` are the parts of other trials that ask exactly the same: one of them is answered,
    and the others share its answers.
    """

    folder: TrialDir
    manifest: TrialManifest
    part: Part
    model: ModelSpec
    provider: Callable[[], BatchProvider]
    request_sha256: str
    key: str
    requests: Callable[[], Iterator[RequestRow]]
    estimate_usd: Callable[[int, int], float | None] = lambda _rows, _size: None
    reserve_usd: Callable[[int, int], float | None] = lambda _rows, _size: None
    limits: Limits = field(default_factory=Limits)
    duplicates: list[PartWork] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """What people call it: trial and part."""
        return f"{self.folder.slug}/{self.part.name}"

    @property
    def shard(self) -> tuple[str, float, int]:
        """What the parts of all arms that ask the same questions have in common."""
        return self.folder.slug, self.part.temp, self.part.index

    @property
    def record(self) -> PartRecord:
        """What is known of the part now."""
        return self.manifest.parts.get(self.part.name) or PartRecord(resume_key=self.part.resume_key)

    @property
    def answers_folder(self) -> Path:
        """The folder of the part's answers."""
        return self.folder.part_results(self.part.name).parent

    def folder_apart(self, request_sha256: str) -> Path:
        """Return the folder of its answers to requests of a digest while others are asked."""
        return folder_apart(self.folder.results, self.part.name, request_sha256)

    @property
    def job_note(self) -> Breadcrumb | None:
        """What the file beside the results says of the part's last job."""
        return breadcrumbs.read(self.folder.results / f"{self.part.name}{breadcrumbs.JOB_FILE}")

    @property
    def asked(self) -> Asked:
        """What is asked now, and which engine is asked."""
        sent = self.manifest.prompts.get(self.part.condition, {})
        is_sent = "tokens" in sent  # else the entry was made for a lost manifest, and says what is wanted now
        prompt: dict[str, Any] = {key: value for key, value in sent.items() if is_sent and key in _OF_PROMPT}
        return Asked(self.request_sha256, self.engine, prompt)

    @property
    def answers_are_to(self) -> str | None:
        """The digest of the requests to which the answers in its folder are, or its job is; None if nothing says it.

        The folder itself knows best: a record may be an old copy that was put back.
        """
        asked = read_asked(self.answers_folder)
        if asked is not None:
            return asked.request_sha256
        note = self.job_note if self.record.request_sha256 is None and self.hosted else None
        return self.record.request_sha256 if note is None else note.request_sha256

    @property
    def has_job(self) -> bool:
        """Whether a job was recorded for exactly these requests, and has answered them or may still do so.

        A failure of a part that this process answers is not its end: the same job continues. What the vendor called the
        job of answers that are here may be known to nobody.
        """
        record = self.record
        if record.request_sha256 != self.request_sha256 or (record.job is None and record.status != "downloaded"):
            return False
        return record.status in _WITH_JOB or (not self.hosted and record.status == "failed")

    @property
    def hosted(self) -> bool:
        """Whether the answers are computed elsewhere, in jobs that run on without this process."""
        return self.manifest.is_hosted(self.part.condition)

    @property
    def paid(self) -> bool:
        """Whether answers may cost money, so that none is asked for again unasked: they are not computed here."""
        return not registry.load("provider", self.model.adapter).local

    @property
    def engine(self) -> dict[str, Any]:
        """The engine that was asked for the arm, or is about to be."""
        return self.manifest.engine_of(self.part.condition)

    @property
    def submitted(self) -> bool:
        """Whether a job was recorded for exactly these requests, of this part or of a duplicate."""
        return self.has_job or any(duplicate.has_job for duplicate in self.duplicates)

    @property
    def duplicate_is_downloaded(self) -> bool:
        """Whether the answers are on disk already, under a duplicate."""
        return any(duplicate.downloaded for duplicate in self.duplicates)

    @property
    def downloaded(self) -> bool:
        """Whether the results of exactly these requests are on disk as they were sealed."""
        record = self.record
        if not self.has_job or record.status != "downloaded" or record.results is None:
            return False
        return not self.folder.run.file_problem(self.folder.results_name(self.part.name), record.results)

    def reached(self, state: PartState) -> bool:
        """Whether it is submitted, or downloaded."""
        return self.downloaded if state == "downloaded" else self.submitted

    @property
    def intents(self) -> tuple[Intent, ...]:
        """The attempts made for exactly these requests, oldest first."""
        return tuple(intent for intent in self.record.intents if intent.request_sha256 == self.request_sha256)

    @property
    def live(self) -> tuple[Intent, ...]:
        """What its requests were paid for by that were asked one by one, oldest first."""
        live = self.record.live
        return () if isinstance(live, msgspec.UnsetType) else live

    @property
    def sent_one_by_one(self) -> tuple[Intent, ...]:
        """The live records of exactly its requests that may have been billed, however they are answered now."""
        return tuple(each for each in self.live if each.request_sha256 == self.request_sha256 and _may_be_billed(each))

    @property
    def latest(self) -> Intent | None:
        """The last of these attempts."""
        intents = self.intents
        return intents[-1] if intents else None

    @property
    def only_reused(self) -> bool:
        """Whether it was sealed with answers of other runs alone, so that no job of it is to be looked for."""
        return self.record.status == "downloaded" and self.rows_reused > 0 and not self.record.attempts

    @property
    def rows_reused(self) -> int:
        """How many of its answers were taken over from other runs."""
        return sum(intent.reused.rows for intent in self.intents if isinstance(intent.reused, ReusedAnswers))

    @property
    def in_doubt(self) -> bool:
        """Whether the latest attempt may have a job that nobody knows of; also if others were asked in between."""
        latest = self.latest
        return latest is not None and latest.status in IN_DOUBT


def _may_be_billed(intent: Intent) -> bool:
    """Whether an answer came to one of some requests that were sent one by one, or may have."""
    came = not isinstance(intent.billed, BilledTokens) or intent.billed.rows > 0
    return came or bool(set_or_none(intent.in_flight))
