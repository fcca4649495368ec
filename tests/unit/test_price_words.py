"""What plans and lists say of prices: the rates and their source, or the line that would give a price."""

import yaml

from promptrial.config.pricing import PriceConfig, ProviderPricing
from promptrial.costs.price_book import PriceBook
from promptrial.costs.price_words import price_lines, price_said, price_words, pricing_lines
from promptrial.costs.purchases import Purchase
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice, PriceTier
from promptrial.model import ModelSpec

GPT = ModelSpec("small", "gpt", "openai")
RATES = PriceConfig(input_per_million=0.15, output_per_million=0.6)
OWN = {"openai": ProviderPricing(batch_discount=0.5, models={"small": RATES})}


def test_a_price_is_shown_with_its_source_date_and_notes() -> None:
    price = Price(
        input_per_million=0.15,
        output_per_million=0.6,
        batch_discount=0.0,
        source="the list 1.0",
        dated="2026-11-09",
        notes=("one", "its rates in batches"),
    )
    assert price_words(price) == (
        "0.15 USD in, 0.6 USD out, per million tokens (the list 1.0, latest price dated 2026-11-09; one; batch rates)"
    )


def test_a_price_of_the_configuration_says_so() -> None:
    (line,) = price_lines(PriceBook(OWN), [GPT])
    assert line == "models.small: 0.15 USD in, 0.6 USD out, per million tokens, 50% off (`pricing`)"


def test_a_model_without_a_price_says_why_and_which_line_would_give_it_one() -> None:
    purchase = Purchase.of(GPT)
    kept = KeptPrice(
        provider="openai", id="gpt", vendor="openai", terms=purchase.terms, looked_up="", price=None, why="no entry"
    )
    (line,) = price_lines(PriceBook({}, (kept,)), [GPT])
    assert line.startswith("models.small: unpriced (no entry); its cost in USD is unknown, not 0; next: add `pricing: ")
    (unknown,) = price_lines(PriceBook(), [GPT])
    assert unknown.startswith("models.small: unpriced; its cost")


def test_all_price_tiers_are_shown_until_the_prompt_length_is_known() -> None:
    def price(rate: float) -> Price:
        return Price(input_per_million=rate, output_per_million=9.0, batch_discount=0.0, source="list", dated="2026")

    kept = KeptPrice(
        provider="openai",
        id="gpt",
        vendor="openai",
        terms=Purchase.of(GPT).terms,
        looked_up="",
        price=price(1.0),
        tiers=(PriceTier(above_tokens=200_000, price=price(2.0)),),
    )
    rates = "1 USD in, 9 USD out, per million tokens (list, latest price dated 2026)"
    above = "; above 200,000 tokens in a prompt: 2 USD in, 9 USD out, per million tokens"
    assert price_said(PriceBook({}, (kept,)), GPT) == rates + above
    assert price_said(PriceBook({}, (kept,), longest_prompt=1000), GPT) == rates
    assert price_said(PriceBook({}, (kept,), longest_prompt=900_000), GPT).startswith("2 USD in")


def test_the_suggested_price_line_is_valid_in_a_configuration() -> None:
    tree = yaml.safe_load(pricing_lines(GPT).strip("`").replace("USD", "1.5"))
    pricing = {name: ProviderPricing(**terms) for name, terms in tree["pricing"].items()}
    price = PriceBook(pricing).of(GPT)
    assert price is not None
    assert price.input_per_million == 1.5
