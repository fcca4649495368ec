"""What a trial cost, in sentences: what is not known is named, with the reason, and never stands for 0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.documents.cost_report import CostReport, Price
from promptrial.model import ModelSpec
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.money import cost_sentence
from promptrial.reporting.verdict import trial_verdict
from tests.unit.test_reporting_pages import document, facts

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


def test_an_arm_whose_own_model_has_no_price_is_named_with_its_own_tokens() -> None:
    costs = report(FIRST, SECOND, treatment=None)
    assert warned(costs) == ["No price: 2,500 tokens of large have no known price; the cost is unknown, not 0."]
    assert cost_sentence(costs) == (
        "Cost: 4,000 tokens; the cost in USD is unknown, because the model of the treatment arm has no price in the "
        "configuration (`pricing`). Known: 0.0020 USD for the control arm."
    )


def test_usage_that_was_not_reported_is_not_taken_for_a_price_that_is_missing() -> None:
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
