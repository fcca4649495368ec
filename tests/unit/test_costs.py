import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.config.pricing import PriceConfig, ProviderPricing
from promptrial.costs.amounts import TokenUsage, cost_report
from promptrial.costs.prices import price_for, usd
from promptrial.documents import cost_report as document
from promptrial.documents.cost_report import Price
from promptrial.errors import NewerVersionError
from promptrial.model import ModelSpec
from promptrial.model.arms import PAIR, ArmName
from tests.support.schemas import validate

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "costs.schema.json"
PRICE = Price(input_per_million=2.0, output_per_million=10.0, batch_discount=0.5)
PRICING = {
    "openai": ProviderPricing(
        batch_discount=0.5,
        models={
            "small": PriceConfig(input_per_million=2, output_per_million=10),
            "gpt-small-2026": PriceConfig(input_per_million=3, output_per_million=12),
        },
    )
}


def usage(
    prompt: int = 1_000_000, completion: int = 100_000, *, requests: int = 10, answered: int = 10, unknown: int = 0
) -> TokenUsage:
    return TokenUsage(requests, answered, prompt, completion, prompt + completion, None, unknown)


def both(control: TokenUsage, treatment: TokenUsage) -> dict[ArmName, TokenUsage]:
    return {"control": control, "treatment": treatment}


def test_usd_is_tokens_times_price_minus_the_batch_discount() -> None:
    assert usd(1_000_000, 100_000, PRICE) == pytest.approx((2.0 + 1.0) / 2)
    assert usd(1_000_000, 100_000, msgspec.structs.replace(PRICE, batch_discount=0.0)) == pytest.approx(3.0)


def test_a_priced_report_has_the_amount_of_each_arm_and_their_sum() -> None:
    report = cost_report(both(usage(), usage(3_000_000)), {"control": 4.0, "treatment": 2.5}, PRICE)

    assert report.priced
    assert report.price == PRICE
    assert report.conditions["control"].usd == pytest.approx(1.5)
    assert report.conditions["treatment"].usd == pytest.approx(3.5)
    assert report.usd == pytest.approx(5.0)
    assert report.conditions["control"].usd_per_correct == pytest.approx(1.5 / 4)
    assert report.usd_per_correct == pytest.approx(5.0 / 6.5)
    assert (report.prompt_tokens, report.completion_tokens, report.total_tokens) == (4_000_000, 200_000, 4_200_000)
    assert (report.requests, report.answered, report.correct, report.tokens_unknown) == (20, 20, 6.5, 0)


def test_cached_tokens_cost_the_same_as_others_by_default() -> None:
    cached = TokenUsage(10, 10, 1_000_000, 100_000, 1_100_000, cached_tokens=600_000)
    report = cost_report(both(cached, usage()), {"control": 4.0, "treatment": 4.0}, PRICE)
    assert report.conditions["control"].usd == report.conditions["treatment"].usd == pytest.approx(1.5)


def test_a_model_without_a_price_is_unpriced_and_not_free() -> None:
    report = cost_report(both(usage(), usage()), {"control": 4.0, "treatment": 2.5}, None)

    assert not report.priced
    assert report.price is None
    assert report.usd is None
    assert [cost.usd for cost in report.conditions.values()] == [None, None]
    assert report.usd_per_correct is None
    assert report.total_tokens == 2_200_000


def test_a_price_of_zero_is_a_price() -> None:
    free = Price(input_per_million=0.0, output_per_million=0.0, batch_discount=0.0)
    report = cost_report(both(usage(), usage()), {"control": 1.0, "treatment": 1.0}, free)

    assert report.priced
    assert report.usd == 0.0
    assert report.usd_per_correct == 0.0


@pytest.mark.parametrize("correct", [0.0, None])
def test_nothing_right_or_nothing_scored_has_no_price_per_right_answer(correct: float | None) -> None:
    report = cost_report({"control": usage()}, {"control": correct}, PRICE)

    assert report.usd_per_correct is None
    assert report.correct == correct


def test_a_response_without_an_answer_was_paid_for_and_can_have_unknown_usage() -> None:
    silent = TokenUsage(10, 4, 4000, 400, 4400, None, unknown=6, empty=6)
    report = cost_report(both(silent, usage()), {"control": 4.0, "treatment": 4.0}, PRICE)
    assert report.conditions["control"].tokens_unknown == report.tokens_unknown == 6
    assert report.conditions["control"].prompt_tokens == 4000
    assert report.conditions["control"].usd is not None


def test_if_all_responses_are_empty_and_without_usage_the_cost_is_unknown() -> None:
    arm = TokenUsage(10, 0, 0, 0, 0, None, unknown=10, empty=10)
    report = cost_report({"control": arm}, {"control": None}, PRICE)
    assert (report.total_tokens, report.usd, report.tokens_unknown) == (None, None, 10)


@pytest.mark.parametrize(("answered", "unknown", "empty"), [(4, 8, 3), (4, 0, 7), (4, 0, -1), (-1, 0, 3)])
def test_more_responses_than_requests_or_more_unknown_than_responses_are_refused(
    answered: int, unknown: int, empty: int
) -> None:
    with pytest.raises(ValueError, match="responses"):
        TokenUsage(10, answered, 0, 0, 0, None, unknown, empty)


def test_an_arm_with_missing_scores_leaves_the_total_unknown() -> None:
    report = cost_report(both(usage(), usage()), {"control": 3.0}, PRICE)

    assert report.conditions["control"].usd_per_correct == pytest.approx(0.5)
    assert report.conditions["treatment"].correct is None
    assert report.correct is None
    assert report.usd_per_correct is None


def test_answers_of_unknown_usage_are_counted_and_make_the_amount_a_lower_bound() -> None:
    report = cost_report(both(usage(), usage(unknown=3)), {"control": 4.0, "treatment": 4.0}, PRICE)

    assert report.tokens_unknown == 3
    assert report.conditions["control"].tokens_unknown == 0
    assert report.conditions["treatment"].usd == pytest.approx(1.5)
    assert report.conditions["treatment"].usd_per_correct is None
    assert report.usd_per_correct is None
    assert report.conditions["control"].usd_per_correct == pytest.approx(1.5 / 4)


def test_without_known_usage_tokens_and_amount_are_missing_and_not_zero() -> None:
    silent = TokenUsage(10, 9, 0, 0, 0, None, 9)
    report = cost_report({"control": silent}, {"control": 4.0}, PRICE)

    assert (report.prompt_tokens, report.completion_tokens, report.total_tokens, report.usd) == (None,) * 4
    assert report.tokens_unknown == 9


def test_an_arm_in_which_nothing_was_answered_used_no_tokens() -> None:
    report = cost_report({"treatment": TokenUsage(10, 0, 0, 0, 0)}, {}, PRICE)

    assert (report.total_tokens, report.usd, report.usd_per_correct) == (0, 0.0, None)
    assert list(report.conditions) == ["treatment"]


def test_a_report_needs_an_arm() -> None:
    with pytest.raises(ValueError, match="at least one"):
        cost_report({}, {}, PRICE)


@pytest.mark.parametrize(
    "counts",
    [(10, 11, 0, 0, 0, None, 0), (10, 5, 0, 0, 0, None, 6), (10, 10, -1, 0, 0, None, 0), (10, 10, 0, 0, 0, -1, 0)],
)
def test_counts_that_contradict_each_other_are_refused(counts: tuple[int, int, int, int, int, int | None, int]) -> None:
    with pytest.raises(ValueError, match=r"requests|not negative"):
        TokenUsage(*counts)


def test_batches_of_usage_add_up_and_an_unreported_cache_stays_unreported() -> None:
    first, second = TokenUsage(2, 2, 10, 4, 14, None, 1), TokenUsage(3, 1, 5, 1, 6, 2, 0)

    assert first + second == TokenUsage(5, 3, 15, 5, 20, 2, 1)
    assert (first + first).cached_tokens is None


def test_a_price_is_found_by_alias_before_the_id_of_the_provider() -> None:
    by_alias = price_for(PRICING, ModelSpec("small", "gpt-small-2026", "openai"))
    by_id = price_for(PRICING, ModelSpec("other-name", "gpt-small-2026", "openai"))

    assert by_alias == PRICE
    assert by_id == Price(input_per_million=3.0, output_per_million=12.0, batch_discount=0.5)


@pytest.mark.parametrize(
    ("adapter", "discount"),
    [
        ("openai", 0.5), ("anthropic", 0.5), ("fireworks", 0.5), ("batch_file", 0.5), ("embedded", 0.5),
        ("openai_compatible", 0.0), ("anthropic_live", 0.0),
    ],
)  # fmt: skip
def test_live_requests_have_no_discount_of_batches(adapter: str, discount: float) -> None:
    found = price_for(PRICING, ModelSpec("small", "x", "openai", adapter=adapter))
    assert found == msgspec.structs.replace(PRICE, batch_discount=discount)


@pytest.mark.parametrize(("provider", "alias"), [("openai", "large"), ("embedded", "small")])
def test_a_model_or_provider_that_is_not_listed_has_no_price(provider: str, alias: str) -> None:
    assert price_for(PRICING, ModelSpec(alias, "unlisted", provider)) is None


def test_the_document_reads_back_and_equal_reports_give_equal_bytes() -> None:
    counts = both(usage(), usage(unknown=2))
    correct: dict[ArmName, float | None] = {"control": 1 / 3, "treatment": None}
    report = cost_report(counts, correct, PRICE)

    assert document.decode(document.encode(report)) == report
    assert document.encode(report) == document.encode(cost_report(dict(reversed(counts.items())), correct, PRICE))
    assert document.encode(report).endswith(b"}\n")


def test_another_version_is_refused() -> None:
    row = json.loads(document.encode(cost_report({"control": usage()}, {}, None))) | {"schema_version": 2}

    with pytest.raises(NewerVersionError, match="schema_version"):
        document.decode(json.dumps(row).encode())


def test_the_published_schema_equals_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == document.json_schema()


@given(
    counts=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 5)), min_size=1, max_size=2),
    # Of some items each is right in a share of its samples; a smaller number than such a sum would make costs absurd.
    correct=st.none() | st.fractions(0, 5, max_denominator=1000).map(float),
    priced=st.booleans(),
)
def test_every_report_fits_the_published_schema_and_its_arms_add_up(
    counts: list[tuple[int, int, int]], correct: float | None, priced: bool
) -> None:
    arms: dict[ArmName, TokenUsage] = {
        condition: usage(prompt, completion, requests=6, answered=5, unknown=unknown)
        for condition, (prompt, completion, unknown) in zip(PAIR, counts, strict=False)
    }
    report = cost_report(arms, dict.fromkeys(arms, correct), PRICE if priced else None)
    row = json.loads(document.encode(report))

    validate(row, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert (report.total_tokens or 0) == sum(cost.total_tokens or 0 for cost in report.conditions.values())
    amounts = [cost.usd for cost in report.conditions.values() if cost.usd is not None]
    assert (report.usd is None) == (not amounts)
    assert (report.usd or 0.0) == pytest.approx(sum(amounts))


CACHED = msgspec.structs.replace(PRICE, cached_input_per_million=0.2, cache_write_per_million=4.0)


def with_cache(read: int | None, written: int) -> TokenUsage:
    return TokenUsage(10, 10, 1_000_000, 100_000, 1_100_000, read, cache_write_tokens=written)


def test_tokens_read_from_and_written_to_a_cache_have_rates_of_their_own() -> None:
    full = usd(1_000_000, 100_000, CACHED, cached_tokens=500_000, cache_write_tokens=100_000)
    assert full == pytest.approx((0.4 * 2.0 + 0.5 * 0.2 + 0.1 * 4.0 + 1.0) / 2)


def test_with_only_one_cache_rate_the_other_tokens_cost_the_prompt_rate() -> None:
    reads = msgspec.structs.replace(PRICE, cached_input_per_million=0.2)
    assert usd(1_000_000, 0, reads, cached_tokens=500_000, cache_write_tokens=100_000) == pytest.approx(0.55)
    writes = msgspec.structs.replace(PRICE, cache_write_per_million=4.0)
    assert usd(1_000_000, 0, writes, cached_tokens=500_000, cache_write_tokens=100_000) == pytest.approx(1.1)


def test_implausibly_many_cached_tokens_do_not_lower_the_cost_further() -> None:
    assert usd(100, 0, CACHED, cached_tokens=1_000_000) == pytest.approx(0.1)


def test_cache_reads_and_writes_are_amounts_of_their_own_by_arm_and_together() -> None:
    report = cost_report(both(with_cache(500_000, 0), with_cache(300_000, 200_000)), {}, CACHED)
    control, treatment = (report.conditions[arm] for arm in PAIR)
    assert control.cache_read_usd == pytest.approx(0.05)
    assert control.cache_write_usd is msgspec.UNSET
    assert treatment.cache_read_usd == pytest.approx(0.03)
    assert report.cache_read_usd == pytest.approx(0.08)
    assert treatment.cache_write_usd == report.cache_write_usd == pytest.approx(0.4)
    assert (control.cache_write_tokens, report.cache_write_tokens) == (msgspec.UNSET, 200_000)
    assert report.usd == pytest.approx((control.usd or 0) + (treatment.usd or 0))


def test_arms_with_prices_of_their_own_add_up_what_their_caches_cost() -> None:
    report = cost_report(both(with_cache(500_000, 0), with_cache(300_000, 0)), {}, CACHED, {"treatment": PRICE})
    assert report.cache_read_usd == report.conditions["control"].cache_read_usd == pytest.approx(0.05)
    assert report.conditions["treatment"].cache_read_usd is msgspec.UNSET


@pytest.mark.parametrize("price", [PRICE, None])
def test_without_rates_or_tokens_of_a_cache_no_key_is_added(price: Price | None) -> None:
    for found in (cost_report({"control": with_cache(5, 0)}, {}, price), cost_report({"control": usage()}, {}, CACHED)):
        assert not {"cache_write_tokens", "cache_read_usd", "cache_write_usd"} & set(json.loads(document.encode(found)))


def test_a_document_with_cache_costs_matches_its_schema_and_reads_back() -> None:
    report = cost_report(both(with_cache(500_000, 0), with_cache(300_000, 200_000)), {}, CACHED)
    data = document.encode(report)
    validate(json.loads(data), json.loads(SCHEMA.read_bytes()))
    assert document.decode(data) == report


def test_cache_rates_come_from_the_configuration_and_default_to_no_change() -> None:
    plain = PriceConfig(input_per_million=2, output_per_million=10)
    assert plain.model_dump(mode="json") == {"input_per_million": 2, "output_per_million": 10}
    rates = PriceConfig(
        input_per_million=2, output_per_million=10, cached_input_per_million=0.2, cache_write_per_million=4
    )
    found = price_for(
        {"openai": ProviderPricing(batch_discount=0.5, models={"m": rates})}, ModelSpec("m", "m", "openai")
    )
    assert found == CACHED
