"""What a cost report says of attempts whose answers are not used: the amounts that the ledger has."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec import UNSET

from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.costs.ledger import Attempt, PartOf, line_of, spending
from promptrial.documents.cost_report import CostReport, Price
from promptrial.documents.ledger import Fate, LedgerLine, Tokens
from promptrial.phases.unused import with_attempts

PRICE = Price(input_per_million=1.0, output_per_million=2.0, batch_discount=0.0)


def line(arm: str, fate: Fate, reserved: float, tokens: Tokens | None) -> LedgerLine:
    return line_of(PartOf("t", arm, "p", PRICE), Attempt(1, "done", fate, rows=2, tokens=tokens), None, reserved)


def report() -> CostReport:
    return cost_report({"control": TokenUsage(2, 2, 1000, 0, 1000, unknown=1)}, {}, PRICE, None)


USED = line("control", "used", 1.0, Tokens(rows=2, prompt=1000, completion=0, cached=0, cache_write=0, unknown=1))
LOST = line("control", "lost", 3.0, None)


def test_the_amount_still_to_be_billed_equals_the_held_amount_of_the_ledger() -> None:
    held = spending([USED, LOST]).held
    assert held > Decimal(3), "the answer of unknown usage holds its share of the reserve"
    found = with_attempts(report(), [USED, LOST])
    assert found.held_usd == found.conditions["control"].held_usd == pytest.approx(float(held))
    assert found.spent_usd == found.usd


def test_without_an_unused_attempt_nothing_is_reported() -> None:
    found = with_attempts(report(), [USED])
    assert (found.spent_usd, found.held_usd) == (UNSET, UNSET)
