import pytest
from msgspec import structs

from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Family
from promptrial.reporting.cells import (
    MISSING,
    Table,
    amount,
    count,
    effect,
    interval,
    level,
    margin,
    p_equals,
    p_phrase,
    p_value,
    points,
    quantity,
    rate,
    significant,
)
from promptrial.reporting.facts import without_folders
from promptrial.reporting.plain import one_line, printable, summary_text
from promptrial.reporting.tables.words import (
    correction_text,
    direction,
    good_answer,
    listing,
    method_text,
    metric_text,
    wording,
)


@pytest.mark.parametrize("write", [count, rate, points, p_value, significant, amount, quantity])
def test_a_missing_figure_is_a_dash_and_never_zero(write: object) -> None:
    assert callable(write)
    assert write(None) == MISSING


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (1.0, "1.00"),
        (0.5, "0.500"),
        (0.03125, "0.0312"),
        (0.00123456, "0.00123"),
        (0.001, "0.00100"),
        (0.000999, "<0.001"),
        (5e-324, "<0.001"),
    ],
)
def test_a_p_value_has_three_digits_or_is_below_a_thousandth(p: float, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("p", "alpha", "in_tables", "in_verdicts"),
    [
        (0.0495, 0.05, "0.0495", "p = 0.0495"),
        (0.0504, 0.05, "0.0504", "p = 0.0504"),
        (0.04996, 0.05, "0.04996", "p = 0.04996"),
        (0.05, 0.05, "0.0500", "p = 0.050"),
        (0.04999999999, 0.05, "<0.05", "p < 0.05"),
        (0.05000000001, 0.05, ">0.05", "p > 0.05"),
        (0.00996, 0.01, "0.00996", "p = 0.00996"),
        (0.0495, 0.01, "0.0495", "p = 0.050"),
        (0.0007, 0.0005, "0.000700", "p = 0.001"),
        (0.0004, 0.0005, "<0.0005", "p < 0.0005"),
    ],
)
def test_a_p_value_has_more_digits_if_rounding_would_reach_the_level(
    p: float, alpha: float, in_tables: str, in_verdicts: str
) -> None:
    assert (p_value(p, alpha), p_equals(p, alpha)) == (in_tables, in_verdicts)


def test_a_p_value_next_to_the_level_is_a_bound_in_a_sentence_too() -> None:
    assert p_phrase(0.05000000001) == "p > 0.05"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.297, -0.0003, "-29.7 to -0.03"),
        (0.0003, 0.297, "+0.03 to +29.7"),
        (-0.297, 0.0003, "-29.7 to 0.0"),
        (-0.0003, 0.297, "0.0 to +29.7"),
        (-0.297, 0.0, "-29.7 to 0.0"),
        (-0.297, -5e-324, "-29.7 to -0.0"),
        (5e-324, 0.297, "+0.0 to +29.7"),
        (None, -0.0003, f"{MISSING} to -0.03"),
    ],
)
def test_a_limit_is_not_rounded_to_0_if_the_interval_excludes_0(low: float | None, high: float, text: str) -> None:
    assert interval(low, high) == text


def test_a_limit_within_a_margin_is_not_rounded_to_the_margin() -> None:
    assert interval(-0.0196, 0.0204, marks=(-0.02, 0.02)) == "-1.96 to +2.04"
    assert interval(-0.02, 0.0104, marks=(-0.02, 0.02)) == "-2.0 to +1.0"
    assert effect(0.001, -0.0196, 0.01, marks=(-0.02, 0.02)) == "+0.1 (-1.96 to +1.0)"


def test_a_p_value_in_a_sentence_has_its_sign() -> None:
    assert p_phrase(0.25) == "p = 0.250"
    assert p_phrase(1e-9) == "p < 0.001"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0312, "+3.1"), (-0.0312, "-3.1"), (0.0, "0.0"), (-0.0001, "0.0"), (0.0001, "0.0"), (1.0, "+100.0")],
)
def test_points_carry_their_sign_and_there_is_no_negative_zero(value: float, text: str) -> None:
    assert points(value) == text


def test_an_effect_with_a_narrow_interval_has_more_decimals() -> None:
    assert effect(0.0333, -0.021, 0.088) == "+3.3 (-2.1 to +8.8)"
    assert effect(0.00333, 0.001, 0.0056) == "+0.33 (+0.10 to +0.56)"
    assert effect(0.0333, None, None) == f"+3.3 ({MISSING})"
    assert effect(0.0333, None, 0.088) == f"+3.3 ({MISSING} to +8.8)"
    assert effect(None, None, None) == MISSING
    assert effect(0.25, 0.25, 0.25) == "+25.0 (+25.0 to +25.0)"


def test_an_interval_without_limits_is_missing() -> None:
    assert interval(None, None) == MISSING


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (2.0, "2.00"), (-0.5, "-0.500"), (1234.5, "1,234"), (0.0012345, "0.00123")]
)
def test_a_plain_figure_has_three_significant_digits_and_no_exponent(value: float, text: str) -> None:
    assert significant(value) == text


def test_amounts_are_in_cents_and_small_ones_keep_their_digits() -> None:
    assert [amount(usd) for usd in (1234.567, 1.0, 0.0123456, 0.0)] == ["1,234.57", "1.00", "0.012", "0"]
    assert [amount(usd) for usd in (0.996, 0.994, 0.0999)] == ["1.00", "0.99", "0.10"]


def test_fractional_average_counts_are_shown_as_fractions() -> None:
    assert [quantity(value) for value in (0.0, 12.0000000001, 12.5)] == ["0", "12", "12.50"]


def test_levels_and_margins_show_no_floating_point_noise() -> None:
    assert [level(share) for share in (0.95, 0.999, 1 - 2 * 0.05, 1 - 2 * 0.07)] == ["95%", "99.9%", "90%", "86%"]
    assert [margin(width) for width in (0.05, 0.07, 0.025)] == ["5", "7", "2.5"]


def test_a_table_refuses_a_row_of_another_length() -> None:
    with pytest.raises(ValueError, match="2 headers"):
        Table("t", ("a", "b"), (("1",),), (), "ll")
    with pytest.raises(ValueError, match="2 headers"):
        Table("t", ("a", "b"), (("1", "2"),), (), "l")


def test_a_plain_table_is_aligned_by_kind_of_column() -> None:
    table = Table("Effects", ("Endpoint", "Pairs"), (("Exact match", "7"), ("F1", "1,234")), ("a note",), "lr")

    assert summary_text(table) == (
        "Effects\n\nEndpoint     Pairs\n-----------  -----\nExact match      7\nF1           1,234\n\n- a note\n"
    )


def test_a_plain_table_without_rows_says_so() -> None:
    assert summary_text(Table("Effects", ("Endpoint",), (), (), "l")) == "Effects\n\n(none)\n"


def test_terminal_control_characters_are_made_visible() -> None:
    assert one_line("a\x1b[31mred\r\nb\x00\u202ec\ud800") == r"a\u001b[31mred b\u0000\u202ec\ud800"
    assert printable("one\r\ntwo\rthree\tx\x07") == "one\ntwo\nthree\tx\\u0007"


def test_metrics_and_methods_without_a_description_are_shown_by_name() -> None:
    assert metric_text("new_metric").label == "new_metric"
    assert method_text("new_method") == "new method"
    assert metric_text("em").label == "Exact match"


def test_a_difference_of_zero_has_no_direction() -> None:
    assert [direction(value) for value in (0.1, -0.1, 0.0, None)] == [
        "higher",
        "lower",
        *["neither higher nor lower"] * 2,
    ]


def test_words_are_listed_as_in_a_sentence() -> None:
    assert [listing(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def family(size: int, correction: str = "holm", name: str = "f") -> Family:
    assert correction in ("holm", "bh")
    return Family(name=name, correction="holm" if correction == "holm" else "bh", alpha=0.05, size=size, rejected=0)


def test_a_correction_is_shown_with_its_method_and_size() -> None:
    assert correction_text([family(2)]) == "Adjusted p: Holm's method over 2 tests, at level 0.05."
    assert "a single test is not adjusted" in correction_text([family(1)])
    assert "each of 3 families of 2 to 4 tests" in correction_text([family(2, "bh"), family(3, "bh"), family(4, "bh")])
    assert correction_text([]) == ""


def test_endpoints_with_different_corrections_are_named_with_the_primary_ones_first() -> None:
    exploratory = family(2, "bh", "exploratory/short vs control")
    assert correction_text([exploratory, family(1, name="primary")]) == (
        "Adjusted p: Holm's method for the primary endpoints (1 test); the Benjamini-Hochberg method for the others "
        "(2 tests), at level 0.05."
    )


def test_only_absolute_paths_lose_their_folders() -> None:
    names = ["/data/a.json", r"C:\data\a.json", "data/a.json", "rajpurkar/squad_v2", "plain"]

    assert [without_folders(name) for name in names] == [
        "a.json",
        "a.json",
        "data/a.json",
        "rajpurkar/squad_v2",
        "plain",
    ]


def test_a_good_answer_is_called_correct_only_by_a_measure_of_correctness() -> None:
    right = Declaration(label="Answer inclusion", meaning="?", scale="binary", direction="higher", role="accuracy")
    with wording({"includes": right, "polite": structs.replace(right, label="Politeness", role=None)}):
        assert good_answer("Answer inclusion of at least 1").phrase == "correct answer (by Answer inclusion)"
        assert good_answer("Answer inclusion of at most 0").header == "good answer"
        assert good_answer("Politeness of at least 1").note == "A good answer has a score of at least 1 (Politeness)."
    with wording({"rubric": structs.replace(right, label="Rubric", scale="continuous", range=(0, 10))}):
        assert good_answer("Rubric of at least 1").header == "good answer"
    assert good_answer("Exact match of at least 1").header == "correct answer"
    assert good_answer(None).note == ""
