"""A local provider for tests: answers come from a hash of the request, so they are the same in any order.

``CALLS`` counts how often each request was answered in this process; ``FAILING`` holds wire ids that end in an error
row; ``BEFORE_ROW`` holds functions that are called with each request before it is answered.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec

from promptrial.model import Completion, ModelSpec
from promptrial.model.instances import Instance
from promptrial.providers.base import JobLookup, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.request_rows import RequestRow

CALLS: Counter[str] = Counter()
FAILING: set[str] = set()
BEFORE_ROW: list[Callable[[RequestRow], None]] = []
_ANSWERS = ("I don't know.", "Paris", "the year 1912", "Unknown Pleasures", "a moving plate", "iron and oxygen")


class _Row(msgspec.Struct, omit_defaults=True):
    custom_id: str
    text: str = ""
    error: str | None = None
    tokens: int = 0
    seconds: float | None = None


class FakeProvider:
    """Answers immediately."""

    name: ClassVar[str] = "fake"
    local: ClassVar[bool] = True
    jobs: ClassVar[bool] = False
    keyed: ClassVar[bool] = True
    lookup: ClassVar[JobLookup] = JobLookup.KEY_IS_NAME
    understands: ClassVar[frozenset[str]] = frozenset({"extra_body"})

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        return cls()

    def check(self, model: ModelSpec) -> None:
        pass

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        return {"engine": "fake", "model": model.shown_id}

    def count_tokens(self, model: ModelSpec, text: str) -> int | None:
        return len(text.split())

    def stage(self, payload: PartPayload) -> Staged:
        return Staged(payload.dataset_key, ready=True)

    def find(self, payload: PartPayload) -> JobRef | None:
        return None

    def submit(self, payload: PartPayload) -> JobRef:
        return JobRef(payload.key)

    def fence(self, payload: PartPayload) -> bool:
        return True

    def status(self, job: JobRef) -> JobStatus:
        return JobStatus(JobState.READY)

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:
        for row in payload.requests():
            for hook in BEFORE_ROW:
                hook(row)
            CALLS[row.custom_id] += 1
            yield answer(row)

    def cancel(self, job: JobRef) -> None:
        pass

    def by_hand(self, job: JobRef, folder: Path) -> tuple[str, ...]:
        return ()

    @staticmethod
    def stop_by_hand(job: str, engine: Mapping[str, Any]) -> str | None:  # noqa: ARG004 - the Protocol's
        return None

    @staticmethod
    def emulated(
        instance: Instance,
        url: str,  # noqa: ARG004 - the Protocol's
        key: str,  # noqa: ARG004
        account: str,  # noqa: ARG004
    ) -> tuple[Instance, Mapping[str, str]]:
        return instance, {}

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        row = msgspec.json.decode(line, type=_Row)
        return Completion(
            row.custom_id, row.text, "stop", None, row.tokens, 3, row.tokens + 3, error=row.error, latency_s=row.seconds
        )

    def close(self) -> None:
        pass


def answer(row: RequestRow) -> bytes:
    """Return the raw row that answers a request."""
    if row.custom_id in FAILING:
        return msgspec.json.encode(_Row(row.custom_id, error="context_length: too long"))
    digest = hashlib.sha256(repr((row.body.messages, row.body.seed)).encode()).digest()
    tokens = sum(len(message.content.split()) for message in row.body.messages)
    text = _ANSWERS[digest[0] % len(_ANSWERS)] if row.schema is None else verdict(row, row.schema, digest)
    return msgspec.json.encode(_Row(row.custom_id, text, tokens=tokens))


def verdict(row: RequestRow, schema: Mapping[str, Any], digest: bytes) -> str:
    """Return the reply to a request that a judge is asked: some first replies are no verdict."""
    if digest[1] % 2 and not row.custom_id.endswith("_r"):
        return "I like it."
    properties = schema["properties"]
    values = {
        name: of["enum"][digest[0] % len(of["enum"])] if "enum" in of else "So it is."
        for name, of in properties.items()
    }
    return msgspec.json.encode(values).decode()


class PaidProvider(FakeProvider):
    """The same answers from jobs that somebody pays for."""

    local: ClassVar[bool] = False
    jobs: ClassVar[bool] = True
