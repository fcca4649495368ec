"""A run that is asked in waves: questions in clusters, and a provider whose arms differ by a known effect."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.providers.request_rows import RequestRow
from promptrial.store.look_records import LookRecord, read_looks
from tests.support import fake_provider
from tests.support.project import Project

SLUG_GLOB = "*/results"
TREATMENT_WORDS = "Be accurate."


def questions(project: Project, n: int, cluster: int = 1) -> None:
    """Write so many questions, of which each ``cluster`` that follow one another belong together."""
    rows = [
        {"id": f"c{at}", "question": f"Question {at}?", "answers": ["Paris"]}
        | ({"group": f"g{at // cluster}"} if cluster > 1 else {})
        for at in range(n)
    ]
    path = project.root / "config" / "closed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def configured(project: Project, stopping: dict[str, Any] | None, *, cluster: int = 1, **changes: Any) -> None:
    """Write the configuration of such a run."""
    dataset: dict[str, Any] = {"format": "custom", "path": "closed.jsonl"}
    if cluster > 1:
        dataset["columns"] = {"cluster": "group"}
    project.write_config(
        {
            "datasets": {"closed_set": dataset},
            "parts_per_dataset": None,
            "lines_per_part": 20,
            "stopping": stopping,
            "scorers": {"em": {"type": "exact_match"}},
        }
        | changes
    )


def answering(monkeypatch: pytest.MonkeyPatch, control: float, treatment: float) -> None:
    """Let the arms be right in these shares of their answers, by a hash of the request."""

    def answer(row: RequestRow) -> bytes:
        text = "".join(message.content for message in row.body.messages)
        share = treatment if TREATMENT_WORDS in text else control
        drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32
        return msgspec.json.encode({"custom_id": row.custom_id, "text": "Paris" if drawn < share else "Rome",
                                    "tokens": 5})  # fmt: skip

    monkeypatch.setattr(fake_provider, "answer", answer)


def looks(project: Project, run_id: str = "r") -> tuple[LookRecord, ...]:
    """Return the looks of the run's one trial."""
    (results,) = project.run_root(run_id).glob(SLUG_GLOB)
    return read_looks(results)


def significance(project: Project, run_id: str = "r") -> dict[str, Any]:
    (path,) = project.run_root(run_id).glob("*/results/significance.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def asked() -> Counter[str]:
    """Return how often each request was asked in this process."""
    return fake_provider.CALLS


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
