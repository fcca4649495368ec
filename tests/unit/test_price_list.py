"""Prices from the list of vendors' prices: by vendor, model, day and terms, offline, and never a guess."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from promptrial.costs import catalogue
from promptrial.costs.catalogue import list_price
from promptrial.costs.purchases import Purchase
from promptrial.costs.vendor_terms import BATCH_RULES, OWN_MODELS, VENDOR_NOTES, VENDORS, vendor_at
from promptrial.documents import kept_prices
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice

AT = datetime(2026, 11, 29, 9, tzinfo=UTC)
IN_BATCHES = {"processing": "batch"}


def rates(**given: str | TieredPrices) -> ModelPrice:
    return ModelPrice(**{key: Decimal(rate) if isinstance(rate, str) else rate for key, rate in given.items()})


def tiered(base: str, *tiers: tuple[int, str]) -> TieredPrices:
    return TieredPrices(base=Decimal(base), tiers=[Tier(start=start, price=Decimal(rate)) for start, rate in tiers])


def listed(
    monkeypatch: pytest.MonkeyPatch,
    prices: ModelPrice | list[ConditionalPrice],
    *variants: PriceVariant,
    vendor: str = "openai",
    at: datetime = AT,
    **bought: Any,
) -> KeptPrice:
    """Return the price of the model ``m`` in a list that holds it alone."""
    name = f"{OWN_MODELS.get(vendor, '')}m"
    model = ModelInfo(id="m", match=ClauseEquals(equals=name), prices=prices, price_variants=list(variants))
    provider = Provider(id=vendor, name="Vendor", api_pattern="", models=[model])
    monkeypatch.setattr(catalogue, "_providers", lambda: [provider])
    catalogue._newest.cache_clear()
    try:
        return list_price(Purchase("p", "m", "m", **bought), vendor, at)
    finally:
        catalogue._newest.cache_clear()


def price_of(kept: KeptPrice) -> Price:
    assert kept.price is not None
    return kept.price


def notes_of(price: Price) -> tuple[str, ...]:
    return () if price.notes is msgspec.UNSET else price.notes


PLAIN = rates(input_mtok="2", output_mtok="8", cache_read_mtok="0.5", cache_write_mtok="2.5", cache_write_1h_mtok="4")


def test_a_price_has_its_rates_its_source_and_the_day_of_the_newest_price(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = listed(monkeypatch, PLAIN, PriceVariant(IN_BATCHES, rates(), StartDateConstraint(date(2026, 10, 14))))
    price = price_of(kept)
    assert (price.input_per_million, price.output_per_million, price.batch_discount) == (2.0, 8.0, 0.0)
    assert (price.cached_input_per_million, price.cache_write_per_million) == (0.5, 2.5)
    assert price.source == f"genai-prices {sys.modules['genai_prices'].__version__}"
    assert price.dated == "2026-10-14"
    assert price.notes is msgspec.UNSET
    assert (kept.provider, kept.id, kept.vendor, kept.terms, kept.looked_up) == ("p", "m", "openai", (), "2026-11-29")


def test_the_price_is_that_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [
        ConditionalPrice(prices=rates(input_mtok="9", output_mtok="9")),
        ConditionalPrice(StartDateConstraint(date(2026, 11, 29)), prices=PLAIN),
    ]
    before = listed(monkeypatch, history, at=datetime(2026, 11, 28, 23, 59, tzinfo=UTC))
    assert price_of(before).input_per_million == 9.0
    assert price_of(listed(monkeypatch, history)).input_per_million == 2.0


@pytest.mark.parametrize("hour", [0, 6, 12, 23])
def test_a_price_that_changes_by_the_hour_uses_the_highest(monkeypatch: pytest.MonkeyPatch, hour: int) -> None:
    by_hour = [
        ConditionalPrice(prices=PLAIN),
        ConditionalPrice(
            TimeOfDateConstraint(time(16, 30), time(0, 30)), prices=rates(input_mtok="1", output_mtok="4")
        ),
    ]
    price = price_of(listed(monkeypatch, by_hour, at=AT.replace(hour=hour)))
    assert price.input_per_million == 2.0
    assert any("the highest of the day" in note for note in notes_of(price))


def test_a_common_reduction_of_all_rates_is_the_batch_discount(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = rates(input_mtok="2", output_mtok="8", cache_read_mtok="0.5")
    half = PriceVariant(IN_BATCHES, rates(input_mtok="1", output_mtok="4", cache_read_mtok="0.25"))
    price = price_of(listed(monkeypatch, prices, half, batch=True))
    assert (price.input_per_million, price.output_per_million, price.cached_input_per_million) == (2.0, 8.0, 0.5)
    assert price.batch_discount == 0.5
    assert price_of(listed(monkeypatch, prices, half)).batch_discount == 0.0


def test_batch_rates_without_a_common_reduction_are_used_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    half = PriceVariant(IN_BATCHES, rates(input_mtok="1", output_mtok="4"))
    price = price_of(listed(monkeypatch, PLAIN, half, batch=True))
    assert (price.input_per_million, price.output_per_million, price.batch_discount) == (1.0, 4.0, 0.0)
    assert price.cached_input_per_million == 0.5
    assert notes_of(price) == ("its rates in batches",)


def test_higher_batch_rates_are_not_a_discount(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = rates(input_mtok="2", output_mtok="8")
    price = price_of(
        listed(monkeypatch, prices, PriceVariant(IN_BATCHES, rates(input_mtok="3", output_mtok="12")), batch=True)
    )
    assert (price.input_per_million, price.output_per_million, price.batch_discount) == (3.0, 12.0, 0.0)


def test_terms_together_have_a_price_only_if_one_rule_is_about_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = PriceVariant(IN_BATCHES, rates(input_mtok="1", output_mtok="4"))
    tier = PriceVariant({"service_tier": "priority"}, rates(input_mtok="4", output_mtok="16"))
    both = PriceVariant({**IN_BATCHES, "service_tier": "priority"}, rates(input_mtok="3", output_mtok="9"))
    bought: dict[str, Any] = {"batch": True, "options": (("service_tier", "priority"),)}
    found = listed(monkeypatch, PLAIN, batch, tier, **bought)
    assert found.price is None
    assert str(found.why).endswith("lists no price for its service_tier 'priority' in batches")
    assert price_of(listed(monkeypatch, PLAIN, both, batch, tier, **bought)).input_per_million == 3.0


def test_every_price_of_the_list_can_be_kept_and_read_back() -> None:
    choices: tuple[tuple[tuple[str, str], ...], ...] = (
        (),
        (("service_tier", "priority"),),
        (("service_tier", "flex"),),
    )
    bought = [
        (vendor, Purchase(vendor, model.id, model.id, batch=batch, options=options))
        for vendor in ("openai", "anthropic", "google")
        for model in next(each for each in catalogue._providers() if each.id == vendor).models
        for batch in (False, True)
        for options in choices
    ]
    found = tuple(list_price(purchase, vendor, AT) for vendor, purchase in bought)
    assert kept_prices.decode(kept_prices.encode(found)) == found


def test_without_a_batch_rule_the_full_price_applies_and_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    later = PriceVariant(IN_BATCHES, rates(input_mtok="1", output_mtok="4"), StartDateConstraint(date(2026, 12, 1)))
    for variants in ((), (later,)):
        price = price_of(listed(monkeypatch, PLAIN, *variants, batch=True))
        assert (price.input_per_million, price.batch_discount) == (2.0, 0.0)
        assert notes_of(price) == ("no discount for batches is known",)


def test_the_stated_rule_of_a_vendor_takes_half_off_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = rates(input_mtok="2", output_mtok="8")
    price = price_of(listed(monkeypatch, prices, vendor="fireworks", batch=True))
    assert (price.input_per_million, price.output_per_million, price.batch_discount) == (2.0, 8.0, 0.5)
    assert price.cached_input_per_million == 1.0  # half of the others, and half of that again in batches
    assert BATCH_RULES["fireworks"].source in notes_of(price)[0]
    live = price_of(listed(monkeypatch, prices, vendor="fireworks"))
    assert (live.batch_discount, live.cached_input_per_million) == (0.0, msgspec.UNSET)


def test_a_listed_rate_for_cached_tokens_wins_over_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    price = price_of(listed(monkeypatch, PLAIN, vendor="fireworks", batch=True))
    assert price.cached_input_per_million == 0.5


def test_a_price_by_the_length_of_the_prompt_is_kept_tier_by_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = rates(input_mtok=tiered("1", (100, "2"), (500, "3")), output_mtok=tiered("4", (500, "6")))
    kept = listed(monkeypatch, prices)
    assert kept.tier_starts == (100, 500)
    found = [kept.of(length) for length in (100, 101, 500, 501)]
    assert [(price.input_per_million, price.output_per_million) for price in found if price] == [
        (1.0, 4.0), (2.0, 4.0), (2.0, 4.0), (3.0, 6.0),
    ]  # fmt: skip
    assert [notes_of(price) for price in found if price][1:] == [
        (f"prompts of more than {start} tokens, which may occur",) for start in (100, 100, 500)
    ]


def test_tiers_apply_to_batches_too(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = rates(input_mtok=tiered("2", (100, "4")), output_mtok=tiered("8", (100, "12")))
    half = PriceVariant(IN_BATCHES, rates(input_mtok=tiered("1", (100, "2")), output_mtok=tiered("4", (100, "6"))))
    kept = listed(monkeypatch, prices, half, batch=True)
    assert [(price.input_per_million, price.batch_discount) for n in (1, 101) if (price := kept.of(n))] == [
        (2.0, 0.5), (4.0, 0.5),
    ]  # fmt: skip


def test_prompts_cached_for_an_hour_have_the_hourly_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert price_of(listed(monkeypatch, PLAIN, cache_1h=True)).cache_write_per_million == 4.0
    assert price_of(listed(monkeypatch, PLAIN)).cache_write_per_million == 2.5


def test_reasoning_tokens_cost_the_output_rate_or_their_own_higher_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    dearer = rates(input_mtok="1", output_mtok="4", output_reasoning_mtok="9")
    cheaper = rates(input_mtok="1", output_mtok="4", output_reasoning_mtok="3")
    assert price_of(listed(monkeypatch, dearer)).output_per_million == 9.0
    assert price_of(listed(monkeypatch, cheaper)).output_per_million == 4.0


def test_a_service_tier_has_its_own_price_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    flex = PriceVariant({"service_tier": "flex"}, rates(input_mtok="1", output_mtok="4"))
    found = listed(monkeypatch, PLAIN, flex, options=(("service_tier", "flex"),))
    assert price_of(found).input_per_million == 1.0
    other = listed(monkeypatch, PLAIN, flex, options=(("service_tier", "priority"),))
    assert other.price is None
    assert "service_tier 'priority'" in str(other.why)


@pytest.mark.parametrize(
    ("prices", "bought", "why"),
    [
        (rates(input_mtok="1"), {}, "both input and output"),
        (rates(output_mtok="1"), {}, "both input and output"),
        (rates(input_mtok="1", output_mtok="1", requests_kcount="5"), {}, "charges other than"),
        (rates(input_mtok="1", output_mtok="1", cache_write_mtok="5", cache_write_5m_mtok="5"), {}, None),
        (rates(input_mtok="1", output_mtok="1", web_searches_kcount="5", input_audio_mtok="3"), {}, None),
        (rates(input_mtok="1", output_mtok="1"), {"cache_1h": True}, "cached for an hour"),
    ],
)
def test_a_model_is_unpriced_if_the_list_has_only_part_of_its_price(
    monkeypatch: pytest.MonkeyPatch, prices: ModelPrice, bought: dict[str, Any], why: str | None
) -> None:
    kept = listed(monkeypatch, prices, **bought)
    if why is None:
        assert kept.why is msgspec.UNSET
        assert kept.price is not None
    else:
        assert kept.price is None
        assert why in str(kept.why)


def test_a_model_without_an_entry_or_a_vendor_is_unpriced_and_says_why() -> None:
    known = Purchase("p", "gpt-4o", "gpt-4o")
    assert list_price(known, "openai", AT).price is not None
    unknown = list_price(Purchase("p", "gpt-4o-of-my-own", "gpt-4o-of-my-own"), "openai", AT)
    assert (unknown.price, unknown.why) == (None, f"{catalogue._source()} has no entry for it at openai")
    gone = list_price(known, "left out", AT)
    assert (gone.price, gone.why) == (None, f"{catalogue._source()} has no entry for it at left out")
    nobody = list_price(known, "", AT)
    assert (nobody.price, nobody.why) == (None, "no price list covers its server")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/v1",
        "https://api.openai.com.example.org/v1",
        "https://api.openai.com@example.org/v1",
        "https://proxy.example.org/api.openai.com/v1",
        "http://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://eu.api.openai.com/v1",
        "https://r.openai.azure.com/openai/v1",
        "https://api.openai.com:port/v1",
        "https://[",
        "",
    ],
)
def test_only_the_host_of_a_vendor_has_its_prices(address: str) -> None:
    assert vendor_at(address) == ""


def test_the_list_has_every_vendor_that_is_named() -> None:
    there = {provider.id for provider in catalogue._providers()}
    assert {*VENDORS.values()} <= there
    assert {*BATCH_RULES, *OWN_MODELS, *VENDOR_NOTES} <= {*VENDORS.values()}


@pytest.mark.parametrize(
    ("vendor", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-4.1-nano"),
        ("openai", "gpt-5.4"),
        ("anthropic", "claude-haiku-4-5"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("groq", "openai/gpt-oss-20b"),
    ],
)
@pytest.mark.parametrize("batch", [False, True])
def test_prices_of_the_list_are_what_the_package_computes_for_a_request(
    vendor: str, model: str, *, batch: bool
) -> None:
    from genai_prices import Usage, calc_price

    used = Usage(input_tokens=900_000, cache_read_tokens=300_000, output_tokens=200_000)
    expected = calc_price(
        used,
        model,
        provider_id=vendor,
        genai_request_timestamp=AT,
        price_context=IN_BATCHES if batch else None,
    )
    price = list_price(Purchase("p", model, model, batch=batch), vendor, AT).of(900_000)
    assert price is not None
    cached = (
        price.input_per_million if price.cached_input_per_million is msgspec.UNSET else price.cached_input_per_million
    )
    found = (0.6 * price.input_per_million + 0.3 * cached + 0.2 * price.output_per_million) * (1 - price.batch_discount)
    assert found == pytest.approx(float(expected.total_price))


def test_a_vendors_own_model_is_found_by_its_bare_name() -> None:
    bare, full = (
        list_price(Purchase("p", "m", name, batch=True), "fireworks", AT).price
        for name in ("gpt-oss-20b", f"{OWN_MODELS['fireworks']}gpt-oss-20b")
    )
    assert bare == full
    assert bare is not None
    assert bare.batch_discount == 0.5
    other = list_price(Purchase("p", "m", "accounts/me/models/gpt-oss-20b", batch=True), "fireworks", AT)
    assert other.price is None


OFFLINE = """
import socket
def refused(*args, **kwargs):
    raise AssertionError("a socket was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
import sys, threading
from datetime import datetime, UTC
from promptrial.costs.purchases import Purchase
from promptrial.costs.price_book import PriceBook
from promptrial.costs import catalogue
assert "genai_prices" not in sys.modules
price = catalogue.list_price(Purchase("p", "gpt-4o", "gpt-4o"), "openai", datetime(2026, 11, 29, tzinfo=UTC)).price
assert price is not None and price.input_per_million > 0
assert "genai_prices" in sys.modules
assert threading.active_count() == 1, "something goes on behind it"
"""


def test_prices_are_looked_up_offline_and_the_list_is_imported_only_then() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", OFFLINE], check=True)
