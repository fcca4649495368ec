"""A plain HTTP client of the emulated Anthropic API for tests: each call once, nothing retried, nothing hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.emulator_client import EmulatorClient

MODEL = "claude-haiku-4-5"
OLDER, NEWER = "2023-06-01", "2026-10-21"


def params(text: str = "What is it?", **more: Any) -> dict[str, Any]:
    """Return the parameters of a message."""
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}


def request(name: str, text: str = "What is it?", **more: Any) -> dict[str, Any]:
    """Return one request of a batch."""
    return {"custom_id": name, "params": params(text, **more)}


class AnthropicClient:
    """Calls to the Anthropic API of one emulator; ``emulator`` sets its faults and reads its ledger."""

    def __init__(self, emulator: EmulatorClient, version: str = OLDER) -> None:
        self.emulator = emulator
        self.http = httpx.Client(
            base_url=f"{emulator.url}/v1/",
            headers={"x-api-key": emulator.key, "anthropic-version": version},
            timeout=20,
        )

    def close(self) -> None:
        self.http.close()

    # --- the API, call by call -------------------------------------------------------------------------------------

    def post_batch(self, requests: int | Iterable[Any] = 2, **headers: str) -> httpx.Response:
        rows = [request(f"r{n}", f"What is number {n}?") for n in range(requests)] if isinstance(requests, int) else [
            *requests
        ]  # fmt: skip
        return self.http.post("messages/batches", json={"requests": rows}, headers=headers)

    def get(self, batch: str) -> httpx.Response:
        return self.http.get(f"messages/batches/{batch}")

    def list(self, **query: Any) -> Any:
        reply = self.http.get("messages/batches", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def cancel(self, batch: str) -> httpx.Response:
        return self.http.post(f"messages/batches/{batch}/cancel")

    def delete(self, batch: str) -> httpx.Response:
        return self.http.delete(f"messages/batches/{batch}")

    def get_results(self, batch: str) -> httpx.Response:
        return self.http.get(f"messages/batches/{batch}/results")

    def message(self, text: str = "What is it?", **more: Any) -> httpx.Response:
        return self.http.post("messages", json=params(text, **more))

    # --- what tests need again and again ---------------------------------------------------------------------------

    def batch(self, requests: int | Iterable[Any] = 2) -> str:
        """Make a batch and return its id."""
        made = self.post_batch(requests)
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    def ended(self, batch: str, most: int = 20) -> dict[str, Any]:
        """Poll a batch to its end and return it."""
        for _ in range(most):
            shown: dict[str, Any] = self.get(batch).json()
            if shown["processing_status"] == "ended":
                return shown
        raise AssertionError(f"{batch} has not ended: {shown}")

    def statuses(self, batch: str, most: int = 20) -> Iterator[str]:
        """Poll a batch to its end and yield its statuses."""
        for _ in range(most):
            yield (status := str(self.get(batch).json()["processing_status"]))
            if status == "ended":
                return

    def results(self, batch: str) -> dict[str, dict[str, Any]]:
        """Run a batch to its end and return the result of each row by its id."""
        self.ended(batch)
        reply = self.get_results(batch)
        assert reply.status_code == 200, reply.text
        rows = [json.loads(line) for line in reply.text.splitlines()]
        found = {row["custom_id"]: row["result"] for row in rows}
        assert len(found) == len(rows)
        return found

    def fault(self, name: str, operation: str, **options: Any) -> None:
        """Set a rule for this API alone."""
        self.emulator.fault(name, operation, api="anthropic", **options)

    def made(self) -> int:
        """Return how many batches the ledger has."""
        return len([row for row in self.emulator.ledger("create_batch") if row["id"].startswith("msgbatch_")])


@contextmanager
def anthropic_client(emulator: EmulatorClient, version: str = OLDER) -> Iterator[AnthropicClient]:
    """Yield a client of an emulator."""
    client = AnthropicClient(emulator, version)
    try:
        yield client
    finally:
        client.close()


def text_of(result: Mapping[str, Any]) -> str:
    """Return the text of a result that succeeded."""
    return "".join(block["text"] for block in result["message"]["content"] if block["type"] == "text")


def refusal(reply: httpx.Response) -> tuple[int, str]:
    """Return the status and the type of an error, whose envelope is checked."""
    body = reply.json()
    assert sorted(body) == ["error", "request_id", "type"]
    assert body["type"] == "error"
    assert body["request_id"] == reply.headers["request-id"]
    return reply.status_code, body["error"]["type"]
