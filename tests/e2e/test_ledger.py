"""What a run says that it has spent is what the vendor has billed: to the cent, and to the billionth."""

from __future__ import annotations

import csv
import io
import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from promptrial.documents.cost_report import Price
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.reporting.cells import amount
from tests.support.anthropic_run import MODEL as CLAUDE
from tests.support.anthropic_run import PRICE as CLAUDE_PRICE
from tests.support.anthropic_run import batches, trial_on_anthropic
from tests.support.billed import billed_usd
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject, configuration

__all__ = ["hosted", "process"]

RATES: Final = {"input_per_million": 3.0, "output_per_million": 15.0, "cached_input_per_million": 0.3}
PRICE: Final = Price(input_per_million=3.0, output_per_million=15.0, cached_input_per_million=0.3, batch_discount=0.5)
PRICING: Final = {"fireworks": {"batch_discount": 0.5, "models": {"m1": RATES}}}
ONE_NANO_EACH: Final = 1e-9


def priced(hosted: HostedProject, **changes: Any) -> None:
    hosted.project.write_config(configuration({"pricing": PRICING, **changes}))


def ledger_of(hosted: HostedProject, run_id: str = "r") -> dict[str, Any]:
    outcome = hosted.project.call("costs", run_id, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def lines_of(hosted: HostedProject) -> list[dict[str, str]]:
    """Return the lines of the CSV."""
    return list(csv.DictReader(io.StringIO(hosted.project.call("costs", "r", "--csv", "-").out)))


def agree(hosted: HostedProject) -> float:
    """Require that the ledger, its CSV and the list say what the emulator has billed; return that, in USD."""
    billed, found, lines = billed_usd(hosted.emulator.url, PRICE), ledger_of(hosted), lines_of(hosted)
    assert billed > 0
    assert float(found["total"]["spent"]) == pytest.approx(billed, abs=ONE_NANO_EACH * len(lines))
    assert sum(Decimal(line["spent_usd"]) for line in lines) == Decimal(found["total"]["spent"])
    [run] = json.loads(hosted.project.call("list", "--json").out)["runs"]
    assert run["usd"] == float(found["total"]["spent"])
    for line in lines:
        assert Decimal(line["spent_usd"]) + Decimal(line["held_usd"]) <= Decimal(line["reserved_usd"]), line
    return billed


def test_three_trials_that_share_a_control_pay_for_it_once_and_all_figures_agree(hosted: HostedProject) -> None:
    sets = {
        "main": {"control": "control.txt", "treatment": "treatment.txt"},
        "other": {"control": "control.txt", "treatment": "other.txt"},
        "third": {"control": "control.txt", "treatment": {"text": "Answer in one word."}},
    }
    priced(hosted, prompt_sets=sets, sweep={"prompt_sets": [*sets]})
    outcome = hosted.run("--to_step", "report")
    assert outcome.code == 0, outcome.err
    agree(hosted)
    found = ledger_of(hosted)
    assert len(found["trials"]) == 3
    for slug, arms in found["arms"].items():
        costs = json.loads((hosted.project.run_root() / slug / "results" / "costs.json").read_bytes())
        for name, arm in arms.items():
            assert float(arm["used"]) == pytest.approx(costs["conditions"][name]["usd"], abs=ONE_NANO_EACH * 10)
    assert [arms["control"]["spent"] is None for arms in found["arms"].values()].count(True) == 2
    assert found["total"]["used"] == found["total"]["spent"]
    report = hosted.project.run_root() / "aggregate_report.md"
    shown = amount(float(found["total"]["spent"]))
    assert f"All attempts cost {shown} USD, all of it for the answers that are analysed." in report.read_text()
    text = hosted.project.call("costs", "r").out
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 24


class Killed(BaseException):
    """The process is gone."""


def killed_at(patch: pytest.MonkeyPatch, status: str, part: str, *, after: bool) -> None:
    """Let the process die as it records a status of a part: with the record on disk, or without it."""
    record = Recorder.record

    def dying(self: Recorder, work: PartWork, said: Any, **fields: Any) -> None:
        dies = said == status and work.part.name == part
        if after or not dies:
            record(self, work, said, **fields)
        if dies:
            raise Killed

    patch.setattr(Recorder, "record", dying)


def run_and_kill(hosted: HostedProject, monkeypatch: pytest.MonkeyPatch, *flags: str, **where: Any) -> None:
    with monkeypatch.context() as patch:
        killed_at(patch, **where)
        with pytest.raises(Killed):
            hosted.run(*flags)


def bounded(hosted: HostedProject) -> None:
    """Require that what is on record is no less than what the emulator has billed, whenever one looks."""
    total = ledger_of(hosted)["total"]
    billed = billed_usd(hosted.emulator.url, PRICE)
    assert float(total["spent"] or 0) + float(total["held"]) >= billed - ONE_NANO_EACH * 10


def test_after_kills_and_lost_answers_a_run_reports_the_amount_that_the_emulator_billed(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced(hosted)
    assert hosted.run("--to_step", "build").code == 0
    quote = json.loads(hosted.run("--resume", "--plan_only", "--json").out)["quote"]
    hosted.emulator.fault("F10", "create_job", variant="expired", share=0.5, output=True)
    hosted.emulator.fault("F11", "create_job", variant="billed", share=0.3, nth=3)
    hosted.emulator.fault("F11", "create_job", variant="reasoning_field", share=1.0, nth=4)
    run_and_kill(hosted, monkeypatch, "--resume", status="submitting", part="t0_control_p001", after=True)
    bounded(hosted)
    run_and_kill(hosted, monkeypatch, "--resume", status="submitted", part="t0_treatment_p001", after=False)
    bounded(hosted)
    run_and_kill(hosted, monkeypatch, "--resume", status="completed", part="t0_control_p002", after=True)
    bounded(hosted)
    run_and_kill(hosted, monkeypatch, "--resume", status="downloaded", part="t0_treatment_p001", after=False)
    bounded(hosted)
    outcome = hosted.run("--resume", "--to_step", "costs")
    assert outcome.code == 0, outcome.err
    agree(hosted)
    assert {line["fate"] for line in lines_of(hosted)} == {"used"}
    first = [line for line in lines_of(hosted) if line["attempt"] == "1"]
    for column, planned in ("estimated_usd", quote["usd"]["expected"]), ("reserved_usd", quote["reserve_usd"]):
        assert sum(float(line[column]) for line in first) == pytest.approx(planned, rel=1e-3), column
    assert quote["usd"]["low"] <= float(ledger_of(hosted)["total"]["spent"]) <= quote["usd"]["high"]
    costs = json.loads((hosted.results() / "costs.json").read_bytes())
    assert "spent_usd" not in costs, "all that was paid for is used"
    assert float(ledger_of(hosted)["total"]["used"]) == pytest.approx(costs["usd"], abs=ONE_NANO_EACH * 10)

    part = hosted.results() / "t0_control_p002"
    shutil.rmtree(part)
    hosted.emulator.fault("F17", "get_download_endpoint", variant="vanished")
    outcome = hosted.run("--resume", "--to_step", "costs")
    assert outcome.code == 1
    bounded(hosted)
    outcome = hosted.run("--resume", "--rebuy", "--to_step", "report")
    assert outcome.code == 0, outcome.err
    agree(hosted)
    fates = [line["fate"] for line in lines_of(hosted)]
    assert (fates.count("lost"), set(fates)) == (1, {"lost", "used"})
    total = ledger_of(hosted)["total"]
    costs = json.loads((hosted.results() / "costs.json").read_bytes())
    assert costs["spent_usd"] == pytest.approx(float(total["spent"]), abs=ONE_NANO_EACH * 10)
    assert costs["conditions"]["control"]["spent_usd"] > costs["conditions"]["control"]["usd"]
    assert "spent_usd" not in costs["conditions"]["treatment"]
    report = hosted.project.details()
    assert f"Spent: {amount(costs['spent_usd'])} USD, including answers that were lost" in report
    assert "USD spent" in report
    assert Decimal(total["spent"]) - Decimal(total["used"]) == Decimal(total["wasted"]) > 0
    assert Decimal(total["held"]) == 0


def test_reserves_of_jobs_in_flight_count_and_an_archive_keeps_the_ledger(
    hosted: HostedProject,
) -> None:
    priced(hosted)
    assert hosted.run("--to_step", "submit").code == 0
    lines = lines_of(hosted)
    assert {(line["fate"], line["spent_usd"]) for line in lines} == {("in_flight", "0.000000000")}
    total = ledger_of(hosted)["total"]
    assert Decimal(total["held"]) == sum(Decimal(line["reserved_usd"]) for line in lines) > 0
    assert all(line["began"].endswith("Z") and line["job"] for line in lines)
    status = hosted.project.call("status").out
    assert f"spent: 0 USD, {amount(float(total['held']))} may be billed yet\n" in status

    assert hosted.run("--resume", "--to_step", "report").code == 0
    found = agree(hosted)
    status = hosted.project.call("status").out
    assert f"spent: {amount(found)} USD\n" in status
    before = ledger_of(hosted)
    assert hosted.project.call("archive", "r", "--to", "stored").code == 0
    assert hosted.project.call("unarchive", "stored", "--run_id", "r", "--experiments_dir", "other").code == 0
    restored = hosted.project.call("costs", "--experiments_dir", "other", "--json")
    assert json.loads(restored.out) == before
    text = hosted.project.call("costs", "r", "--csv", "ledger.csv")
    assert (text.code, text.out) == (0, "")
    assert (hosted.project.root / "ledger.csv").read_text().count("\n") == 1 + len(lines)
    refused = hosted.project.call("costs", "r", "--csv", "ledger.csv")
    assert refused.code == 2, "no file is replaced"


def test_cache_reads_and_writes_have_their_own_rates(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {
        "input_per_million": 1.0,
        "output_per_million": 5.0,
        "cached_input_per_million": 0.1,
        "cache_write_per_million": 2.0,
    }
    changes = {
        "models": {"m1": {"id": CLAUDE, "cache_prompt": "1h"}},
        "pricing": {"anthropic": {"batch_discount": 0.5, "models": {"m1": rates}}},
    }
    hosted = trial_on_anthropic(tmp_path, process, monkeypatch, changes)
    assert hosted.run().code == 0
    billed = cached = written = 0.0
    for batch in batches(hosted):
        headers = {"x-api-key": process.key, "anthropic-version": "2023-06-01"}
        reply = process.plain.get(f"{process.url}/v1/messages/batches/{batch['id']}/results", headers=headers)
        for line in reply.text.splitlines():
            usage = json.loads(line)["result"]["message"]["usage"]
            read, write = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
            cached, written = cached + read, written + write
            billed += (usage["input_tokens"] + 5 * usage["output_tokens"] + 0.1 * read + 2 * write) / 2e6
    assert cached > 0 < written
    total = ledger_of(hosted)["total"]
    assert float(total["spent"]) == pytest.approx(billed, abs=ONE_NANO_EACH * 10)
    assert sum(int(line["cached_tokens"]) for line in lines_of(hosted)) == cached
    assert sum(int(line["cache_write_tokens"]) for line in lines_of(hosted)) == written


def test_live_requests_are_billed_once_and_lost_ones_that_were_sent_again_twice(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = {"providers": {"anthropic": {"type": "anthropic", "base_url": process.url, "mode": "live"}}}
    hosted = trial_on_anthropic(tmp_path, process, monkeypatch, live)
    price = Price(input_per_million=CLAUDE_PRICE["input_per_million"], output_per_million=2.0, batch_discount=0.0)
    assert hosted.run().code == 0
    billed = billed_usd(process.url, price)
    assert billed > 0
    assert float(ledger_of(hosted)["total"]["spent"]) == pytest.approx(billed, abs=ONE_NANO_EACH * 10)
    [sealed] = hosted.results().glob("t0_control_p001/results.jsonl")
    sealed.write_bytes(b"".join(sealed.read_bytes().splitlines(keepends=True)[:2]))
    assert hosted.run("--resume").code == 1
    assert hosted.run("--resume", "--rebuy").code == 0
    assert billed_usd(process.url, price) > billed
    found = ledger_of(hosted)
    assert float(found["total"]["spent"]) == pytest.approx(billed_usd(process.url, price), abs=ONE_NANO_EACH * 10)
    assert [line["fate"] for line in lines_of(hosted)].count("lost") == 1
    assert float(found["total"]["used"]) == pytest.approx(billed, abs=ONE_NANO_EACH * 10)


SHARED: Final = ("--prompt_sets", "main,other")


@pytest.fixture(params=["in batches", "in batches with ids of the vendor", "request by request"])
def sharing(
    request: pytest.FixtureRequest, process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> HostedProject:
    """A run, done, of two trials whose control is asked once."""
    if request.param == "in batches":
        hosted: HostedProject = request.getfixturevalue("hosted")
        priced(hosted)
    else:
        mode = {"mode": "live"} if request.param == "request by request" else {}
        where = {"anthropic": {"type": "anthropic", "base_url": process.url, **mode}}
        hosted = trial_on_anthropic(tmp_path, process, monkeypatch, {"providers": where})
    assert hosted.run(*SHARED).code == 0
    return hosted


@pytest.mark.parametrize("lost", ["main", "other", "*"])
def test_answers_that_trials_share_cost_what_they_did_where_the_manifest_of_a_trial_is_lost(
    sharing: HostedProject, lost: str
) -> None:
    before = ledger_of(sharing)
    for manifest in sharing.project.run_root().glob(f"*-{lost}-*/results/trial_manifest.json"):
        manifest.unlink()
    outcome = sharing.run(*SHARED, "--resume")
    assert outcome.code == 0, outcome.err
    after = ledger_of(sharing)
    assert after["total"]["attempts"] == 6
    assert {name: after[name] for name in ("total", "arms")} == {name: before[name] for name in ("total", "arms")}
