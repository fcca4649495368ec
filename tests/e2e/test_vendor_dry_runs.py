"""Dry runs at vendors by their presets: the emulator knows whose question a request asks, and what model it is for."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.project import Project

LIVE = {"mode": "live"}


@pytest.mark.parametrize(
    "provider",
    [
        {"type": "vllm", **LIVE},
        {"type": "openai", **LIVE},
        {"type": "groq"},
        {"type": "azure", "base_url": "https://mine.openai.azure.com/openai/v1"},
    ],
    ids=str,
)
def test_a_dry_run_is_answered_by_the_oracle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for key in ("OPENAI_API_KEY", "GROQ_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    project = Project.make(tmp_path)
    models = {"m1": {"id": "some-model"}}
    project.write_config(
        {"providers": {"here": provider}, "provider": "here", "models": models, "limit_items": 2, "pricing": None}
    )
    outcome = project.run("--dry_run")
    assert outcome.code == 0, outcome.out + outcome.err
    rows = pq.read_table(project.trial_folder() / "results" / "predictions.parquet").to_pylist()
    assert rows
    assert all(row["error"] is None and row["response_text"] for row in rows)
