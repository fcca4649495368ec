"""Numbers in texts, and the scorer that compares the last ones."""

# ruff: noqa: RUF001 - digits and signs of every kind

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.config.typed import SettingsError
from promptrial.scoring.numbers import DecimalMark, Number, _number, _pattern, _plain, read_number
from promptrial.scoring.types.numeric import Numeric
from tests.support.processor_time import at_most
from tests.support.scoring import item_of, score_of, scorer_of


def numbers_in(text: str, decimal: DecimalMark = ".") -> list[Number]:
    """Return all numbers of a text, in order, where the program reads the last one."""
    return [_number(match) for match in _pattern(decimal).finditer(_plain(text))]


def values(text: str, decimal: DecimalMark = ".") -> list[str]:
    return [written(each) for each in numbers_in(text, decimal)]


def written(number: Number) -> str:
    return f"{number.value}{'%' if number.percent else ''}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12 / 3 = 4 an hour, and 4 * 5 = 20.\n#### 20", ["4", "4", "4", "5", "20", "20"]),
        ("5.", ["5"]), (".5", ["1/2"]), ("0.1 + 0.2", ["1/10", "1/5"]), ("no.5", ["5"]), ("007", ["7"]),
        ("$1,234.50", ["2469/2"]), ("1,00,000", ["100000"]), ("1,2,3", ["1", "2", "3"]), ("1,2345", ["1", "2345"]),
        ("1'000", ["1000"]), ("1’000", ["1000"]), ("1_000_000", ["1000000"]), ("1\u202f000", ["1000"]),
        ("12 345 m", ["12", "345"]), ("1{,}000", ["1000"]), ("1\\,000", ["1000"]),
        ("-5", ["-5"]), ("−5", ["-5"]), ("–5", ["-5"]), ("+5", ["5"]), ("10-20", ["10", "20"]), ("Covid-19", ["19"]),
        ("-$5", ["-5"]), ("$-5", ["-5"]), ("€5", ["5"]), ("5 €", ["5"]), ("x=-3", ["-3"]), ("(-3)", ["-3"]),
        ("20%", ["20%"]), ("20 %", ["20%"]), ("20 percent", ["20%"]), ("20\\%", ["20%"]), ("20 percentile", ["20"]),
        ("1e5", ["100000"]), ("1.5E-3", ["3/2000"]), ("1.5 × 10³", ["1500"]), ("2x10^-2", ["1/50"]), ("5e", ["5"]),
        ("2 \\times 10^{3}", ["2000"]), ("3 x 4", ["3", "4"]),
        ("The area is 25 cm^2.", ["25"]), ("$25\\text{ cm}^2$", ["25"]), ("25 cm^{2}", ["25"]), ("25 m ^ 3", ["25"]),
        ("9.8 m/s^2", ["49/5"]), ("25 cm**2", ["25"]), ("25 cm²", ["25"]), ("25 m^-3", ["25"]), ("x^2 = 9", ["9"]),
        ("x^{1/2}", []), ("x^1.5 + 1", ["1"]), ("(a + b)^2 = 7", ["7"]), ("e^{-3}", []), ("90^\\circ", ["90"]),
        ("10^6", ["1000000"]), ("10^{-3}", ["1/1000"]), ("10^{−3}", ["1/1000"]), ("10⁻³", ["1/1000"]),
        ("-10^3", ["-1000"]), ("10**6", ["1000000"]), ("5^2 = 25", ["25", "25"]), ("2^{10}", ["1024"]),
        ("10^400", [f"{10**400}"]), ("10^6/2", ["1000000", "2"]), ("4^{1/2}", []), ("4^0.5", []),
        ("3 * 10^6 m^2", ["3000000"]), ("is**18**", ["18"]), ("**Total** 5", ["5"]), ("**Total**5", ["5"]),
        ("0^0", ["1"]), ("is**5 apples**", ["5"]), ("(a)**12 apples**", ["12"]), ("**5**2", ["5", "2"]),
        ("Step 3**10 apples**", ["3", "10"]), ("2**3 = **8**", ["2", "3", "8"]), ("2**3\n**8**", ["8", "8"]),
        ("2**10, so 3*2**2", ["1024", "3", "4"]), ("is**5", ["5"]), ("x**2 = 9", ["9"]), ("9.8 m/s**2", ["49/5"]),
        ("2³", ["8"]), ("2¹⁰", ["1024"]), ("-2⁻²", ["-1/4"]), ("1.5² m²", ["9/4"]), ("x² = 9", ["9"]), ("٢³", ["8"]),
        ("3²=9", ["9", "9"]), ("(-2)²", []), ("(-2)^2", []), ("(-2)**2 = 4", ["4"]), ("(3/4)^2", []), ("[5] ^ 2", []),
        ("(2 + 3)^2 = 25", ["25"]), ("(a)^2 + 5", ["5"]), ("(5)", ["5"]), ("(5) is 3^2", ["5", "9"]),
        ("2^(10)", ["1024"]), ("10^(-3)", ["1/1000"]), ("9^(1/2)", []), ("9**(1/2) = 3", ["3"]), ("2**0.5", []),
        ("2^-.5", []), ("1,000^0.5 is 31.6", ["158/5"]), ("45^{o}", ["45"]), ("12^{th}", ["12"]),
        ("2^{n} or 5", ["2", "5"]),
        ("3/4", ["3/4"]), ("3 / 4", ["3/4"]), ("-3/4", ["-3/4"]), ("1 1/2", ["3/2"]), ("-1 1/2", ["-3/2"]),
        ("1½", ["3/2"]), ("½", ["1/2"]), ("\\frac{3}{4}", ["3/4"]), ("\\dfrac{3}{4}", ["3/4"]), ("7 9/2", ["9/2"]),
        ("-½", ["-1/2"]), ("−¾", ["-3/4"]), ("2 ½ cups", ["5/2"]), ("-2½", ["-5/2"]), ("2\u00a0½", ["5/2"]),
        ("$-½", ["-1/2"]), ("x½", ["1/2"]), ("is ½ of 3½", ["1/2", "7/2"]), ("½%", ["1/2%"]), ("5-½", ["5", "1/2"]),
        ("\\frac{-3}{4}", ["-3/4"]), ("-\\frac{3}{4}", ["-3/4"]), ("-\\frac{-3}{4}", ["3/4"]),
        ("\\frac{3}{-4}", ["-3/4"]), ("\\frac{−3}{4}", ["-3/4"]), ("−\\frac{3}{4}", ["-3/4"]),
        ("\\frac{1.5}{2}", ["3/4"]), ("\\frac{1}{2.5}", ["2/5"]), ("\\frac34", ["3/4"]), ("\\frac 3 4", ["3/4"]),
        ("\\frac{1}2", ["1/2"]), ("2\\frac{1}{2}", ["5/2"]), ("2 \\frac12", ["5/2"]), ("-2\\frac12", ["-5/2"]),
        ("3-\\frac{1}{2}", ["3", "1/2"]), ("\\frac{3}{0}", ["3", "0"]), ("$\\boxed{-\\tfrac{1}{3}}$", ["-1/3"]),
        ("1/0", ["1", "0"]), ("1/2/2020", ["1", "2", "2020"]), ("3:15", ["3", "15"]), ("1.2.3", ["6/5"]),
        ("H2O, Q3, v2.5, CO2", []), ("20kg", ["20"]), ("2nd", ["2"]), ("共20个", ["20"]), ("٣٤", ["34"]),
        ("５０", ["50"]),
        ("five", []), ("", []), ("- . , /", []), ("$\\boxed{18}$", ["18"]), ("**18**", ["18"]), ("18th.", ["18"]),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(text: str, found: list[str]) -> None:
    assert values(text) == found
    last = read_number(text)
    assert (None if last is None else written(last)) == (found[-1] if found else None)


@pytest.mark.parametrize(
    ("text", "found"),
    [("1.234,5", ["2469/2"]), ("3,5", ["7/2"]), ("1.000", ["1000"]), ("1.5", ["1", "5"]), ("-,5", ["-1/2"])],
)
def test_a_decimal_comma_can_be_chosen(text: str, found: list[str]) -> None:
    assert values(text, ",") == found
    last = read_number(text, ",")
    assert last is not None
    assert written(last) == found[-1]


@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [
        ("1 000", "1000", 1), ("1 000", "1,000.", 1), ("1 000", "1 000", 1), ("1 000", "0", 0), ("1000", "1 000", 1),
        ("-1 000.5", "-1000.5", 1), ("$1 000", "1000 dollars", 1), ("1 000 %", "1000%", 1), ("12 34", "34", 1),
        ("1000", "12 of 1 000", 0), ("000 123", "123", 1), ("0,125", "125", 1),
    ],
)  # fmt: skip
def test_plain_spaces_separate_thousands_if_the_text_is_only_a_number(gold: str, answer: str, score: float) -> None:
    assert score_of(scorer_of("numeric"), item_of(gold), answer) == score


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_every_decimal_number_is_read_exactly_with_or_without_groups(number: object) -> None:
    value = Fraction(str(number))
    for text in (f"{number}", f"is {number:,}.", f"{number:,}".replace(",", "X").replace(".", ",").replace("X", ".")):
        found = read_number(text, "," if text.count(",") and text.rfind(",") > text.rfind(".") else ".")
        assert found is not None
        assert found.value == value


@pytest.mark.parametrize(
    "text", ["0^-1", "10^401", "99999^300", "2^99999999999", "1e5000", "9" * 401, "1e999999999999", "1e-99999"]
)
def test_a_number_beyond_the_bounds_equals_only_the_same_text(text: str) -> None:
    scorer = scorer_of("numeric", tolerance=1e9)
    assert score_of(scorer, item_of(text), f"It is {text}.") == 1
    assert score_of(scorer, item_of(text), "0") == 0
    assert score_of(scorer, item_of("1"), text) == 0


@pytest.mark.parametrize(
    "hostile",
    [
        "1,23,",
        "1/",
        "1 1/",
        "9",
        "1e",
        "-",
        "$-",
        "1'000'",
        "\\frac{",
        "{,}",
        "1 ",
        "٣",
        "*10^",
        "1\u00a0",
        "0/",
        "½",
        "^",
        "2^",
        "a^{",
        "a**1",
        "9^9",
        "(1",
        "9,",
        "2³",
        "(1)^",
        "9**(",
        "2**3 ",
    ],
)
def test_hostile_texts_take_linear_time(hostile: str) -> None:
    with at_most(10):
        numbers_in(hostile * (60_000 // len(hostile)))
        numbers_in(f"{hostile * (60_000 // len(hostile))}^0.5 **")


@pytest.mark.parametrize(
    ("gold", "answer", "settings", "score"),
    [
        ("12 / 3 = 4 an hour, and 4 * 5 = 20.\n#### 20", "So it grinds 20 sacks.", {}, 1),
        ("12 / 3 = 4 an hour, and 4 * 5 = 20.\n#### 20", "20 sacks in 5 hours", {}, 0),
        ("20", "20.0", {}, 1), ("20", "$20", {}, 1), ("20", "-20", {}, 0), ("1000", "1,000", {}, 1),
        ("0.3", "0.30000001", {}, 0), ("0.3", "0.30000001", {"tolerance": 0.001}, 1),
        ("0.3", "0.31", {"tolerance": 0.01}, 1), ("0.3", "0.3100001", {"tolerance": 0.01}, 0),
        ("0.1", "0.3", {"tolerance": 0.2}, 1),  # in floats 0.3 - 0.1 is less, 0.1 + 0.2 is more than 0.2
        ("100", "101", {"relative": 0.01}, 1), ("100", "101.1", {"relative": 0.01}, 0),
        ("-100", "-101", {"relative": 0.01}, 1), ("0", "0.001", {"relative": 0.5}, 0),
        ("50%", "50", {}, 1), ("0.5", "50%", {}, 1), ("50%", "0.5", {}, 1), ("50%", "50 percent", {}, 1),
        ("50%", "50", {"percent": "exact"}, 0), ("0.5", "50%", {"percent": "exact"}, 1), ("50%", "5000%", {}, 0),
        ("3/4", "0.75", {}, 1), ("1 1/2", "1.5", {}, 1), ("1,5", "1.5", {}, 0),
        ("1,5", "anderthalb, also 1,50", {"decimal": ","}, 1), ("20", "twenty", {}, 0), ("20", "...", {}, 0),
        ("20", "I don't know.", {}, 0), ("25", "The area is 25 cm^2.", {}, 1), ("2", "The area is 25 cm^2.", {}, 0),
        ("-1/2", "The slope is -½.", {}, 1), ("1/2", "The slope is -½.", {}, 0), ("2.5", "You need 2 ½ cups.", {}, 1),
        ("10^6", "1,000,000", {}, 1), ("0.001", "$10^{-3}$", {}, 1),
    ],
)  # fmt: skip
def test_the_last_number_decides(gold: str, answer: str, settings: dict[str, object], score: float) -> None:
    assert score_of(scorer_of("numeric", **settings), item_of(gold), answer) == score


def test_items_without_a_number_are_left_out_and_refusals_are_right_where_there_is_no_answer() -> None:
    scorer = scorer_of("numeric")
    assert math.isnan(score_of(scorer, item_of("Paris"), "20"))
    assert score_of(scorer, item_of("Paris", "8"), "8") == 1
    assert score_of(scorer, item_of(), "I don't know.") == 1
    assert score_of(scorer, item_of(), "20") == 0


def test_another_number_format_has_a_new_version_so_that_finished_runs_are_scored_again() -> None:
    assert scorer_of("numeric").declared.version == 4


@pytest.mark.parametrize(
    "settings", [{"tolerance": -1}, {"relative": math.nan}, {"tolerance": math.inf}, {"decimal": "x"}]
)
def test_invalid_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        scorer_of("numeric", **settings)


@pytest.mark.parametrize("settings", [{"decimal": ";"}, {"percent": "both"}])
def test_a_scorer_made_in_code_must_use_a_known_option(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"decimal is '\.' or ',', percent is 'either' or 'exact'"):
        Numeric(**settings)
