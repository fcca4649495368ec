"""Scores of another range than 0 to 1 are shown as shares of their range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables.words import metric_text, wording
from promptrial.stats.analysis import analyse
from tests.support.score_tables import trial_table


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


def test_what_a_metric_asks_says_how_it_is_shown() -> None:
    scorer = Declaration(label="Ease", meaning="Is it easy?", scale="continuous", direction="higher", range=(1.0, 6.0))
    with wording({"ease": scorer}):
        assert metric_text("ease").label == "Ease"
        assert metric_text("ease").asks == "Is it easy? Shown as a share of its range, 1 to 6."
    assert metric_text("ease").label == "ease"
