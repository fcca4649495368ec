"""What the tests of the vendors' own SDKs share: running one in its own process, and comparing its calls with ours."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from promptrial.model import Completion, Message, ModelSpec, Request, RequestId, Sampling
from promptrial.providers.base import BatchProvider, JobState, PartPayload
from promptrial.providers.request_rows import decode_request_row, encode_request_row

__all__ = [
    "PINNED",
    "ROWS",
    "Seen",
    "about_content",
    "differing",
    "distinct",
    "done_by_ours",
    "installed",
    "make_payload",
    "requests_seen",
    "run_sdk",
    "told",
]

_ROOT: Final = Path(__file__).parents[2]
_CONSTRAINTS: Final = (_ROOT / "tests/contract/sdk-constraints.txt").read_text()
PINNED: Final = dict(line.split("==") for line in _CONSTRAINTS.splitlines() if "==" in line)
"""The version of each package of the SDKs' environment."""
ROWS: Final = 3
"""How many requests the part has that both clients carry out."""
Seen = dict[str, Any]
"""A request that the emulator saw."""
_Call = TypeVar("_Call", bound=Hashable)


def installed(package: str) -> bool:
    """Return whether ``make sdk`` has installed an SDK."""
    return bool([*_ROOT.glob(f".venv-sdk/lib/*/site-packages/{package}")])


def run_sdk(
    child: str, plan: Mapping[str, Any], env: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Have an SDK carry out a plan; ``child`` is the script in this folder that drives it."""
    return subprocess.run(
        [_ROOT / ".venv-sdk/bin/python", _ROOT / "tests/support" / child], input=json.dumps(plan), capture_output=True,
        text=True, check=False, timeout=100, cwd=folder, env={"PATH": os.environ["PATH"], **env},
    )  # fmt: skip


def told(outcome: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what an SDK made of the answers."""
    assert outcome.returncode == 0, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def requests_seen(url: str) -> list[Seen]:
    """Return the requests that an emulator saw."""
    rows: list[Seen] = httpx.get(f"{url}/__emu/requests").raise_for_status().json()["rows"]
    return rows


def make_payload(folder: Path, model: ModelSpec, sampling: Sampling) -> PartPayload:
    """Return a part of a few requests, in a file."""
    messages = (Message("system", "Be brief."), Message("user", "What is it?"))
    ids = [RequestId("mine", f"q{number}", "control", "0.7", 0, "closed") for number in range(ROWS)]
    lines = [encode_request_row(Request(each, messages, sampling)) for each in ids]
    content = b"".join(line + b"\n" for line in lines)
    path = folder / "requests.jsonl"
    path.write_bytes(content)
    return PartPayload(
        key="pt-1-a1", dataset_key="pt-1", model=model, path=path, rows=ROWS, size=len(content),
        sha256=hashlib.sha256(content).hexdigest(), requests=lambda: (decode_request_row(line) for line in lines),
    )  # fmt: skip


def done_by_ours(provider: BatchProvider, payload: PartPayload) -> list[Completion]:
    """Do for a part what the queue does, from the check to the end; then cancel its job, which has ended."""
    provider.check(payload.model)
    payload = replace(payload, staged=provider.stage(payload).name)
    assert provider.find(payload) is None
    job = provider.submit(payload)
    while provider.status(job).state is JobState.WORKING:
        pass
    found = [provider.parse_row(line) for line in provider.results(job, payload)]
    provider.cancel(job)
    return found


def distinct(rows: Iterable[Seen], call: Callable[[Seen], _Call]) -> dict[_Call, Seen]:
    """Return each call once, in the order of its first time: how often a client asks for a state is its own affair."""
    found: dict[_Call, Seen] = {}
    for row in rows:
        found.setdefault(call(row), row)
    return found


def about_content(row: Seen) -> dict[str, str]:
    """Return the headers about content, of the request and of the wanted answer."""
    names = ("accept", "accept-encoding", "content-encoding", "content-type")
    return {name: row["headers"][name] for name in names if name in row["headers"]}


def differing(pairs: Iterable[tuple[Mapping[str, str], Mapping[str, str]]]) -> set[str]:
    """Return the names of the headers that differ in any pair."""
    return {name for one, other in pairs for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
