"""What a trial cost, in sentences: what is not known is named, with the reason, and never stands for 0."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.documents.cost_report import CostReport, Price
from promptrial.model import ModelSpec
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.money import cost_lines, cost_sentence
from promptrial.reporting.page.html import _money
from promptrial.reporting.tables import costs_table
from promptrial.reporting.verdict import trial_verdict
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
