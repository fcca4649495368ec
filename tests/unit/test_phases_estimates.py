"""About what a part costs: from the characters of its requests, and the share of its limit that an answer takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from promptrial.config.pricing import PriceConfig, ProviderPricing
from promptrial.costs.price_book import PriceBook
from promptrial.costs.tokens import DEFAULT_RATES, EXPECTED_SHARE, PER_MESSAGE
from promptrial.design.prompts import request_for
from promptrial.model import Arm, Item, ModelSpec
from promptrial.model.instances import RequestOptions
from promptrial.phases.estimates import part_estimate
from promptrial.phases.work import _longest
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row
from tests.support.values import make_trial

MODEL = ModelSpec("m1", "m1", "anthropic", adapter="anthropic")


def arm(model: ModelSpec = MODEL) -> Arm:
    return replace(make_trial().arm("control"), model=model)


def book(input_rate: float, output_rate: float) -> PriceBook:
    price = PriceConfig(input_per_million=input_rate, output_per_million=output_rate)
    return PriceBook({"anthropic": ProviderPricing(batch_discount=0.5, models={"m1": price})})


def rows(*questions: str) -> Iterator[RequestRow]:
    for number, question in enumerate(questions):
        item = Item(id=str(number), dataset="d", question=question, answers=())
        yield decode_request_row(encode_request_row(request_for(item, make_trial(), "control", 0.0, 0)))


def test_the_price_of_a_job_includes_possible_thinking_before_each_answer() -> None:
    """Nothing for what is sent, and a share of the limit: 100 requests of 64 tokens and of 64 and 4,000 of thinking."""
    trial = make_trial(max_new_tokens={"open": 64, "closed": 16})
    thinking = replace(MODEL, options=RequestOptions(thinking_budget=4000))
    for model, longest in ((MODEL, 64), (thinking, 4064)):
        estimate = part_estimate(book(0, 10), arm(model), _longest(trial, model), rows)
        assert estimate(100, 400) == pytest.approx(100 * EXPECTED_SHARE * longest * 10 / 1e6 / 2)


def test_estimates_count_the_characters_of_messages_and_not_the_json_around_them() -> None:
    """The messages of ``make_trial``: ``You are careful.``, and the question between ``Q: `` and a newline, ``A:``."""
    estimate = part_estimate(book(1, 0), arm(), 16, lambda: rows("漢" * 1000))
    letters, marks = DEFAULT_RATES["letters"].expected, DEFAULT_RATES["marks"].expected
    tokens = 1000 * DEFAULT_RATES["han"].expected + 18 * letters + 4 * marks + 2 * PER_MESSAGE.expected
    assert estimate(1, 5000) == pytest.approx(round(tokens) / 1e6 / 2)


def test_a_subset_of_the_requests_costs_its_share() -> None:
    estimate = part_estimate(book(1, 1), arm(), 16, lambda: rows("one", "one", "one", "one"))
    whole, half = estimate(4, 1000), estimate(2, 500)
    assert whole is not None
    assert half == pytest.approx(whole / 2, rel=0.02)


def test_a_model_without_a_price_has_no_estimate() -> None:
    estimate = part_estimate(PriceBook(), arm(), 16, lambda: rows("one"))
    assert estimate(1, 100) is None
