"""A plain HTTP client of the emulator's OpenAI API for tests: each call once, nothing retried, nothing hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.emulator_client import jsonl

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MODEL = "gpt-small"
FINISHED = {"completed", "failed", "expired", "cancelled"}


def chat_body(text: str = "What is it?", **more: Any) -> dict[str, Any]:
    """Return the body of a chat completion."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def batch_row(name: str, text: str = "What is it?", *, url: str = CHAT, **more: Any) -> dict[str, Any]:
    """Return one input row."""
    body = chat_body(text, **more) if url.endswith("completions") else {"model": MODEL, "input": text, **more}
    return {"custom_id": name, "method": "POST", "url": url, "body": body}


def batch_rows(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return input rows ``r0``, ``r1`` ..."""
    return [batch_row(f"r{n}", f"What is number {n}?", **more) for n in range(count)]


@dataclass
class OpenAiClient:
    """Calls to one emulator."""

    url: str
    key: str = "emulator-key"
    prefix: str = ""
    headers: Mapping[str, str] | None = None
    http: httpx.Client = field(init=False)
    plain: httpx.Client = field(init=False)
    """Without a key: for the control API and ``/health``."""

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"} if self.headers is None else self.headers
        self.http = httpx.Client(base_url=f"{self.url}{self.prefix}/v1/", headers=headers, timeout=20)
        self.plain = httpx.Client(base_url=self.url, timeout=20)

    def close(self) -> None:
        self.http.close()
        self.plain.close()

    # --- the API, call by call -------------------------------------------------------------------------------------

    def post_file(self, content: bytes, name: str = "in.jsonl", **fields: str) -> httpx.Response:
        return self.http.post("files", data={"purpose": "batch", **fields}, files={"file": (name, content)})

    def post_batch(self, file: str, **spec: Any) -> httpx.Response:
        body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h", **spec}
        return self.http.post("batches", json=body)

    def get_batch(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = ok(self.http.get(f"batches/{name}"))
        return found

    def content(self, name: str) -> bytes:
        reply = self.http.get(f"files/{name}/content")
        assert reply.status_code == 200, reply.text
        return reply.content

    # --- what tests need again and again ---------------------------------------------------------------------------

    def file(self, rows: int | Iterable[Any] = 2, **fields: str) -> str:
        """Upload rows and return the file's id."""
        found = batch_rows(rows) if isinstance(rows, int) else rows
        return str(ok(self.post_file(jsonl(found), **fields))["id"])

    def batch(self, rows: int | Iterable[Any] = 2, **spec: Any) -> str:
        """Create a batch of rows and return its id."""
        return str(ok(self.post_batch(self.file(rows), **spec))["id"])

    def states(self, name: str, most: int = 40) -> list[str]:
        """Poll a batch to its end and return its states."""
        seen: list[str] = []
        for _ in range(most):
            seen.append(self.get_batch(name)["status"])
            if seen[-1] in FINISHED:
                break
        return seen

    def ended(self, rows: int | Iterable[Any] = 2, **spec: Any) -> dict[str, Any]:
        """Run a batch to its end and return it."""
        name = self.batch(rows, **spec)
        self.states(name)
        return self.get_batch(name)

    def rows(self, file: str | None) -> dict[str, dict[str, Any]]:
        """Return the rows of a file by their id; none if there is no file."""
        lines = self.content(file).splitlines() if file else []
        return {row["custom_id"]: row for row in map(json.loads, lines)}

    # --- the control API -------------------------------------------------------------------------------------------

    def fault(self, name: str, operation: str, **options: Any) -> None:
        """Set a rule."""
        ok(self.plain.post("/__emu/faults", json={"fault": name, "operation": operation, "api": "openai", **options}))

    def clear_faults(self) -> None:
        ok(self.plain.delete("/__emu/faults"))

    def ledger(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the accepted side effects, of one operation."""
        rows: list[dict[str, Any]] = ok(self.plain.get("/__emu/ledger"))["rows"]
        return [row for row in rows if operation in (None, row["operation"])]

    def advance(self, seconds: float) -> None:
        ok(self.plain.post("/__emu/clock", json={"advance": seconds}))


def ok(reply: httpx.Response) -> Any:
    """Return the body of an answer that must be a success."""
    assert reply.status_code == 200, reply.text
    return reply.json()


def error_of(reply: httpx.Response) -> tuple[int, str | None, str | None]:
    """Return status, code and field of an error, whose shape is checked."""
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return reply.status_code, error["code"], error["param"]


def text_of(row: dict[str, Any]) -> Any:
    """Return the text of a row of chat completions."""
    return row["response"]["body"]["choices"][0]["message"]["content"]
