"""A plain HTTP client of the emulator for tests: each call once, nothing retried, nothing hidden."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

MODEL = "accounts/fireworks/models/small"
TERMINAL = {"COMPLETED", "FAILED", "EXPIRED", "EARLY_STOPPED", "CANCELLED"}


def chat_row(name: str, text: str = "What is it?", **body: Any) -> dict[str, Any]:
    """Return one input row."""
    return {"custom_id": name, "body": {"messages": [{"role": "user", "content": text}], **body}}


def jsonl(rows: Iterable[Any]) -> bytes:
    """Return rows as a file."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@dataclass
class EmulatorClient:
    """Calls to one emulator; ids are new in each test."""

    url: str
    key: str = "emulator-key"
    account: str = "emulator"
    http: httpx.Client = field(init=False)
    plain: httpx.Client = field(init=False)
    """Without a key: for signed URLs and the control API."""
    numbers: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=f"{self.url}/v1/accounts/{self.account}/",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=20,
        )
        self.plain = httpx.Client(timeout=20)

    def close(self) -> None:
        self.http.close()
        self.plain.close()

    def new(self, prefix: str = "x") -> str:
        """Return an id that was not used before."""
        return f"{prefix}-{next(self.numbers)}"

    # --- the API, call by call -------------------------------------------------------------------------------------

    def post_dataset(self, name: str, count: int = 1) -> httpx.Response:
        body = {"datasetId": name, "dataset": {"exampleCount": str(count), "userUploaded": {}}}
        return self.http.post("datasets", json=body)

    def post_upload(self, name: str, content: bytes) -> httpx.Response:
        return self.http.post(f"datasets/{name}:upload", files={"file": ("in.jsonl", content)})

    def post_job(self, name: str | None, dataset: str, **spec: Any) -> httpx.Response:
        body = {"model": MODEL, "inputDatasetId": f"accounts/{self.account}/datasets/{dataset}", **spec}
        query = {} if name is None else {"batchInferenceJobId": name}
        return self.http.post("batchInferenceJobs", params=query, json=body)

    def get_job(self, name: str) -> httpx.Response:
        return self.http.get(f"batchInferenceJobs/{name}")

    def get_dataset(self, name: str) -> httpx.Response:
        return self.http.get(f"datasets/{name}")

    # --- what tests need again and again ---------------------------------------------------------------------------

    def dataset(self, rows: int | Iterable[Any] = 2, *, content: bytes | None = None, count: int | None = None) -> str:
        """Make a data set with rows and return its id."""
        found = [chat_row(f"r{n}", f"What is number {n}?") for n in range(rows)] if isinstance(rows, int) else [*rows]
        name = self.new("in")
        made = self.post_dataset(name, len(found) if count is None else count)
        assert made.status_code == 200, made.text
        put = self.post_upload(name, jsonl(found) if content is None else content)
        assert put.status_code == 200, put.text
        return name

    def job(self, dataset: str | None = None, **spec: Any) -> str:
        """Make a job and return its id; its output data set is ``out-`` and that."""
        name = self.new("job")
        made = self.post_job(name, dataset or self.dataset(), **{"outputDatasetId": f"out-{name}", **spec})
        assert made.status_code == 200, made.text
        return name

    def states(self, name: str, most: int = 40) -> list[str]:
        """Poll a job to its end and return its states, without their prefix."""
        seen: list[str] = []
        for _ in range(most):
            seen.append(self.get_job(name).json()["state"].removeprefix("JOB_STATE_"))
            if seen[-1] in TERMINAL:
                break
        return seen

    def urls(self, dataset: str, **query: str) -> dict[str, str]:
        """Return the signed URLs of a data set by file name."""
        reply = self.http.get(f"datasets/{dataset}:getDownloadEndpoint", params=query)
        assert reply.status_code == 200, reply.text
        found: dict[str, str] = reply.json()["filenameToSignedUrls"]
        return found

    def file(self, dataset: str, name: str = "BIJOutputSet.jsonl") -> bytes:
        """Return a file of a data set."""
        reply = self.plain.get(self.urls(dataset)[f"dataset/{dataset}/{name}"])
        assert reply.status_code == 200, reply.text
        return reply.content

    def results(self, job: str) -> list[dict[str, Any]]:
        """Run a job to its end and return its result rows."""
        self.states(job)
        return [json.loads(line) for line in self.file(f"out-{job}").splitlines()]

    # --- the control API -------------------------------------------------------------------------------------------

    def fault(self, name: str, operation: str, **options: Any) -> None:
        """Set a rule."""
        reply = self.plain.post(f"{self.url}/__emu/faults", json=[{"fault": name, "operation": operation, **options}])
        assert reply.status_code == 200, reply.text

    def fired(self) -> list[int]:
        """Return how often each rule has fired."""
        return [rule["fired"] for rule in self.plain.get(f"{self.url}/__emu/faults").json()["rules"]]

    def clear_faults(self) -> None:
        self.plain.delete(f"{self.url}/__emu/faults").raise_for_status()

    def ledger(self, operation: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
        """Return the accepted side effects, of one operation and on one object."""
        rows = self.plain.get(f"{self.url}/__emu/ledger").json()["rows"]
        return [row for row in rows if operation in (None, row["operation"]) and name in (None, row["id"])]

    def advance(self, seconds: float) -> None:
        self.plain.post(f"{self.url}/__emu/clock", json={"advance": seconds}).raise_for_status()


def text_of(row: dict[str, Any]) -> Any:
    """Return the text of a result row."""
    return row["response"]["choices"][0]["message"]["content"]
