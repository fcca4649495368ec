"""How long a prompt of a run can be decides prices by length: by the requests that are written, and no others."""

from dataclasses import replace
from pathlib import Path

import pytest

from promptrial.costs.price_book import PriceBook
from promptrial.costs.purchases import Purchase
from promptrial.costs.reserve import OVERHEAD_TOKENS
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice, PriceTier
from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.session import spec_of
from promptrial.phases.longest_prompt import longest_planned, longest_prompt
from promptrial.phases.prepared import all_items
from promptrial.phases.spec import RunSpec, SpendingTerms
from promptrial.store.rundir import RunDir
from tests.support.project import Project

LOW = Price(input_per_million=1.0, output_per_million=4.0, batch_discount=0.0)
HIGH = Price(input_per_million=2.0, output_per_million=6.0, batch_discount=0.0)


def lines_of(run: Path) -> list[bytes]:
    return [line for path in run.glob("batch_inputs/*/*.jsonl") for line in path.read_bytes().splitlines()]


def spec_with_tiers(project: Project, above: int) -> RunSpec:
    """Return the run, whose model has another price above so many tokens."""
    request = RunRequest(project.run_root().parent, "r", config=project.config, plan_only=True)
    spec = spec_of(request, open_run(request, {}))
    purchase = Purchase.of(spec.trials[0].model)
    kept = KeptPrice(
        provider=purchase.provider,
        id=purchase.id,
        vendor="",
        terms=purchase.terms,
        looked_up="2026-11-29",
        price=LOW,
        tiers=(PriceTier(above_tokens=above, price=HIGH),),
    )
    return replace(spec, terms=SpendingTerms(PriceBook({}, (kept,))))


def test_no_prompt_has_more_tokens_than_its_request_has_bytes(project: Project) -> None:
    assert longest_prompt(RunDir(project.root / "experiments", "r")) is None
    assert project.run("--to_step", "build").code == 0
    longest = max(map(len, lines_of(project.run_root())))
    assert longest_prompt(RunDir(project.root / "experiments", "r")) == longest + OVERHEAD_TOKENS


def test_the_bound_follows_the_requests_of_a_run_that_is_built_again(project: Project) -> None:
    assert project.run("--to_step", "build").code == 0
    run = RunDir(project.root / "experiments", "r")
    first = longest_prompt(run)
    (project.root / "config/control.txt").write_text("You are a careful assistant. " * 100)
    assert project.run("--resume", "--force", "--to_step", "build").code == 0
    assert (longest_prompt(run) or 0) > (first or 0) + 1000


@pytest.mark.parametrize(("margin", "expected"), [(0, LOW), (-1, HIGH)])
def test_the_lower_price_applies_only_if_no_prompt_can_be_longer(
    project: Project, margin: int, expected: Price
) -> None:
    assert project.run("--to_step", "build").code == 0
    bound = longest_prompt(RunDir(project.root / "experiments", "r"))
    assert bound is not None
    spec = spec_with_tiers(project, bound + margin)
    assert spec.prices.of(spec.trials[0].model) == expected


def test_the_longest_request_is_known_before_it_is_written(project: Project) -> None:
    project.write_config({"samples_per_item": 2, "sweep": {"prompt_sets": ["main", "other"]}})
    assert project.run("--to_step", "build").code == 0
    spec = spec_with_tiers(project, 1)
    written = longest_prompt(spec.run)
    planned = longest_planned(spec.trials, all_items(spec.run))
    assert written is not None
    assert planned is not None
    assert abs(planned - written) <= 4  # ids and seeds may be a little longer
    assert longest_planned(spec.trials, []) is None


def test_the_terms_can_state_how_long_prompts_will_be(project: Project) -> None:
    spec = spec_with_tiers(project, 1000)
    longer = replace(spec.terms.prices, longest_prompt=1000)
    assert replace(spec, terms=SpendingTerms(longer)).prices.of(spec.trials[0].model) == LOW


def test_the_highest_price_applies_before_requests_exist(project: Project) -> None:
    spec = spec_with_tiers(project, 1_000_000)
    assert spec.prices.of(spec.trials[0].model) == HIGH
