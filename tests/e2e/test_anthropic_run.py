"""Whole trials by Anthropic's message batches, on the emulator: bought once, salvaged, priced, and dry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pytest

from tests.support.anthropic_run import MODEL, PRICE, batches, bought_once, trial_on_anthropic
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_fixtures import process
from tests.support.hosted_run import HostedProject, leaks
from tests.support.project import Project

__all__ = ["process"]


@pytest.fixture
def hosted(process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostedProject]:
    yield trial_on_anthropic(tmp_path, process, monkeypatch)
    process.clear_faults()


def test_a_trial_is_answered_priced_and_reported_without_writing_its_key(hosted: HostedProject) -> None:
    outcome = hosted.run("--to_step", "report")
    assert outcome.code == 0, outcome.err
    bought_once(hosted)
    (trial,) = hosted.manifests()
    assert trial.engine["api_version"] == "2023-06-01"
    assert set(hosted.table().column("error").to_pylist()) == {None}
    assert not leaks(hosted.project.root / "experiments", outcome.out, outcome.err)
    again = hosted.run("--to_step", "report", "--resume")
    assert "nothing was left to do" in again.out + again.err
    assert len(batches(hosted)) == len(hosted.intents())


def test_a_dry_run_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    project = Project.make(tmp_path)
    model = {"id": MODEL, "cache_prompt": "1h"}
    project.write_config({"provider": "anthropic", "pricing": {}, "models": {"m1": model}})
    outcome = project.run("--dry_run")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("variant", "options"),
    [("reset", {}), ("error", {"status": 500}), ("error", {"status": 529})],
    ids=["reset", "500", "529 of its own"],
)
def test_a_batch_created_without_an_answer_is_not_paid_for_twice(
    hosted: HostedProject, variant: str, options: dict[str, int]
) -> None:
    hosted.emulator.fault("F5", "create_batch", variant=variant, count=-1, **options)
    outcome = hosted.run()
    assert outcome.code == 0, outcome.err
    bought_once(hosted)
    hosted.emulator.clear_faults()
    assert set(hosted.table().column("error").to_pylist()) == {None}


def test_a_temporarily_hidden_batch_is_found_before_it_counts_as_lost(hosted: HostedProject) -> None:
    hosted.emulator.fault("F5", "create_batch", nth=2)
    hosted.emulator.fault("F7", "create_batch", nth=2, delay_s=20.0)
    assert hosted.run().code == 0
    bought_once(hosted)


def test_expired_requests_are_sent_again_once_and_costs_count_each_answer_once(
    hosted: HostedProject,
) -> None:
    assert hosted.run("--to_step", "costs").code == 0
    whole, rows = json.loads((hosted.results() / "costs.json").read_text()), len(hosted.table())
    before = {batch["id"] for batch in batches(hosted)}
    first = hosted.table()
    hosted.emulator.fault("F10", "create_batch", variant="expired", share=0.6)
    assert hosted.run("--to_step", "costs", run_id="second").code == 0
    bought = [batch for batch in batches(hosted) if batch["id"] not in before]
    (expired, *_), parts = bought, len(before)
    again = [batch["facts"]["rows"] for batch in bought[parts:]]
    assert again == [expired["facts"]["rows"] - round(0.6 * expired["facts"]["rows"])]
    assert sum(batch["facts"]["rows"] for batch in bought) == rows + again[0]
    second = json.loads((hosted.results("second") / "costs.json").read_text())
    assert {key: second[key] for key in ("requests", "answered", "prompt_tokens", "usd")} == {
        key: whole[key] for key in ("requests", "answered", "prompt_tokens", "usd")
    }
    assert hosted.table("second").column("response_text") == first.column("response_text")


def test_a_temperature_above_one_is_refused_before_anything_is_sent(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted = trial_on_anthropic(tmp_path, process, monkeypatch, {"temps": [1.5]})
    outcome = hosted.run()
    assert outcome.code != 0
    assert "above 1, the highest that Anthropic takes" in outcome.err
    assert "provider_default" in outcome.err
    assert batches(hosted) == []


def test_cached_tokens_are_costed_per_arm_in_their_own_column(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {**PRICE, "cached_input_per_million": 0.1, "cache_write_per_million": 2.0}
    changes = {
        "models": {"m1": {"id": MODEL, "cache_prompt": "1h"}},
        "pricing": {"anthropic": {"batch_discount": 0.5, "models": {"m1": rates}}},
    }
    hosted = trial_on_anthropic(tmp_path, process, monkeypatch, changes)
    assert hosted.run("--to_step", "report").code == 0
    costs = json.loads((hosted.results() / "costs.json").read_text())
    table = hosted.table()
    for arm in ("control", "treatment"):
        rows = table.filter(pc.equal(table.column("condition"), arm))
        prompt, answer, read, written = (
            pc.sum(rows.column(name)).as_py()
            for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens")
        )
        cost = costs["conditions"][arm]
        assert read > 0 < written
        assert cost["cache_read_usd"] == pytest.approx(read * 0.1 / 2e6)
        assert cost["cache_write_usd"] == pytest.approx(written * 2.0 / 2e6)
        plain = (prompt - read - written) * 1.0 + answer * 2.0
        assert cost["usd"] == pytest.approx(plain / 2e6 + cost["cache_read_usd"] + cost["cache_write_usd"])
    report = (hosted.results().parent / "reports/details.md").read_text()
    assert "were written to a cache; they account for" in report


def test_without_a_cache_the_table_has_no_column_for_it(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "costs").code == 0
    assert "cache_write_tokens" not in hosted.table().column_names
    assert "cache_write_tokens" not in json.loads((hosted.results() / "costs.json").read_text())


def test_thinking_is_kept_separately_and_billed_as_output(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"id": MODEL, "thinking_budget": 1024, "cache_prompt": "5m"}
    hosted = trial_on_anthropic(tmp_path, process, monkeypatch, {"models": {"m1": model}, "temps": [1.0]})
    assert hosted.run("--to_step", "costs").code == 0
    table = hosted.table()
    assert table.column_names[-3:] == ["reasoning_tokens", "reasoning", "cache_write_tokens"]
    assert all(table.column("reasoning").to_pylist())
    thought, answers = (pc.sum(table.column(name)).as_py() for name in ("reasoning_tokens", "completion_tokens"))
    assert 0 < thought < answers
    costs = json.loads((hosted.results() / "costs.json").read_text())
    assert costs["completion_tokens"] == answers


def test_a_trial_by_live_requests_needs_no_batch(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"anthropic": {"type": "anthropic", "mode": "live", "base_url": process.url}}
    hosted = trial_on_anthropic(tmp_path, process, monkeypatch, {"providers": where})
    outcome = hosted.run("--to_step", "costs")
    assert outcome.code == 0, outcome.err
    assert batches(hosted) == []
    table = hosted.table()
    assert len(hosted.emulator.ledger("message")) == len(table)
    assert set(table.column("error").to_pylist()) == {None}
