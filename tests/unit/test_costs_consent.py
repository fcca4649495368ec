"""When a run may spend without a question, and what the question says: the table of rules."""

from __future__ import annotations

import pytest

from promptrial.costs.bands import Band
from promptrial.costs.consent import Amount, Leave, ModelBill, consent_to, question

SMALL, LARGE, UNPRICED = Amount(0.9), Amount(3.0), Amount(0.0, 40)
ASKS = Leave(ask_above_usd=1.0)


@pytest.mark.parametrize(
    ("total", "given", "leave", "how"),
    [
        (SMALL, [], ASKS, "threshold"),
        (Amount(1.0), [], ASKS, "threshold"),
        (Amount(1.01), [], ASKS, "ask"),
        (LARGE, [], ASKS._replace(ask_above_usd=5.0), "threshold"),
        (Amount(0.0001), [], ASKS._replace(ask_above_usd=0.0), "ask"),
        (LARGE, [], ASKS._replace(yes=True), "flag"),
        (LARGE, [], ASKS._replace(cap_usd=2.0), "cap"),
        (LARGE, [], ASKS._replace(unattended=True), "unattended"),
        (LARGE, [], ASKS._replace(unattended=True, yes=True), "flag"),
        (UNPRICED, [], ASKS, "ask"),
        (Amount(0.0, 1), [], ASKS._replace(ask_above_usd=1e9), "ask"),
        (UNPRICED, [], ASKS._replace(yes=True), "flag"),
        (UNPRICED, [], ASKS._replace(cap_usd=2.0), "ask"),
        (UNPRICED, [], ASKS._replace(unattended=True), "unattended"),
        (UNPRICED, [UNPRICED], ASKS, "given"),
        (Amount(0.0, 41), [UNPRICED], ASKS, "ask"),
        (LARGE, [LARGE], ASKS, "given"),
        (Amount(3.0 * (1 + 1e-12)), [LARGE], ASKS, "given"),
        (Amount(3.1), [LARGE], ASKS, "ask"),
        (LARGE, [SMALL, Amount(4.0), SMALL], ASKS, "given"),
        (Amount(3.0, 40), [LARGE, UNPRICED], ASKS, "ask"),
        (LARGE, [LARGE], ASKS._replace(yes=True), "given"),
    ],
)
def test_consent_names_what_permits_the_spending(total: Amount, given: list[Amount], leave: Leave, how: str) -> None:
    assert consent_to(total, given, leave) == how


def test_the_question_says_requests_costs_and_the_threshold() -> None:
    bills = [ModelBill("m1", 1500, 2.5, Band(0.4, 0.8, 1.9), "the price of m1 comes from the configuration")]
    assert question(bills, Amount(), Amount(), ASKS) == (
        "this run is about to ask 1,500 requests: about 0.8 USD (0.4 to 1.9), at most 2.5 USD",
        "  the price of m1 comes from the configuration",
        "  it asks because it may cost more than 1 USD (spending.ask_above_usd)",
    )


def test_the_question_has_a_line_for_each_of_several_models_and_names_those_without_a_price() -> None:
    bills = [ModelBill("m1", 10, 0.2, Band.exactly(0.1)), ModelBill("m2", 30)]
    assert question(bills, Amount(), Amount(), ASKS) == (
        "this run is about to ask 40 requests: about 0.1 USD, at most 0.2 USD, and 30 of them have no known price",
        "  m1: 10 requests: about 0.1 USD, at most 0.2 USD",
        "  m2: 30 requests: at an unknown price",
        "  it asks because there is no price for m2",
    )


def test_the_question_names_extra_keys_whose_cost_tokens_do_not_bound() -> None:
    bills = [ModelBill("m1", 30, unbounded=("plugins",))]
    assert question(bills, Amount(), Amount(), ASKS) == (
        "this run is about to ask 30 requests: at an unknown price",
        "  it asks because token prices do not limit the cost of plugins in extra_body of m1",
    )


def test_the_question_of_a_resume_says_what_was_spent_and_what_was_agreed_to() -> None:
    said = question([ModelBill("m1", 1, 12.345)], Amount(3.0), Amount(4.0), ASKS)
    assert said == (
        "this run is about to ask 1 request: at most 12.35 USD",
        "  already spent: at most 3 USD",
        "  it asks because it may cost more than the agreed 4 USD",
    )
