"""What a trial cost, in sentences: what is not known is named, with the reason, and never stands for 0."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.documents.cost_report import CostReport, Price
from promptrial.model import ModelSpec
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.money import cost_lines, cost_sentence
from promptrial.reporting.page.html import _money
from promptrial.reporting.tables import costs_table
from promptrial.reporting.verdict import trial_verdict
from tests.unit.test_reporting_pages import costs as page_costs
from tests.unit.test_reporting_pages import document, facts, looked_at

CHEAP = Price(input_per_million=1.0, output_per_million=2.0, batch_discount=0.0)
DEAR = Price(input_per_million=3.0, output_per_million=4.0, batch_discount=0.0)
FIRST = TokenUsage(10, 10, 1000, 500, 1500)
SECOND = TokenUsage(10, 10, 2000, 500, 2500)
SILENT = TokenUsage(10, 10, 0, 0, 0, unknown=10)


def report(first: TokenUsage, second: TokenUsage, price: Price | None = CHEAP, **own: Price | None) -> CostReport:
    return cost_report({"control": first, "treatment": second}, {}, price, own or None)


def warned(costs: CostReport, *, own: bool = True) -> list[str]:
    """Return the warnings of a trial of the model ``small``, whose second arm is answered by ``large``."""
    trial = facts().trial
    large = ModelSpec("large", "/models/large.gguf", "embedded")
    arms = tuple(replace(arm, model=large) if own and arm.name == "treatment" else arm for arm in trial.arms)
    changed: dict[str, Any] = {"trial": replace(trial, arms=arms)}
    return [*map(str, trial_verdict(TrialResult(facts(**changed), document(), costs)).warnings)]


def test_an_arm_with_its_own_unpriced_model_is_named_with_its_tokens() -> None:
    costs = report(FIRST, SECOND, treatment=None)
    assert warned(costs) == ["No price: 2,500 tokens of large have no known price; the cost is unknown, not 0."]
    assert cost_sentence(costs) == (
        "Cost: 4,000 tokens; the cost in USD is unknown, because the model of the treatment arm has no price in the "
        "configuration (`pricing`). Known: 0.0020 USD for the control arm."
    )


def test_unreported_usage_is_not_confused_with_a_missing_price() -> None:
    costs = report(FIRST, SILENT, treatment=DEAR)
    assert warned(costs) == [
        "No usage: the provider reported no usage for 10 requests to large; the cost is unknown, not 0."
    ]
    assert "because the provider reported no usage for the treatment arm. Known: 0.0020 USD" in cost_sentence(costs)


def test_each_model_that_makes_a_cost_unknown_is_named_with_its_reason() -> None:
    costs = report(FIRST, SILENT, None, treatment=DEAR)
    assert [each[:36] for each in warned(costs)] == [
        "No price: 1,500 tokens of small have",
        "No usage: the provider reported no u",
    ]
    assert (
        "because the model of A has no price in the configuration (`pricing`), and the provider reported no usage "
        in (cost_sentence(costs, {"control": "A", "treatment": "B"}))
    )
    [both] = warned(report(FIRST, SILENT, treatment=None))
    assert both == (
        "No price: 10 requests to large have neither a known price nor a reported usage; the cost is unknown, not 0."
    )


def test_two_models_without_a_price_are_both_named() -> None:
    costs = report(FIRST, SECOND, None, treatment=None)
    assert [each.split(" have")[0] for each in warned(costs)] == [
        "No price: 1,500 tokens of small",
        "No price: 2,500 tokens of large",
    ]
    assert "the models of the control arm and the treatment arm have no price" in cost_sentence(costs)


def test_one_model_without_a_price_is_named_once_and_one_without_usage_too() -> None:
    assert warned(report(FIRST, SECOND, None), own=False) == [
        "No price: 4,000 tokens of small have no known price; the cost is unknown, not 0."
    ]
    assert warned(report(SILENT, SILENT), own=False) == [
        "No usage: the provider reported no usage for 20 requests to small; the cost is unknown, not 0."
    ]
    assert cost_sentence(report(SILENT, SILENT)) == "Cost: unknown, because the provider reported no usage."


EMPTY = TokenUsage(10, 3, 0, 0, 0, unknown=10, empty=7)
PARTLY = TokenUsage(10, 10, 1000, 500, 1500, unknown=4)
NAMES = {"control": "a.txt", "treatment": "b.txt"}


def notes(costs: CostReport) -> str:
    return " ".join(costs_table(costs).notes)


def test_responses_without_usage_are_counted_against_requests_and_never_against_answers() -> None:
    said = notes(report(EMPTY, FIRST))
    assert (
        "The usage of 10 of 10 requests of the control arm was not reported: its tokens and USD are unknown, not 0."
    ) in said
    assert "lower bound" not in said


CACHING = Price(
    input_per_million=1.5, output_per_million=6.0, batch_discount=0.5, cached_input_per_million=0.15,
    cache_write_per_million=1.875, source="prices 1.2", dated="2026-01-31", notes=("its rates in batches", "a tier"),
)  # fmt: skip


def test_a_price_is_told_with_its_rates_its_discount_and_where_it_is_from() -> None:
    told = costs_table(msgspec.structs.replace(page_costs(), price=CACHING)).notes
    assert told[0] == (
        "Price per million tokens: 1.5 USD for prompts, 6 USD for answers, 0.15 USD for prompt tokens read from a "
        "cache, 1.875 USD for those written to one, less 50% for batches. Source: prices 1.2, latest price dated "
        "2026-01-31; batch rates; a tier."
    )
    plain = Price(input_per_million=1.0, output_per_million=2.0, batch_discount=0.0)
    told = costs_table(msgspec.structs.replace(page_costs(), price=plain)).notes
    assert told[0] == "Price per million tokens: 1 USD for prompts, 2 USD for answers."


def test_arms_with_models_of_their_own_have_their_prices_and_the_trials_own_only_where_an_arm_has_it() -> None:
    one = msgspec.structs.replace(page_costs(), arm_prices={"treatment": None})
    assert costs_table(one).notes[1] == (
        "The model of the treatment arm has no price in the configuration: its cost in USD is unknown, not 0."
    )
    both = msgspec.structs.replace(page_costs(), arm_prices={"control": None, "treatment": None})
    assert [note.partition(" arm")[0] for note in costs_table(both).notes] == [
        "The model of the control",
        "The model of the treatment",
    ]


def test_tokens_of_a_cache_are_told_with_what_they_cost_where_that_is_known() -> None:
    base = page_costs()
    arms = {
        "treatment": msgspec.structs.replace(base.conditions["treatment"], cache_read_usd=0.75),
        "control": msgspec.structs.replace(base.conditions["control"], cache_read_usd=0.25, cache_write_usd=0.5),
    }
    found = msgspec.structs.replace(
        base, conditions=arms, cached_tokens=12_000, cache_write_tokens=3_000, cache_read_usd=1.0, cache_write_usd=0.5
    )
    assert costs_table(found).notes[1:] == (
        (
            "12,000 prompt tokens came from a cache; they account for 1.00 USD of the cost (0.25 in the control arm, "
            "0.75 in the treatment arm)."
        ),
        "3,000 prompt tokens were written to a cache; they account for 0.50 USD of the cost (0.50 in the control arm).",
    )
    unrated = msgspec.structs.replace(base, cached_tokens=12_000, cache_write_tokens=3_000)
    assert costs_table(unrated).notes[1:] == (
        "12,000 prompt tokens came from a cache; they are priced like the others.",
        "3,000 prompt tokens were written to a cache; they are priced like the others.",
    )
    unpriced = msgspec.structs.replace(unrated, price=None)
    assert len(costs_table(unpriced).notes) == 1, "of what has no price nothing is priced like the others"


def test_what_a_good_answer_is_heads_its_column_and_stands_below() -> None:
    table = costs_table(msgspec.structs.replace(page_costs(), criterion="Politeness of at least 7"), is_mixed=True)
    assert table.headers[3] == "Good answers"
    assert table.headers[-1] == "USD per good answer"
    assert table.notes[0] == "A good answer has a score of at least 7 (Politeness)."
    none = costs_table(msgspec.structs.replace(page_costs(), criterion=None))
    assert none.notes[0] == (
        "The number of good answers is not available: no scorer says whether an answer is correct, and "
        "`costs.criterion` is not set."
    )


@pytest.mark.parametrize(
    ("without_gold", "with_choices", "is_mixed"),
    [(0, 0, False), (1, 0, True), (0, 103, True), (104, 0, False), (0, 104, False), (104, 1, True)],
)
def test_items_are_mixed_where_some_lack_a_gold_answer_or_choices_and_others_have_it(
    without_gold: int, with_choices: int, *, is_mixed: bool
) -> None:
    run = facts().run
    [first] = run.datasets
    datasets = (
        replace(first, without_gold=min(without_gold, 64), with_choices=min(with_choices, 64)),
        replace(first, without_gold=max(without_gold - 64, 0), with_choices=max(with_choices - 64, 0)),
    )
    assert replace(run, datasets=datasets).is_mixed is is_mixed


def test_only_a_partly_known_amount_is_a_lower_bound() -> None:
    assert "control arm was not reported: its tokens and USD are lower bounds." in notes(report(PARTLY, FIRST))
    assert "control arm was not reported: its tokens are a lower bound." in notes(report(PARTLY, FIRST, None))


def test_partly_unreported_amounts_are_shown_as_at_least() -> None:
    used, spent = cost_lines(report(EMPTY, FIRST), NAMES, dry_run=False)
    assert used == "Cost: at least 0.0020 USD (unknown for a.txt and 0.0020 for b.txt), at least 1,500 tokens."
    assert spent == "Spent: at least 0.0020 USD, all of it on these answers."
    used, spent = cost_lines(report(PARTLY, FIRST), NAMES, dry_run=False)
    assert used == (
        "Cost: at least 0.0040 USD (at least 0.0020 for a.txt and 0.0020 for b.txt), at least 3,000 tokens."
    )
    lost = msgspec.structs.replace(report(PARTLY, FIRST), spent_usd=0.005)
    assert cost_lines(lost, NAMES, dry_run=False)[1].startswith("Spent: at least 0.0050 USD, including answers")
    judged = msgspec.structs.replace(report(PARTLY, FIRST), judges_usd=0.001)
    assert cost_lines(judged, NAMES, dry_run=False)[1].startswith("Spent: at least 0.0050 USD, all of it on these")
    assert cost_lines(report(FIRST, FIRST), NAMES, dry_run=False)[1].startswith("Spent: 0.0040 USD")


def test_a_stopped_trial_states_no_saving_if_part_of_the_usage_was_not_reported() -> None:
    found = document(looks=msgspec.structs.replace(looked_at(0.05), items_planned=200, decision="stop"))
    known, partly = (
        trial_verdict(TrialResult(facts(), found, report(first, FIRST))).sentences[0] for first in (FIRST, PARTLY)
    )
    assert "; saved 0.0040 USD." in known
    assert "; 100 were not asked." in partly


def test_a_page_begins_with_the_lower_bound_of_a_partly_known_amount() -> None:
    def money(costs: CostReport, shared: int = 0) -> str:
        result = TrialResult(facts(shared_requests=shared), document(), costs)
        return _money(facts().run, [SimpleNamespace(result=result)])  # type: ignore[list-item]

    assert [money(report(FIRST, FIRST)), money(report(PARTLY, FIRST))] == ["0.0040 USD", "at least 0.0040 USD"]
    assert [money(report(FIRST, FIRST), 9), money(report(PARTLY, FIRST), 9)] == [
        "at most 0.0040 USD",
        "about 0.0040 USD",
    ]
