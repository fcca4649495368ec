"""What extra keys of requests add to what they can cost."""

import json
from dataclasses import replace
from typing import Any

import pytest

from promptrial.costs.extras import extra_bytes, unbounded_keys
from promptrial.costs.price_book import PriceBook
from promptrial.costs.purchases import Purchase
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice, PriceTier
from promptrial.model import ModelSpec
from promptrial.model.instances import RequestOptions

PRICE = Price(input_per_million=1.0, output_per_million=4.0, batch_discount=0.0)
HIGH = Price(input_per_million=2.0, output_per_million=6.0, batch_discount=0.0)
MODEL = ModelSpec(alias="m1", id="gpt", provider="openai", adapter="openai")


def asking(body: dict[str, Any]) -> ModelSpec:
    return replace(MODEL, options=RequestOptions(extra_body=json.dumps(body, ensure_ascii=False) if body else ""))


def test_extra_keys_count_by_bytes_and_not_by_characters() -> None:
    assert extra_bytes(MODEL) == 0
    assert extra_bytes(asking({"user": "ключ"})) == len('{"user": "') + 8 + len('"}')


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({"service_tier": "flex", "response_format": {"type": "json_object"}}, ()),
        ({"tools": [{"type": "function", "function": {"name": "f"}}, {"name": "g"}]}, ()),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, ("tools",)),
        ({"web_search_options": {}, "prediction": {"content": "x"}}, ("web_search_options", "prediction")),
        ({"reasoning": {"max_tokens": 9000}}, ("reasoning.max_tokens",)),
        ({"reasoning": {"summary": "auto"}, "thinking": None}, ()),
        ({"tools": "all"}, ()),
    ],
)  # fmt: skip
def test_keys_whose_cost_tokens_do_not_bound_are_named(body: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert unbounded_keys(asking(body), PRICE) == keys


def test_a_server_whose_tokens_cost_nothing_has_no_unbounded_keys() -> None:
    free = Price(input_per_million=0.0, output_per_million=0.0, batch_discount=0.0)
    assert unbounded_keys(asking({"thinking": {"type": "enabled"}}), free) == ()


@pytest.mark.parametrize(("above", "expected"), [(1000, HIGH), (2000, PRICE)])
def test_extra_keys_that_lengthen_prompts_raise_them_to_the_long_prompt_price(above: int, expected: Price) -> None:
    model = asking({"tools": [{"name": "f", "description": "w" * 1000}]})
    bought = Purchase.of(model)
    tiers = (PriceTier(above_tokens=above, price=HIGH),)
    kept = KeptPrice(
        provider=bought.provider,
        id=bought.id,
        vendor="",
        terms=bought.terms,
        looked_up="2026-11-29",
        price=PRICE,
        tiers=tiers,
    )
    assert PriceBook({}, (kept,), longest_prompt=500).of(model) == expected
