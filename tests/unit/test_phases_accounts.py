"""The ledger as it is read from the folder of a run: which prices it goes by, and what a damaged record leaves out."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from msgspec import UNSET, structs

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.documents import cost_report as costs_document
from promptrial.documents import kept_prices
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice
from promptrial.model import Part
from promptrial.phases.accounts import read_ledger
from promptrial.phases.work import part_row
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Manifest, Receipt, TrialManifest, new_state, save
from promptrial.store.rundir import RunDir
from tests.unit.test_phases_ledger import ANSWERED, COST, PRICE, intent, manifest, part


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path, "r")
    keep(found, "t")
    return found


def keep(run: RunDir, slug: str) -> None:
    record: TrialManifest = manifest(t0_control_p001=part(intent(**ANSWERED)))
    record.trial = {"provider": "fireworks", "model_alias": "m1", "model_id": "vendor/m1"}
    path = run.trial(slug).manifest_path
    path.parent.mkdir(parents=True)
    save(path, record)


def keep_price(run: RunDir, price: Price | None) -> None:
    kept = KeptPrice(
        provider="fireworks", id="vendor/m1", vendor="v", terms=("batch",), looked_up="2026-11-01", price=price
    )
    run.prices_path.write_bytes(kept_prices.encode([kept]))


@pytest.mark.parametrize("name", ["m1", "vendor/m1"])
def test_before_costs_are_written_the_configuration_of_the_run_says_the_price(run: RunDir, name: str) -> None:
    rates = {"input_per_million": 3.0, "output_per_million": 15.0, "cached_input_per_million": None}
    pricing = {"fireworks": {"batch_discount": 0.5, "models": {name: rates}}}
    run.config_path.write_text(yaml.safe_dump({"pricing": pricing}))
    keep_price(run, Price(input_per_million=99.0, output_per_million=99.0, batch_discount=0.0))
    assert read_ledger(run).total.spent == COST, "the configuration wins"


def test_a_model_that_the_configuration_does_not_price_has_the_price_that_was_kept(run: RunDir) -> None:
    keep_price(run, PRICE)
    assert read_ledger(run).total.spent == COST


def test_without_a_configured_or_kept_price_the_model_is_unpriced(run: RunDir) -> None:
    assert (read_ledger(run).total.spent, read_ledger(run).total.unpriced) == (None, 1)
    keep_price(run, None)
    assert read_ledger(run).total.unpriced == 1


def test_damaged_prices_are_reported_and_nothing_counts_as_free(run: RunDir) -> None:
    run.prices_path.write_text("{")
    found = read_ledger(run)
    assert found.total.unpriced == 1
    assert "the prices that were saved with the run are damaged" in found.notes[0]


@pytest.mark.parametrize(
    ("pricing", "key"),
    [
        (7, "pricing"),
        ({"fireworks": 7}, "pricing.fireworks"),
        ({"fireworks": {"models": {"m1": 5}}}, "pricing.fireworks.models.m1"),
        *(
            (
                {"fireworks": {"models": {"m1": {"input_per_million": rate, "output_per_million": 1.0}}}},
                "input_per_mill",
            )
            for rate in ("x", "${PRICE}", float("nan"), float("inf"), -1.0, 1e300, [1], True)
        ),
    ],
)
def test_invalid_configured_prices_are_named_and_nothing_counts_as_free(run: RunDir, pricing: object, key: str) -> None:
    run.config_path.write_text(yaml.safe_dump({"pricing": pricing}))
    found = read_ledger(run)
    assert (found.total.spent, found.total.unpriced) == (None, 1)
    assert "effective_config.yaml" in found.notes[0]
    assert key in found.notes[0]


def test_a_configuration_that_is_not_yaml_is_named(run: RunDir) -> None:
    for text in ("{", "[]", "3", "\0"):
        run.config_path.write_text(text)
        assert "effective_config.yaml: damaged" in read_ledger(run).notes[0]


def test_a_costs_document_with_impossible_amounts_is_ignored(run: RunDir) -> None:
    keep_price(run, PRICE)
    report = cost_report({"control": TokenUsage(4, 4, 10, 10, 20)}, {}, PRICE)
    for odd in (report, structs.replace(report, conditions={"control": structs.replace(report, usd=1e300)})):
        path = run.trial("t").results / "costs.json"
        path.write_bytes(costs_document.encode(odd))
        assert read_ledger(run).total.spent == COST


def test_a_trial_whose_records_are_damaged_is_left_out_and_named(run: RunDir) -> None:
    keep_price(run, PRICE)
    keep(run, "u")
    assert read_ledger(run).total.spent == 2 * COST
    run.trial("u").manifest_path.write_text("{")
    found = read_ledger(run)
    assert found.total.spent == COST
    assert found.notes[0].startswith("u is ignored, because its records are damaged")


def test_a_trial_whose_records_the_system_cannot_read_is_left_out_and_named(run: RunDir) -> None:
    keep_price(run, PRICE)
    run.trial("u").manifest_path.mkdir(parents=True)
    found = read_ledger(run)
    assert found.total.spent == COST
    assert found.notes[0].startswith("u is ignored, because its records cannot be read: ")


def test_amounts_that_were_never_rounded_to_cents_are_kept(run: RunDir) -> None:
    keep_price(run, Price(input_per_million=0.001, output_per_million=0.0, batch_discount=0.0))
    assert read_ledger(run).total.spent == Decimal("0.000001001")


def test_damaged_records_of_a_removed_trial_are_named_and_those_of_the_predecessor_are_not(run: RunDir) -> None:
    cut = Part("t", 0.0, "control", 1, 0, 4, 4)
    facts = {"parts": [part_row(cut)], "items": 4, "requests": 4}
    requests = {"batch_inputs/t/t0_control_p001.jsonl": FileRecord("0" * 64, 1, rows=4)}
    built = Manifest(receipt=Receipt(requests, {}), facts=facts)
    save(run.batch_inputs / "manifest.json", built)
    for slug, content in (("gone", '{"run_id": "r", "tr'), ("older", '{"run_id": "r"}')):
        path = run.trial(slug).manifest_path
        path.parent.mkdir(parents=True)
        path.write_text(content)
    (note,) = read_ledger(run).notes
    assert note.startswith("gone is ignored")


def test_the_ledger_says_whether_an_emulator_answered(run: RunDir) -> None:
    assert read_ledger(run).dry_run is UNSET
    run.emulator.mkdir()
    assert read_ledger(run).dry_run is True, "the state is lost"
    state = new_state("r", "h")
    save(run.state_path, state)
    assert read_ledger(run).dry_run is UNSET
    state.dry_run = True
    save(run.state_path, state)
    assert read_ledger(run).dry_run is True
