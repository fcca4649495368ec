"""Scores of another range than 0 to 1 are shown in their own unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from promptrial.documents.scorers import Declaration, checked
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.reporting.cells import PERCENT, ScoreUnit, effect, margin, points_decimals, rate, verdict_decimals
from promptrial.reporting.plots.forest import forest_rows
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.tables import equivalence_table, primary_table
from promptrial.reporting.tables.words import metric_text, score_unit, wording
from promptrial.reporting.verdict import scores_verdict
from promptrial.stats.analysis import analyse
from tests.support.score_tables import trial_table
from tests.unit.test_reporting_pages import document as made_up
from tests.unit.test_reporting_pages import endpoint


def document(low: float, high: float, margin: float) -> Significance:
    table = trial_table(80)
    score = np.where(np.isnan(table.metrics["f1"]), np.nan, low + (high - low) * table.metrics["f1"])
    settings = StatsSettings(
        primary=("f1",), graded=("f1",), wanted={"f1": "higher"}, ranges={"f1": (low, high)},
        tost_margins={"f1": margin}, bootstrap_samples=100, permutation_samples=999,
    )  # fmt: skip
    return analyse(
        replace(table, metrics={"f1": score}, worst={"f1": np.full(80, low)}, deviations={}, roles={}), settings
    )


RANDOM = {"notes", "cautions", "ranges", "p", "p_adjusted", "monte_carlo_se"}
"""Words, and what differs because random sign flips are drawn from the scores as they are."""


def plain(value: Any, key: str = "") -> Any:
    """Return rows as they are compared; limits are inversions of the flips, and so compared to two places."""
    if isinstance(value, float):
        return f"{value + 0.0:.{2 if key.startswith('ci_') else 5}f}".replace("-0.00000", "0.00000")
    if isinstance(value, dict):
        return {name: plain(each, name) for name, each in value.items() if name not in RANDOM}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


FIGURES = ("margin", "se", "se_naive", "detectable_at_80_percent_power")
SHOWN = {"mean_difference", "equivalence", "non_inferiority", "hodges_lehmann"}


def test_a_document_of_scores_from_1_to_6_is_shown_as_that_of_the_same_scores_from_0_to_1() -> None:
    shares, scores = document(0.0, 1.0, 0.1), as_shares(document(1.0, 6.0, 0.5))
    for name in ("endpoints", "interactions"):
        assert plain(msgspec.to_builtins(getattr(scores, name))) == plain(msgspec.to_builtins(getattr(shares, name)))
    assert scores.settings.tost_margins == shares.settings.tost_margins
    pairs = list(zip(shares.estimates, scores.estimates, strict=True))
    for one, other in pairs:
        if one.quantity in SHOWN and one.method != "bootstrap":
            assert plain(other.estimate) == plain(one.estimate)
            assert plain(other.ci_low, "ci_low") == plain(one.ci_low, "ci_low")
            found, expected = (plain([row.figures.get(name) for name in FIGURES]) for row in (other, one))
            assert found == expected
    assert {one.quantity for one, _ in pairs} >= {"mean_difference", "equivalence", "non_inferiority"}


def test_a_document_whose_scores_go_from_0_to_1_is_shown_as_it_is() -> None:
    found = document(0.0, 1.0, 0.1)
    assert as_shares(found) is found


def test_the_declared_scale_of_a_metric_decides_how_it_is_shown() -> None:
    scorer = Declaration(label="Ease", meaning="Is it easy?", scale="continuous", direction="higher", range=(1.0, 6.0))
    with wording({"ease": scorer}):
        assert metric_text("ease").label == "Ease"
        assert metric_text("ease").asks == "Is it easy? Shown in points, 1 to 6."
    assert metric_text("ease").label == "ease"


WORDS = Declaration(
    label="Length", meaning="How long?", scale="continuous", direction=None, range=(0.0, 1000.0), unit="words"
)
UNIT = ScoreUnit(0.0, 1000.0, "words")


def test_a_figure_is_shown_in_the_unit_of_its_scores() -> None:
    assert (rate(0.002, 1, UNIT), rate(0.002)) == ("2.0 words", "0.2%")
    assert effect(0.001, -0.0005, 0.0025, UNIT) == "+1.0 (-0.5 to +2.5) words"
    assert effect(0.001, -0.0005, 0.0025) == "+0.10 (-0.05 to +0.25)"
    assert (margin(0.002, UNIT), margin(0.05)) == ("2 words", "5")
    assert (rate(0.5, 1, ScoreUnit(1.0, 6.0, "points")), points_decimals(0.0, 0.5, ScoreUnit(1.0, 6.0, "points"))) == (
        "3.5 points", 1,
    )  # fmt: skip


def test_the_unit_is_that_of_the_scorer_or_points_by_default() -> None:
    ease = Declaration(label="Ease", meaning="?", scale="continuous", direction="higher", range=(1.0, 6.0))
    share = Declaration(label="Share", meaning="?", scale="continuous", direction="higher")
    with wording({"length": WORDS, "ease": ease, "share": share}):
        assert score_unit("length") == UNIT
        assert score_unit("ease") == ScoreUnit(1.0, 6.0, "points")
        assert score_unit("share") == score_unit("em") == PERCENT
        assert metric_text("length").asks == "How long? Shown in words, 0 to 1,000."


def test_tables_of_lengths_show_words_and_no_percentages() -> None:
    found = as_shares(document(0.0, 1000.0, 20.0))
    with wording({"f1": WORDS}):
        for table in (*effects_in_short(found, wide=True), primary_table(found), equivalence_table(found)):
            (row, *_) = table.rows
            text = " | ".join(row)
            assert " words" in text
            assert "%" not in text
        assert "20 words" in equivalence_table(found).rows[0]
        first = next(row for row in document(0.0, 1000.0, 20.0).endpoints if row.scope == "overall")
        shown = float(primary_table(found).rows[0][4].removesuffix(" words"))
        assert shown == pytest.approx(first.arms[0].mean_paired, abs=0.1)


def test_a_unit_is_recorded_only_if_given_and_is_never_empty() -> None:
    assert b"unit" not in msgspec.json.encode(msgspec.structs.replace(WORDS, unit=msgspec.UNSET))
    assert checked(WORDS).unit == "words"
    with pytest.raises(ValueError, match="the unit is empty"):
        checked(msgspec.structs.replace(WORDS, unit=" "))


TINY = Declaration(
    label="Cost", meaning="How much?", scale="continuous", direction="lower", range=(0.0, 0.001), unit="USD"
)


def of_costs(**changes: Any) -> Significance:
    """Return a document of answers that cost at most 0.00003 USD, as shares of the range."""
    values = {"control": 0.0300, "treatment": 0.0270, "ci_low": -0.0032, "ci_high": -0.0028}
    settings = StatsSettings(primary=("cost",), wanted={"cost": "lower"}, ranges={"cost": (0.0, 0.001)})
    return made_up(endpoint("cost", **values | changes), settings=settings)


def said_of(found: Significance) -> str:
    with wording({"cost": TINY}):
        return scores_verdict(found, {"control": "base", "treatment": "new"}, ()).sentences[0]


def test_figures_on_a_tiny_scale_that_differ_look_different_in_the_verdict() -> None:
    assert said_of(of_costs()) == (
        "new beats base on cost: 0.00002700 USD against 0.00003000 USD, lower is better, -0.00000300 USD "
        "(95% CI -0.00000320 to -0.00000280; 100 questions, adjusted p = 0.025)."
    )


def test_tables_and_plots_have_enough_decimals_for_a_tiny_scale() -> None:
    with wording({"cost": TINY}):
        found = of_costs()
        cells = [*primary_table(found).rows[0], *forest_rows(found, found.endpoints, ("control", "treatment"))[0].means]
    assert cells[3:6] == ["0.00003000 USD", "0.00002700 USD", "-0.00000300 (-0.00000320 to -0.00000280) USD"]
    assert cells[-2:] == ["0.00003000 USD", "0.00002700 USD"]


def test_means_of_ratings_have_as_many_decimals_as_their_difference() -> None:
    rating = Declaration(label="Rating", meaning="?", scale="continuous", direction="higher", range=(1.0, 5.0))
    close = endpoint("cost", 0.6325, 0.63972, ci_low=0.00485, ci_high=0.00958)
    with wording({"cost": rating}):
        found = scores_verdict(
            made_up(close, settings=of_costs().settings), {"control": "base", "treatment": "new"}, ()
        ).sentences[0]
    assert "3.559 points against 3.530 points, lower is better, +0.029 points (95% CI +0.019 to +0.038;" in found


@pytest.mark.parametrize(
    ("low", "high", "decimals"), [(-0.02, 0.02, 1), (0.001, 0.009, 2), (0.001, 0.0021, 2), (0.0001, 0.0006, 3)]
)
def test_percentages_have_one_decimal_or_two_digits_of_a_narrow_interval(
    low: float, high: float, decimals: int
) -> None:
    assert verdict_decimals(low, high) == decimals


def test_a_difference_without_an_interval_has_two_digits_on_its_scale() -> None:
    alone: dict[str, Any] = {"ci_low": None, "ci_high": None}
    with wording({"cost": TINY}):
        assert primary_table(of_costs(**alone)).rows[0][3:5] == ("0.0000300 USD", "0.0000270 USD")
        same = of_costs(treatment=0.03, **alone)
        assert primary_table(same).rows[0][3:5] == ("0.00003 USD", "0.00003 USD")
