"""The prices of a run: the configuration's own win, and those kept with it hold for exactly what was bought."""

import pickle
from typing import Any

import msgspec
import pytest

from promptrial.config.pricing import PriceConfig, ProviderPricing
from promptrial.costs.price_book import PriceBook
from promptrial.costs.purchases import Purchase
from promptrial.documents import kept_prices
from promptrial.documents.cost_report import Price
from promptrial.documents.kept_prices import KeptPrice, PriceTier
from promptrial.model import ModelSpec
from promptrial.model.instances import RequestOptions

LOW = Price(input_per_million=1.0, output_per_million=4.0, batch_discount=0.5)
HIGH = Price(input_per_million=2.0, output_per_million=6.0, batch_discount=0.5)
GPT = ModelSpec("small", "gpt", "openai")


def kept(model: ModelSpec, price: Price | None = LOW, tiers: tuple[PriceTier, ...] = ()) -> KeptPrice:
    key = Purchase.of(model)
    entry = KeptPrice(
        provider=key.provider,
        id=key.id,
        vendor="openai",
        terms=key.terms,
        looked_up="2026-11-29",
        price=price,
    )
    return (
        KeptPrice(**{**{name: getattr(entry, name) for name in entry.__struct_fields__}, "tiers": tiers})
        if tiers
        else entry
    )


TIERED = kept(GPT, LOW, (PriceTier(above_tokens=1000, price=HIGH),))


@pytest.mark.parametrize("name", ["small", "gpt"])
def test_a_configured_price_replaces_the_whole_price_of_the_model(name: str) -> None:
    own = {"openai": ProviderPricing(models={name: PriceConfig(input_per_million=9.0, output_per_million=8.0)})}
    book = PriceBook(own, (TIERED,))
    assert book.of(GPT) == Price(input_per_million=9.0, output_per_million=8.0, batch_discount=0.0)
    assert book.listed(GPT) is None


def test_a_kept_price_applies_only_to_its_instance_and_model() -> None:
    book = PriceBook({}, (kept(GPT),))
    assert book.of(ModelSpec("other alias", "gpt", "openai")) == LOW
    assert book.of(ModelSpec("small", "gpt-2", "openai")) is None
    assert book.of(ModelSpec("small", "gpt", "azure", adapter="openai")) is None


@pytest.mark.parametrize(
    "other",
    [
        ModelSpec("small", "gpt", "openai", adapter="openai_compatible"),
        ModelSpec("small", "gpt", "openai", options=RequestOptions(cache_prompt="1h")),
        ModelSpec("small", "gpt", "openai", options=RequestOptions(extra_body='{"service_tier":"flex"}')),
        ModelSpec("small", "gpt", "openai", options=RequestOptions(extra_body='{"speed":"fast"}')),
    ],
    ids=["live", "cache for an hour", "service tier", "speed"],
)
def test_a_model_with_other_terms_has_another_price(other: ModelSpec) -> None:
    assert PriceBook({}, (kept(GPT),)).of(other) is None
    assert PriceBook({}, (kept(GPT), kept(other, HIGH))).of(other) == HIGH


def test_options_that_vendors_do_not_price_change_no_price() -> None:
    usual = ModelSpec("small", "gpt", "openai", options=RequestOptions(extra_body='{"service_tier":"auto","user":"u"}'))
    assert PriceBook({}, (kept(GPT),)).of(usual) == LOW


def test_the_longest_prompt_decides_the_tier() -> None:
    assert PriceBook({}, (TIERED,), longest_prompt=1000).of(GPT) == LOW
    assert PriceBook({}, (TIERED,), longest_prompt=1001).of(GPT) == HIGH
    assert PriceBook({}, (TIERED,)).depends_on_length
    assert not PriceBook({}, (kept(GPT),)).depends_on_length


def test_the_most_expensive_tier_applies_if_the_longest_prompt_is_unknown() -> None:
    assert PriceBook({}, (TIERED,)).of(GPT) == HIGH
    falling = kept(GPT, HIGH, (PriceTier(above_tokens=1000, price=LOW),))
    assert PriceBook({}, (falling,)).of(GPT) == HIGH


def test_a_discount_affects_which_tier_is_the_most_expensive() -> None:
    full = Price(input_per_million=1.5, output_per_million=4.5, batch_discount=0.0)
    assert kept(GPT, full, (PriceTier(above_tokens=1000, price=HIGH),)).of() == full


def test_a_model_kept_without_a_price_is_unpriced_and_not_free() -> None:
    assert PriceBook({}, (kept(GPT, None),)).of(GPT) is None


def test_kept_prices_read_back_from_their_document_and_from_a_pickle() -> None:
    models = (TIERED, kept(ModelSpec("x", "y", "z", adapter="openai"), None))
    assert kept_prices.decode(kept_prices.encode(models)) == models
    book = PriceBook({}, models)
    assert pickle.loads(pickle.dumps(book)) == book  # noqa: S301 - it was pickled here


def test_a_changed_figure_in_the_document_is_noticed() -> None:
    data = kept_prices.encode((TIERED,))
    assert data.count(b"2.0") == 1
    with pytest.raises(ValueError, match="digest"):
        kept_prices.decode(data.replace(b"2.0", b"0.2"))


def by_hand(models: tuple[KeptPrice, ...]) -> bytes:
    """Return a document with its digest whose prices nobody has checked."""
    digest = kept_prices._digest(models)
    return msgspec.json.encode(kept_prices.KeptPrices(schema_version=1, sha256=digest, models=models))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_per_million": -1.0}, ">= 0"),
        ({"input_per_million": 1e7}, "<= 1000000"),
        ({"cache_write_per_million": -0.01}, ">= 0"),
        ({"output_per_million": float("inf")}, "got `null`"),
        ({"batch_discount": -0.1}, ">= 0"),
        ({"batch_discount": 1.5}, "<= 1"),
        ({"source": "a\x1b[2J"}, "printed"),
        ({"notes": ("n" * 301,)}, "too long"),
    ],
)
def test_an_impossible_price_is_refused_even_with_a_valid_digest(changes: dict[str, Any], said: str) -> None:
    odd = msgspec.structs.replace(LOW, **changes)
    for models in ((kept(GPT, odd),), (kept(GPT, LOW, (PriceTier(above_tokens=10, price=odd),)),)):
        with pytest.raises((ValueError, msgspec.MsgspecError)) as caught:
            kept_prices.decode(by_hand(models))
        if changes != {"output_per_million": float("inf")}:  # which JSON cannot even say
            assert said in str(caught.value)
        with pytest.raises((ValueError, msgspec.MsgspecError)):
            kept_prices.encode(models)
