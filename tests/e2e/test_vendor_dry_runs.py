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


def test_a_new_run_that_lacks_keys_names_all_of_them_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for key in ("OPENAI_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("THE_KEY", "sk-" + "nobodyshouldseethis")
    project = Project.make(tmp_path)
    elsewhere = {"type": "vllm", "base_url": "https://gpu.example.com/v1", "key": "THE_KEY"}
    models = {"m1": "openai/gpt-4o-mini", "m2": "groq/llama", "m3": "elsewhere/x"}
    project.write_config(
        {"provider": "openai", "providers": {"elsewhere": elsewhere}, "models": models, "pricing": None}
    )
    outcome = project.run()
    assert outcome.code == 2
    for said in (
        "OPENAI_API_KEY is not set",
        "GROQ_API_KEY is not set",
        "providers.elsewhere: THE_KEY would be sent to gpu.example.com",
    ):
        assert said in outcome.err
    assert not (tmp_path / "experiments").exists()
    assert project.run("--to_step", "build").code == 0, "what asks nobody needs no key"
