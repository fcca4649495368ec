"""Estimates of tokens: which source is used, and what its band promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from promptrial.costs.bands import NOTHING, Band
from promptrial.costs.characters import Characters, RequestSize, characters_of, size_of
from promptrial.costs.tokens import (
    DEFAULT_RATES,
    MIN_MEASURED,
    PER_MESSAGE,
    Measured,
    _around,
    _t_quantile,
    input_tokens,
    output_tokens,
)

_SENT = RequestSize(100, 200, Characters(letters=10_000))


def _measured(inputs: list[int], outputs: list[int] | None = None, letters: int = 100) -> Measured:
    together = Measured()
    for number, took in enumerate(inputs):
        out = outputs[number] if outputs else 1
        together += Measured.of(RequestSize(1, 2, Characters(letters=letters)), took, out)
    return together


def test_a_tokenizer_count_is_preferred_to_any_estimate() -> None:
    every = _measured([40, 50] * 50)
    assert input_tokens(_SENT, tokenized=every, measured=_measured([30] * 9)) == (Band.exactly(4500), "tokenizer")
    some = input_tokens(_SENT, tokenized=_measured([40, 50] * 5), measured=_measured([30] * 9))
    assert some.source == "tokenizer"
    assert some.tokens.low < 4500 < some.tokens.high
    assert some.tokens.expected == pytest.approx(4500)
    assert input_tokens(_SENT, tokenized=_measured([40] * 2), measured=_measured([30] * 9)).source == "answers"


def test_without_answers_the_default_and_its_band_are_used() -> None:
    found = input_tokens(_SENT)
    assert found.source == "default"
    assert found.tokens == DEFAULT_RATES["letters"].scaled(10_000) + PER_MESSAGE.scaled(200)


def test_too_few_answers_are_not_used_as_a_measurement() -> None:
    assert input_tokens(_SENT, measured=_measured([30] * (MIN_MEASURED - 1))).source == "default"
    assert output_tokens(10, 1000, measured=_measured([30] * (MIN_MEASURED - 1))).source == "default"


def test_requests_that_all_take_the_same_tokens_give_a_band_without_width() -> None:
    found = input_tokens(_SENT, measured=_measured([30] * 9))
    assert found.source == "answers"
    assert found.tokens.expected == pytest.approx(3000)
    assert found.tokens.high == pytest.approx(3000)


def test_longer_requests_than_those_measured_take_more_tokens() -> None:
    twice = input_tokens(RequestSize(100, 400, Characters(letters=20_000)), measured=_measured([30] * 9))
    assert twice.tokens.expected == pytest.approx(6000)


def test_the_width_of_a_measured_band_follows_the_variation_of_requests() -> None:
    narrow = input_tokens(_SENT, measured=_measured([29, 31] * 10)).tokens
    wide = input_tokens(_SENT, measured=_measured([25, 35] * 10)).tokens
    more = input_tokens(_SENT, measured=_measured([25, 35] * 100)).tokens
    assert wide.high - wide.low == pytest.approx(5 * (narrow.high - narrow.low))
    assert more.high - more.low < wide.high - wide.low


def test_unknown_answers_are_assumed_to_be_up_to_the_limit() -> None:
    assert output_tokens(100, 6400) == (Band(100, 1600, 6400), "default")


def test_zero_requests_have_zero_tokens() -> None:
    assert input_tokens(RequestSize()).tokens == NOTHING
    assert output_tokens(0, 0).tokens == NOTHING
    assert output_tokens(0, 0, measured=_measured([30] * 9)).tokens == NOTHING


def test_measured_answers_give_their_mean_and_stay_below_the_limit() -> None:
    measured = _measured([30] * 10, [10, 20] * 5)
    found = output_tokens(100, 6400, measured=measured)
    assert found.source == "answers"
    assert found.tokens.expected == pytest.approx(1500)
    assert 1000 < found.tokens.low < 1500 < found.tokens.high < 2000
    assert output_tokens(100, 1400, measured=measured).tokens.high == 1400


@pytest.mark.parametrize("degrees", [4, 9, 29, 500])
def test_the_quantile_is_that_of_students_t(degrees: int) -> None:
    assert _t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=3e-3)


def test_the_quantile_lacks_only_the_fourth_term_of_its_expansion() -> None:
    z, degrees = float(stats.norm.ppf(0.975)), 30
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160  # Abramowitz and Stegun, 26.7.5
    lacking = float(stats.t.ppf(0.975, degrees)) - _t_quantile(degrees)
    assert lacking * degrees**4 == pytest.approx(fourth, abs=0.05)


def test_characters_are_counted_by_kind() -> None:
    text = "Grüße 12, Мир Αθήνα שלום नमस्ते 東京タワー 서울 😀"
    assert characters_of(text) == Characters(
        letters=3 + 8, digits=2, marks=1, latin=2, cyrillic=3, greek=5, semitic=4, indic=6, han=5, hangul=2, other=1
    )
    assert characters_of(text).total == len(text)


def test_a_lone_surrogate_counts_as_one_character() -> None:
    assert characters_of("a\ud800").total == 2


def test_the_size_of_a_request_is_the_size_of_its_messages() -> None:
    assert size_of(["abc", "12"]) == RequestSize(1, 2, Characters(letters=3, digits=2))
    assert size_of(["abc"]).times(3).plus(size_of(["x"])) == RequestSize(4, 4, Characters(letters=10))


@pytest.mark.parametrize("left", [20, 1000])
def test_the_band_after_a_pilot_holds_about_95_times_in_100(left: int) -> None:
    """Lengths vary by half, tokens of a letter by a tenth; 30 requests are measured, and some or many are left."""
    draw, held, answers_held, rounds = np.random.default_rng(38), 0, 0, 400
    for _ in range(rounds):
        letters = draw.integers(200, 1800, 30 + left)
        took = np.rint(letters * draw.normal(0.3, 0.03, 30 + left)).astype(int)
        answers = draw.integers(1, 60, 30 + left)
        measured = Measured()
        for length, one, answer in zip(letters[:30], took[:30], answers[:30], strict=True):
            measured += Measured.of(RequestSize(1, 0, Characters(letters=int(length))), int(one), int(answer))
        sent = RequestSize(left, 0, Characters(letters=int(letters[30:].sum())))
        held += int(took[30:].sum()) in input_tokens(sent, measured=measured).tokens
        answers_held += int(answers[30:].sum()) in output_tokens(left, 64 * left, measured=measured).tokens
    assert 0.92 <= held / rounds <= 0.98
    assert 0.92 <= answers_held / rounds <= 0.98


@pytest.mark.parametrize("replicates", [3, 5])
def test_the_band_after_a_pilot_holds_where_items_are_asked_several_times(replicates: int) -> None:
    """The input of replicates is the same, their output nearly: 20 items are measured, and 200 are left."""
    draw, held, answers_held, rounds = np.random.default_rng(39), 0, 0, 200
    for _ in range(rounds):
        letters = draw.integers(200, 1800, 220)
        took = np.rint(letters * draw.normal(0.3, 0.03, 220)).astype(int)
        answers = draw.integers(10, 60, (1, 220)) + draw.integers(0, 3, (replicates, 220))
        measured = Measured(per_item=replicates)
        for place in range(20):
            for answer in answers[:, place]:
                size = RequestSize(1, 0, Characters(letters=int(letters[place])))
                measured += Measured.of(size, int(took[place]), int(answer))
        sent = RequestSize(200, 0, Characters(letters=int(letters[20:].sum()))).times(replicates)
        held += int(took[20:].sum()) * replicates in input_tokens(sent, measured=measured).tokens
        found = output_tokens(200 * replicates, 64 * 200 * replicates, measured=measured).tokens
        answers_held += int(answers[:, 20:].sum()) in found
    assert 0.92 <= held / rounds <= 0.99
    assert 0.92 <= answers_held / rounds <= 0.99


@pytest.mark.parametrize("per_item", [1, 3])
def test_the_interval_of_few_measured_items_is_wider(per_item: int) -> None:
    band = _around(100.0, 10.0, Measured(requests=6 * per_item, per_item=per_item))
    wide = stats.t.ppf(0.975, 5) * 10 * per_item**0.5
    assert (band.low, band.high) == pytest.approx((100 - wide, 100 + wide), rel=0.003)
