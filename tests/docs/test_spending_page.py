"""The pages on tokens and prices show the rates that are used, and a proof that holds."""

from __future__ import annotations

from pathlib import Path

import yaml

from promptrial.config.pricing import ProviderPricing
from promptrial.costs.bands import Band
from promptrial.costs.tokens import DEFAULT_RATES, EXPECTED_SHARE, MIN_MEASURED, PER_MESSAGE
from promptrial.costs.vendor_terms import BATCH_RULES, VENDORS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tokens.md").read_text(encoding="utf-8")
PRICES = (DOCS / "prices.md").read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    """Return the cells of a table, row by row, without its head."""
    block = PAGE.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()[2:]]


def test_the_page_has_the_rates_that_are_used() -> None:
    shown = [tuple(map(float, cells[1:])) for cells in rows("token rates")]
    assert shown == [(each.expected, each.low, each.high) for each in (*DEFAULT_RATES.values(), PER_MESSAGE)]


def test_the_page_states_the_constants_used_to_estimate_answers() -> None:
    assert EXPECTED_SHARE == 0.25
    plain = " ".join(PAGE.split())
    assert "a quarter of that is expected" in plain
    assert f"at least {MIN_MEASURED} requests" in plain


def test_each_row_of_the_cap_proof_holds() -> None:
    """The rows themselves are computed again by ``tests/e2e/test_token_estimates.py``."""
    found = rows("token proof")
    assert [cells[0] for cells in found] == ["NQ-open", "SQuAD 2.0", "German", "Russian", "Chinese"]
    for cells in found:
        billed, before, after = number(cells[2]), band(cells[3]), band(cells[4])
        assert billed in before
        assert abs(after.expected / billed - 1) <= 0.05
        assert cells[5] == f"{100 * (after.expected / billed - 1):+.1f}%"
        assert number(cells[6]) in band(cells[7])


def number(text: str) -> float:
    return float(text.replace(",", ""))


def band(text: str) -> Band:
    expected, _, limits = text.partition(" (")
    low, _, high = limits.strip(")").partition(" to ")
    return Band(number(low), number(expected), number(high))


def test_every_vendor_whose_prices_are_known_is_named_and_every_rule_has_its_source() -> None:
    labels = {"x-ai": "xAI", "google": "Gemini"}
    plain = " ".join(PRICES.lower().split())
    assert [name for name in VENDORS.values() if labels.get(name, name).lower() not in plain] == []
    assert [rule.source for rule in BATCH_RULES.values() if rule.source not in PRICES] == []
    (block,) = [text for text in PRICES.split("```yaml\n")[1:] if text.startswith("pricing:")]
    pricing = {
        name: ProviderPricing(**terms) for name, terms in yaml.safe_load(block.split("```")[0])["pricing"].items()
    }
    assert pricing["openai"].models["gpt-4o-mini"].cached_input_per_million == 0.075
