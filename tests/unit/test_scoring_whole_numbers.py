"""Numbers as words: equal numbers are the same word, others are not."""

# ruff: noqa: RUF001 - signs and digits of every kind

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.scoring.support import claim_words
from promptrial.scoring.whole_numbers import is_sign, with_whole_numbers
from tests.support.processor_time import at_most


def words(text: str) -> list[str]:
    return claim_words(with_whole_numbers(text))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1,500", "1500"), ("1,00,000", "100000"), ("1.234.567", "1,234,567"), ("1.234,50", "1234.5"), ("1.50", "1.5"),
        ("2.0", "2"), (".5", "0.5"), ("−5", "-5"), ("–5 °C", "-5 °C"), ("-$5", "$-5"), ("(-5)", "-5"), ("**-5**", "-5"),
        ("1,234,567.80", "1234567.8"), ("v2.5", "v2.5."), ("...5", "5"), ("no.5", "no. 5"), ("x=-5", "x = -5"),
    ],
)  # fmt: skip
def test_equal_numbers_are_the_same_words(text: str, other: str) -> None:
    assert words(text) == words(other)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1.5", "15"), ("0.5", "05"), ("-5", "5"), ("3.5%", "35%"), ("2,5", "25"), ("1.2.3", "123"), ("1e-5", "1e5"),
        ("10^-5", "10^5"), ("1.234", "1,234"), ("٣.٥", "٣٥"), ("1914,1918", "19141918"),
    ],
)  # fmt: skip
def test_different_numbers_are_different_words(text: str, other: str) -> None:
    assert words(text) != words(other)


@pytest.mark.parametrize(
    "text", ["10-20", "Covid-19", "1914–1918", "f(2)-1", "between 5 -10", "UTC-5", "in 1822. 5 men"]
)
def test_a_dash_that_is_no_sign_and_a_point_that_is_no_decimal_point_part_words(text: str) -> None:
    assert words(text) == claim_words(text)


def test_a_text_without_marks_in_its_numbers_is_the_same_object() -> None:
    text = "Duke Rollo, in 911, with 50 men."
    assert with_whole_numbers(text) is text


def test_a_sign_stands_apart_from_what_is_before_it() -> None:
    assert [is_sign(text, text.index("-")) for text in ("-5", "x -5", "x-5", "3 -5", "(-5", "2^-5")] == [
        True, True, False, False, True, True
    ]  # fmt: skip


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_is_one_word_however_its_thousands_are_parted(number: object) -> None:
    assert len(words(f"{number}")) == 1
    assert words(f"{number:,}") == words(f"{number}")


@pytest.mark.parametrize("hostile", ["1,23,", "9", "1.", "-", "$-", ".", "1.234,", ",000", "1-"])
def test_hostile_texts_take_time_in_proportion(hostile: str) -> None:
    with at_most(10):
        with_whole_numbers(hostile * (60_000 // len(hostile)))
