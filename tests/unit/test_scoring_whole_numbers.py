"""Numbers as words: equal numbers are the same word, others are not."""

# ruff: noqa: RUF001 - signs and digits of every kind

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.scoring.support import claim_words
from promptrial.scoring.whole_numbers import apart, is_sign, other_reading, with_equal_numbers, with_whole_numbers
from tests.support.processor_time import at_most


def words(text: str) -> list[str]:
    return claim_words(with_whole_numbers(text))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1,500", "1500"), ("1,00,000", "100000"), ("1.234.567", "1,234,567"), ("1.234,50", "1234.50"),
        ("2.0", "2"), ("2.00", "2"), ("1,500.00", "1500"), ("x,2.5", "x, 2.5"), (".5", "0.5"), ("−5", "-5"),
        ("–5 °C", "-5 °C"), ("-$5", "$-5"), ("(-5)", "-5"), ("**-5**", "-5"),
        ("1,234,567.80", "1234567.80"), ("v2.5", "v2.5."), ("...5", "5"), ("no.5", "no. 5"), ("x=-5", "x = -5"),
    ],
)  # fmt: skip
def test_equal_numbers_are_the_same_words(text: str, other: str) -> None:
    assert words(text) == words(other)


@pytest.mark.parametrize(
    ("text", "other"), [("1.50", "1.5"), ("1,234.5000", "1234.5"), ("2.0", "2"), ("1.05", "1.050")]
)
def test_zeros_at_the_end_do_not_count_where_values_are_compared(text: str, other: str) -> None:
    assert with_equal_numbers(text) == with_equal_numbers(other)
    assert with_equal_numbers("1.05 and 10") != with_equal_numbers("1.5 and 1")


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1.5", "15"), ("0.5", "05"), ("-5", "5"), ("3.5%", "35%"), ("2,5", "25"), ("1.2.3", "123"), ("1e-5", "1e5"),
        ("10^-5", "10^5"), ("1.234", "1,234"), ("٣.٥", "٣٥"), ("1914,1918", "19141918"), ("3.10", "3.1"),
        ("1.50", "1.5"), ("20", "2"), ("0,125", "125"),
    ],
)  # fmt: skip
def test_different_numbers_are_different_words(text: str, other: str) -> None:
    assert words(text) != words(other)


@pytest.mark.parametrize(
    "text", ["10-20", "Covid-19", "1914–1918", "f(2)-1", "between 5 -10", "UTC-5", "in 1822. 5 men"]
)
def test_dashes_and_points_that_are_not_part_of_a_number_separate_words(text: str) -> None:
    assert words(text) == claim_words(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,2,3", "1 2 3"), ("12.05.2020", "12 05 2020"), ("December 7,1941", "december 7 1941"), ("1.2.3", "1 2 3"),
        ("1914,1918", "1914 1918"), ("1.5,2.5,3.5", "1.5 2.5 3.5"), ("-1,2,3", "-1 2 3"), ("1,23,4", "1 23 4"),
        ("10.0.0.1", "10 0 0 1"), ("x,3,4", "x 3,4"), ("no.5.5", "no 5.5"),
    ],
)  # fmt: skip
def test_digits_with_marks_that_do_not_form_a_number_are_several_words(text: str, found: str) -> None:
    written = found.replace(".", "qdq").replace(",", "qcq").replace("-", "qmq")
    assert words(text) == written.split()


@pytest.mark.parametrize("text", ["1,500", "1.5", "2,5", "0,1416", "1.234.567,8", "1,00,000.5", "50 men, 1.5 each"])
def test_a_number_with_marks_is_not_split(text: str) -> None:
    assert apart(text) == text


def test_numbers_separated_only_by_a_mark_are_split() -> None:
    assert apart("On 12.05.2020, 1,2,3 or 7,1941.") == "On 12. 05. 2020, 1, 2, 3 or 7, 1941."


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("(3,4)", "(3, 4)"), ("[1,3]", "[1, 3]"), ("(-3,4)", "(-3, 4)"), ("1 000 000", "1000000"),
        ("12\u202f345", "12345"),
        ("-2 eggs\n-5 apples", "- 2 eggs\n- 5 apples"), ("You need:\n-2 eggs", "You need:\n- 2 eggs"),
        ("Moon landing\n-1969", "Moon landing\n- 1969"), ("Prices:\n  –$5\n  –$7", "Prices:\n  – $5\n  – $7"),
    ],
)  # fmt: skip
def test_an_ambiguous_number_has_a_second_reading(text: str, other: str) -> None:
    assert other_reading(text) == other


@pytest.mark.parametrize(
    "text",
    [
        "1,5", "(1,500)", "(2,5 kg)", "-5", "-5 °C", "-5 degrees", "It is:\n-5", "It is\n\n-5", "It is:\n-5 °C",
        "5\n- 3",
        "1 0000", "2.1 000", "0 500", "Duke Rollo, in 911,\nwith 50 men.",
    ],
)  # fmt: skip
def test_an_unambiguous_number_has_no_second_reading(text: str) -> None:
    assert other_reading(text) == text


def test_a_text_without_marks_in_its_numbers_is_the_same_object() -> None:
    text = "Duke Rollo, in 911, with 50 men."
    assert with_whole_numbers(text) is text


def test_a_sign_is_separated_from_the_preceding_word() -> None:
    assert [is_sign(text, text.index("-")) for text in ("-5", "x -5", "x-5", "3 -5", "(-5", "2^-5")] == [
        True, True, False, False, True, True
    ]  # fmt: skip


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_is_one_word_however_its_thousands_are_separated(number: object) -> None:
    assert len(words(f"{number}")) == 1
    assert words(f"{number:,}") == words(f"{number}")


@pytest.mark.parametrize(
    "hostile", ["1,23,", "9", "1.", "-", "$-", ".", "1.234,", ",000", "1-", "\n-1", "\n ", "(1,", "1 000 "]
)
def test_hostile_texts_take_linear_time(hostile: str) -> None:
    text = f"{hostile * (60_000 // len(hostile))},12345"
    with at_most(10):
        with_whole_numbers(text)
        apart(text)
        other_reading(text)
        with_equal_numbers(text)
