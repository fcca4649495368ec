"""A cap on what a run may spend, through the command line: it holds, it is reported, and a higher one continues."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
import yaml

from promptrial.costs.reserve import reserve_usd
from promptrial.documents.cost_report import Price
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir
from tests.support.billed import dry_run_billed_usd, jobs_of_dry_run
from tests.support.hosted_run import QUICK
from tests.support.project import Project

PRICE = Price(input_per_million=2.316, output_per_million=4.632, batch_discount=0.0)
DRY = ("--dry_run", "--to_step", "parse")


def prices() -> dict[str, object]:
    rates = {"input_per_million": PRICE.input_per_million, "output_per_million": PRICE.output_per_million}
    return {"fireworks": {"models": {"m1": rates}}}


def manifest(project: Project) -> TrialManifest:
    found = RunDir(project.root / "experiments", "r").trial(project.trial_folder().name).load_manifest()
    assert found is not None
    return found


def texts(project: Project, run_id: str) -> dict[str, str]:
    """Return the text that answers each request."""
    table = pq.read_table(project.trial_folder(run_id) / "results" / "predictions.parquet")
    return dict(zip(table["custom_id"].to_pylist(), table["response_text"].to_pylist(), strict=True))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    made = Project.make(tmp_path)
    questions = ({"id": f"q{n}", "question": f"What of {n}? " + "a b c d " * 50, "answers": ["x"]} for n in range(20))
    (tmp_path / "config" / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    made.write_config(
        {
            "provider": "fireworks",
            "datasets": {"long": {"format": "custom", "path": "long.jsonl"}},
            "max_new_tokens": {"open_book": 16, "closed_book": 16},
            "models": {"m1": {"id": "accounts/fireworks/models/small"}},
            "pricing": prices(),
            "execution": QUICK,
        }
    )
    return made


def test_a_dry_run_stops_at_its_cap_and_finishes_with_a_higher_one_without_asking_twice(
    project: Project,
) -> None:
    assert project.run(*DRY, run_id="whole").code == 0
    whole = dry_run_billed_usd(project.run_root("whole"), PRICE)
    assert 0.0195 < whole < 0.0205, f"the run would cost {whole} USD without a cap"

    stopped = project.run(*DRY, "--max_cost_usd", "0.01")
    assert stopped.code == 6, stopped.err
    assert dry_run_billed_usd(project.run_root(), PRICE) <= 0.01
    assert "the cap of 0.01 USD is reached" in stopped.err
    named = re.search(r"--resume --max_cost_usd (\S+)", stopped.err)
    assert named is not None, stopped.err

    status = project.call("status", "r").out
    assert "run r: stopped at its cost cap (dry run: costs nothing), " in status
    assert "dry run, cost cap reached" in " ".join(project.call("list").out.split())
    doctor = project.call("doctor", "r")
    assert doctor.code == 0, doctor.out
    assert f"$ promptrial run --run_id r --resume --max_cost_usd {named[1]}" in doctor.out
    attempts = [intent for part in manifest(project).parts.values() for intent in part.intents]
    assert not [intent.key for intent in attempts if intent.status == "pending"], "nothing is started that does not fit"

    again = project.run(*DRY, "--resume")
    assert again.code == 6, "the cap is remembered"
    smallest = re.search(r"it needs a cap of (\S+) USD", stopped.err)
    assert smallest is not None
    higher = project.run(*DRY, "--resume", "--max_cost_usd", smallest[1])
    assert higher.code == 6, "the smallest cap that was named lets one more job go"
    jobs = jobs_of_dry_run(project.run_root())
    ended = project.run(*DRY, "--resume", "--max_cost_usd", named[1])
    assert ended.code == 0, "the command that was printed goes on to the end"
    assert len(jobs) < len(jobs_of_dry_run(project.run_root()))
    rows = sum(job["facts"]["rows"] for job in jobs_of_dry_run(project.run_root()))
    assert rows == sum(job["facts"]["rows"] for job in jobs_of_dry_run(project.run_root("whole")))
    assert dry_run_billed_usd(project.run_root(), PRICE) == pytest.approx(whole, rel=0.02)
    assert texts(project, "r") == texts(project, "whole")
    assert project.run(*DRY, "--resume").code == 0


def parts(project: Project, run_id: str = "r") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = built(project, run_id)["parts"]
    return found


def built(project: Project, run_id: str = "r") -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((project.run_root(run_id) / "batch_inputs/manifest.json").read_text())["facts"]
    return facts


def reserves(project: Project, run_id: str = "r") -> list[float]:
    """Return what each part can cost at most."""
    folder = project.run_root(run_id) / "batch_inputs"
    paths = [folder / part["trial_slug"] / f"{part['part']}.jsonl" for part in parts(project, run_id)]
    return [reserve_usd(path.read_bytes().count(b"\n"), path.stat().st_size, 16, PRICE) for path in paths]


def test_parts_are_split_so_that_none_reserves_more_than_a_tenth_of_the_cap(project: Project) -> None:
    assert project.run("--dry_run", "--to_step", "build", "--max_cost_usd", "0.1").code == 0
    assert len(parts(project)) >= 8
    assert max(reserves(project)) <= 0.01
    arms = [[(part["start"], part["stop"]) for part in parts(project) if part["condition"] == arm]
            for arm in ("control", "treatment")]  # fmt: skip
    assert arms[0] == arms[1]
    assert max(part["rows"] for part in parts(project)) > 1
    assert built(project)["cut_usd"] == 0.01


def test_another_cap_does_not_change_parts_that_were_built(project: Project) -> None:
    assert project.run("--dry_run", "--to_step", "submit", "--max_cost_usd", "0.1").code == 0
    before = parts(project)
    (project.run_root() / "batch_inputs" / "manifest.json").unlink()  # so that everything is built again
    assert project.run("--dry_run", "--to_step", "build", "--resume", "--max_cost_usd", "2").code == 0
    assert parts(project) == before


def test_parts_that_were_built_without_a_cap_stay_as_they_are(project: Project) -> None:
    assert project.run("--dry_run", "--to_step", "build").code == 0
    before = parts(project)
    stopped = project.run(*DRY, "--resume", "--max_cost_usd", "0.01")
    assert stopped.code == 6, stopped.err
    assert "0 USD are spent" in stopped.err
    assert parts(project) == before
    assert not list(project.run_root().glob("*/results/*/results.jsonl"))


def test_a_cap_below_one_request_is_refused_with_the_smallest_cap_and_the_cap_for_all_items(
    project: Project,
) -> None:
    refused = project.run(*DRY, "--max_cost_usd", "0.001")
    assert refused.code == 2, refused.err
    enough = re.search(r"is enough for all items: promptrial run (.+)", refused.err)
    assert enough is not None, refused.err
    assert project.run("--dry_run", *enough[1].split()[2:]).code == 0, "the command that was printed asks everything"
    lines = json.loads(project.call("costs", "r", "--json").out)["lines"]
    reserved = sum(float(line["usd"]["reserved"]) for line in lines)
    assert len({line["part"] for line in lines}) > 2
    assert reserved <= float(enough[1].split()[-1]) < 1.2 * reserved, "whatever the answers cost"
    named = re.search(r"with a cap below (\S+) USD nothing is asked", refused.err)
    assert named is not None, refused.err
    assert project.run("--dry_run", "--to_step", "build", "--max_cost_usd", named[1], run_id="enough").code == 0
    less = f"{float(named[1]) * 0.998:.8f}"
    assert project.run("--dry_run", "--to_step", "build", "--max_cost_usd", less, run_id="less").code == 2


def test_a_model_without_a_price_is_refused_under_a_cap_and_leaves_nothing_behind(project: Project) -> None:
    config = yaml.safe_load(project.config.read_text())
    project.config.write_text(yaml.safe_dump({**config, "pricing": {}}))
    refused = project.run(*DRY, "--max_cost_usd", "1")
    assert refused.code == 2, refused.err
    assert "no price is known for m1 of fireworks" in refused.err
    assert "m1: {input_per_million: USD, output_per_million: USD}" in refused.err
    assert not project.run_root().exists()


def test_the_configuration_has_a_cap_too_and_a_flag_wins_over_it(project: Project) -> None:
    text = project.config.read_text()
    project.config.write_text(text + "spending: {max_usd: 0.002}\n")
    few = (*DRY, "--limit_items", "3")
    assert project.run(*few).code == 6
    assert project.run(*DRY, "--resume").code == 6
    project.config.write_text(text + "spending: {max_usd: 0.00225}\n")
    stopped = project.run(*DRY, "--resume")
    assert stopped.code == 6
    assert "the cap of 0.00225 USD is reached" in stopped.err
    ended = project.run(*DRY, "--resume", "--max_cost_usd", "2")
    assert ended.code == 0, ended.err


def test_all_runs_of_a_folder_share_the_cap_of_a_month(project: Project) -> None:
    project.config.write_text(project.config.read_text() + "spending: {month_max_usd: 0.006}\n")
    few = (*DRY, "--limit_items", "2", "--parts_per_dataset", "2")
    codes = [project.run(*few, run_id=name).code for name in ("one", "two", "three")]
    assert codes == [0, 0, 6]
    spent = sum(dry_run_billed_usd(project.run_root(name), PRICE) for name in ("one", "two", "three"))
    assert spent <= 0.006
    stopped = project.run(*DRY, "--resume", run_id="three")
    assert stopped.code == 6
    assert "the cap of 0.006 USD for all runs of this folder in 20" in stopped.err
    named = re.search(r"set spending.month_max_usd to (\S+) or more", stopped.err)
    assert named is not None, stopped.err
    assert "--max_cost_usd" not in stopped.err
    project.config.write_text(project.config.read_text().replace("0.006", "1.0"))
    ended = project.run(*DRY, "--resume", run_id="three")
    assert ended.code == 0, ended.err


def with_extra(project: Project, extra: dict[str, Any]) -> None:
    """Let the model be one of OpenAI's, whose requests have extra keys."""
    tree = yaml.safe_load(project.config.read_text())
    model = {"id": "small", "extra_body": extra}
    pricing = {"openai": prices()["fireworks"]}
    project.write_config(
        {**tree, "provider": "openai", "models": {"m1": model}, "pricing": pricing, "limit_items": 4},
    )


def test_the_reserve_includes_extra_keys_of_requests(project: Project) -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "w" * 2000}}]
    with_extra(project, {"tools": tools})
    assert project.run("--dry_run", "--to_step", "submit", "--max_cost_usd", "1").code == 0
    added = len(json.dumps(tools)) * PRICE.input_per_million / 1e6
    for part, least in zip(manifest(project).parts.values(), reserves(project), strict=True):
        (intent,) = part.ledger
        assert not isinstance(intent.reserved_usd, msgspec.UnsetType)
        assert intent.reserved_usd >= least + (intent.rows or 0) * added * 0.99


def test_a_cap_refuses_extra_keys_whose_cost_tokens_do_not_bound(project: Project) -> None:
    with_extra(project, {"web_search_options": {}})
    refused = project.run(*DRY, "--max_cost_usd", "1")
    assert refused.code == 2
    assert "token prices do not limit the cost of web_search_options in `models.m1.extra_body`" in refused.err
    assert "remove it from `models.m1.extra_body`" in refused.err
    assert not jobs_of_dry_run(project.run_root())


def test_a_new_run_with_a_cap_uses_the_price_list_if_the_configuration_has_no_price(project: Project) -> None:
    project.write_config(
        {"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": None, "execution": QUICK}
    )
    ended = project.run(*DRY, "--max_cost_usd", "5")
    assert ended.code == 0, ended.err
    assert (project.run_root() / "prices.json").exists()


def test_the_suggested_price_line_is_a_blank_to_fill_in_and_never_zero(project: Project) -> None:
    project.write_config({"provider": "fireworks", "models": {"m1": {"id": "accounts/fireworks/models/nobodys"}},
                          "pricing": None, "execution": QUICK})  # fmt: skip
    refused = project.run(*DRY, "--max_cost_usd", "5")
    assert refused.code == 2
    assert "{input_per_million: USD, output_per_million: USD}" in refused.err
    assert "0.0" not in refused.err
