"""The prices of a run: looked up once, kept in its folder, archived with it, and never others in silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptrial.costs import catalogue
from promptrial.documents import kept_prices
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice
from promptrial.engine import kept_prices as keeping
from tests.support.doctor import findings, obey
from tests.support.project import Project

GPT = {"m1": "openai/gpt-4o-mini"}
LIVE = {"openai": {"type": "openai", "mode": "live"}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished dry run of a model that the configuration does not price."""
    root = tmp_path_factory.mktemp("finished")
    project = Project.make(root)
    project.write_config(
        {
            "provider": "openai",
            "providers": LIVE,
            "models": GPT,
            "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
            "task_instructions": {"closed_book": "closed.txt"},
            "limit_items": 4,
            "parts_per_dataset": 1,
            "pricing": None,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        outcome = project.run("--dry_run")
    assert outcome.code == 0, outcome.err
    return root


@pytest.fixture
def priced(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the finished run, with its folder as the current one."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return Project(tmp_path / "copy")


def prices_path(project: Project) -> Path:
    return project.run_root() / "prices.json"


def kept(project: Project) -> tuple[KeptPrice, ...]:
    return kept_prices.decode(prices_path(project).read_bytes())


def costs(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.trial_folder() / "results/costs.json").read_bytes())
    return found


def write_models(project: Project, models: dict[str, Any], **changes: Any) -> None:
    import yaml

    config = yaml.safe_load(project.config.read_text())
    project.config.write_text(yaml.safe_dump(config | {"models": models} | changes))


def list_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another version of the price list be installed, with other prices."""
    monkeypatch.setattr(catalogue, "_source", lambda: "genai-prices 99.0")
    monkeypatch.setattr(
        keeping,
        "list_price",
        lambda purchase, vendor, at: KeptPrice(
            provider=purchase.provider,
            id=purchase.id,
            vendor=vendor,
            terms=purchase.terms,
            looked_up=at.date().isoformat(),
            price=Price(input_per_million=777.0, output_per_million=777.0, batch_discount=0.0, source="new"),
        ),
    )


def test_a_new_run_keeps_the_price_and_its_costs_and_report_name_the_source(priced: Project) -> None:
    (entry,) = kept(priced)
    assert (entry.provider, entry.id, entry.vendor, entry.terms) == ("openai", "gpt-4o-mini", "openai", ())
    price = costs(priced)["price"]
    assert price["source"] == catalogue._source()
    assert price["dated"] <= entry.looked_up
    cost = costs(priced)["conditions"]["control"]
    full = cost["prompt_tokens"] * price["input_per_million"] + cost["completion_tokens"] * price["output_per_million"]
    saved = (cost["cached_tokens"] or 0) * (price["input_per_million"] - price["cached_input_per_million"])
    assert cost["usd"] == pytest.approx((full - saved) / 1e6)
    report = priced.details()
    assert f"Source: {catalogue._source()}, latest price dated {price['dated']}." in report


def test_a_resume_uses_the_kept_prices_whatever_list_is_installed(
    priced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_changes(monkeypatch)
    before = priced.snapshot()
    outcome = priced.run("--resume")
    assert outcome.code == 0, outcome.err
    after = priced.snapshot()
    assert {path for path in before if before[path] != after[path]} <= {"run.log", ".state.lock"}
    (priced.trial_folder() / "results/costs.json").unlink()
    assert priced.run("--resume").code == 0
    assert priced.snapshot()[f"{priced.trial_folder().name}/results/costs.json"] == before[
        f"{priced.trial_folder().name}/results/costs.json"
    ]  # fmt: skip


def test_a_run_that_kept_no_prices_is_left_unpriced(priced: Project) -> None:
    """A run of an earlier version, which neither state nor trials say a word of prices."""
    prices_path(priced).unlink()
    for path in (priced.run_root() / "run_state.json", priced.trial_folder() / "results/trial_manifest.json"):
        record = json.loads(path.read_text())
        record.get("origin", record).pop("prices_kept")
        path.write_text(json.dumps(record))
    assert priced.run("--resume").code == 0
    assert costs(priced)["usd"] is None
    assert not prices_path(priced).exists()
    before = priced.snapshot()
    assert priced.run("--resume").code == 0
    assert priced.snapshot() | {"run.log": "", ".state.lock": ""} == before | {"run.log": "", ".state.lock": ""}


@pytest.mark.parametrize("damage", ["lost", "torn", "changed", "not JSON"])
def test_lost_or_damaged_prices_are_refused_and_looked_up_again_only_by_force(
    priced: Project, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = prices_path(priced)
    data = path.read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes({"torn": data[:-9], "changed": data.replace(b"0.15", b"0.05"), "not JSON": b"["}[damage])
    list_changes(monkeypatch)
    before = priced.snapshot()
    for command in (("run", "--run_id", "r", "--resume"), ("plan", "--run_id", "r"), ("resume", "r")):
        outcome = priced.call(*command)
        assert outcome.code == 1, outcome
        assert "prices.json: " in outcome.err
        assert "restore the file, or use today's prices: " in outcome.err
        assert "Traceback" not in outcome.err
    assert priced.snapshot() | {"run.log": "", ".state.lock": ""} == before | {"run.log": "", ".state.lock": ""}
    found = [each for each in findings(priced) if each["file"] == "prices.json"]
    assert [(each["kind"], each["severity"]) for each in found] == [("record", "error")]
    obey(priced, *found)
    assert costs(priced)["price"]["input_per_million"] == 777.0
    assert findings(priced) == []
    path.write_bytes(data)  # as the message says, too
    assert priced.run("--resume").code == 0
    assert costs(priced)["price"]["input_per_million"] == 0.15


def test_prices_lost_with_the_state_are_noticed_from_the_trials(
    priced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices_path(priced).unlink()
    (priced.run_root() / "run_state.json").unlink()
    list_changes(monkeypatch)
    refused = priced.call("resume", "r")
    assert refused.code == 1
    assert "prices.json: missing" in refused.err
    assert "promptrial resume r --force" in refused.err
    assert priced.call("resume", "r", "--force").code == 0
    assert costs(priced)["price"]["input_per_million"] == 777.0


def test_prices_of_a_newer_version_are_refused_even_by_force(priced: Project) -> None:
    path = prices_path(priced)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    for command in (("run", "--run_id", "r", "--resume", "--force"), ("plan", "--run_id", "r"), ("doctor", "r")):
        outcome = priced.call(*command)
        assert outcome.code == 3, outcome
        assert "prices.json: made by a newer version of" in outcome.err


def test_a_model_that_a_forced_change_adds_gets_its_price_then(
    priced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = kept(priced)
    write_models(priced, GPT | {"m2": "openai/gpt-4o"})
    list_changes(monkeypatch)
    outcome = priced.run("--config", str(priced.config), "--resume", "--force", "--to_step", "build")
    assert outcome.code == 0, outcome.err
    assert kept(priced)[0] == first
    assert [each.price.input_per_million for each in kept(priced) if each.price] == [0.15, 777.0]


def test_a_server_moved_by_force_does_not_keep_its_price(priced: Project) -> None:
    write_models(
        priced,
        {"m1": {"id": "gpt-4o-mini"}},
        providers={"openai": {"type": "vllm", "base_url": "http://127.0.0.1:9/v1"}},
    )
    outcome = priced.run("--config", str(priced.config), "--resume", "--force", "--to_step", "build")
    assert outcome.code == 0, outcome.err
    (entry,) = kept(priced)
    assert (entry.vendor, entry.price) == ("", None)


def test_a_self_hosted_server_gets_no_price_from_the_name_of_its_model(project: Project) -> None:
    own = {"own": {"type": "openai_compatible", "base_url": "http://127.0.0.1:9/v1"}}
    project.write_config({"provider": "own", "providers": own, "models": {"m1": {"id": "gpt-4o"}}, "pricing": None})
    assert project.run("--to_step", "build").code == 0
    (entry,) = kept(project)
    assert (entry.price, entry.why) == (None, "no price list covers its server")


def test_costs_and_report_name_an_unpriced_model_with_the_line_that_prices_it(project: Project) -> None:
    project.write_config({"pricing": None})
    project.given_run()
    assert costs(project)["priced"] is False
    said = costs(project)["unpriced"]["m1"]
    assert said.startswith("unpriced (no price list covers its server); its cost in USD is unknown, not 0")
    assert "pricing: {fake: {models: {m1: {input_per_million: USD, output_per_million: USD}}}}" in said
    assert "models.m1: unpriced (no price list" in project.details()


def test_a_priced_run_does_not_mention_unpriced_models(priced: Project) -> None:
    assert "unpriced" not in costs(priced)


def test_a_run_priced_by_its_configuration_keeps_an_empty_price_list(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "list_price", None)  # it is not asked
    assert project.run("--to_step", "build").code == 0
    assert kept(project) == ()


def test_an_interrupted_start_has_kept_the_prices_first(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptrial.engine import starting

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(starting, "load_manifests", killed)  # the configuration is written, and no state
        assert project.run("--to_step", "build").code == 130
    assert kept(project) == ()
    assert project.call("resume", "r").code == 0
    assert json.loads((project.run_root() / "run_state.json").read_text())["prices_kept"] is True


def test_an_archive_holds_the_prices_and_a_restored_run_uses_them(
    priced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = prices_path(priced).read_bytes()
    assert priced.call("archive", "r", "--to", "stored").code == 0
    assert priced.call("verify", "stored").code == 0
    list_changes(monkeypatch)
    assert priced.call("unarchive", "stored", "--run_id", "r", "--experiments_dir", "other").code == 0
    restored = priced.root / "other/run_r"
    assert (restored / "prices.json").read_bytes() == data
    outcome = priced.call("plan", "--run_id", "r", "--experiments_dir", "other")
    assert outcome.code == 0, outcome.err
    changed = data.replace(b"0.15", b"0.25")
    (priced.root / "stored/prices.json").write_bytes(changed)
    assert priced.call("verify", "stored").code != 0


def test_a_plan_before_the_run_begins_looks_prices_up_and_writes_nothing(priced: Project) -> None:
    outcome = priced.call("plan", "--run_id", "new")
    assert outcome.code == 0, outcome.err
    assert not priced.run_root("new").exists()
