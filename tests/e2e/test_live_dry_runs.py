"""Dry runs of live providers: the emulator knows whose question each request asks, and what model it is for."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.project import Project


@pytest.mark.parametrize("preset", ["vllm", "openai"])
def test_a_live_dry_run_is_answered_by_the_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    project = Project.make(tmp_path)
    project.write_config(
        {
            "providers": {"here": {"type": preset, "mode": "live"}},
            "provider": "here",
            "models": {"m1": {"id": "some-model"}},
            "limit_items": 3,
            "pricing": None,
        }
    )
    outcome = project.run("--dry_run")
    assert outcome.code == 0, outcome.out + outcome.err
    rows = pq.read_table(project.trial_folder() / "results" / "predictions.parquet").to_pylist()
    assert rows
    assert all(row["error"] is None and row["response_text"] for row in rows)
