"""Power curves: at the size of the run they are the figures of the document, elsewhere those of Student's t."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from scipy import stats

from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import DETECTABLE, Significance
from promptrial.phases.power_curves import power_curves
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.powered import PowerCurve, no_curve, power_table
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables.words import wording
from promptrial.reporting.verdict import trial_verdict
from tests.unit.test_reporting_pages import DULL, SETTINGS, costs, document, endpoint, estimate, facts, real_document

SE = 0.02
N = 400


def detected(se: float, df: float, alpha: float = 0.05) -> float:
    """Return the smallest difference that Student's t-test detects with a power of 80%, by SciPy."""
    return float((stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(0.8, df)) * se)


def found(se: float = SE, n: int = N, n_clusters: int | None = None, **changes: Any) -> Significance:
    clusters = n_clusters or n
    figures = {"se": se, DETECTABLE: detected(se, clusters - 1)}
    spread = estimate("paired_difference", "mean_difference", 0.01, n_pairs=n, n_clusters=clusters, figures=figures)
    row = endpoint(n_pairs=n, n_clusters=clusters, clustered=clusters < n, **DULL)
    return document(row, **{"estimates": (spread,), **changes})


def curve(significance: Significance) -> PowerCurve:
    (only,) = power_curves(significance)
    return only


def test_at_the_size_of_the_run_it_is_the_detectable_difference_of_the_document_with_a_power_of_80_percent() -> None:
    made = curve(found())
    assert made.here.n == N
    assert made.here.smallest == detected(SE, N - 1)
    assert made.differences[1] == made.here.smallest
    assert made.here.powers[1] == pytest.approx(0.8, abs=1e-9)


@pytest.mark.parametrize("n_clusters", [N, 50])
def test_every_other_size_follows_student_t_with_as_many_clusters_in_proportion(n_clusters: int) -> None:
    made = curve(found(n_clusters=n_clusters))
    assert [each.n for each in made.shown] == [100, 200, 400, 800, 1600]
    for each in made.points:
        se, df = SE * math.sqrt(N / each.n), n_clusters * each.n / N - 1
        assert each.smallest == pytest.approx(detected(se, df), rel=1e-9)
        powers = [stats.t.cdf(delta / se - stats.t.ppf(0.975, df), df) for delta in made.differences]
        assert each.powers == pytest.approx(powers, abs=1e-9)


def test_power_grows_with_the_questions_and_with_the_difference() -> None:
    made = curve(found())
    for before, after in zip(made.points, made.points[1:], strict=False):
        assert all(a <= b for a, b in zip(before.powers, after.powers, strict=True))
        assert list(after.powers) == sorted(after.powers)
    assert made.points[0].powers[1] < 0.4
    assert made.points[-1].powers[1] > 0.99


def test_the_curve_has_the_differences_of_the_verdict_and_four_times_the_questions_detect_half() -> None:
    significance = found()
    (said,) = trial_verdict(TrialResult(facts(), significance, costs())).sentences
    assert "This run could detect 5.6 points; 3 points need about 1,500 questions." in said
    table = power_table(curve(significance))
    assert table.headers == (
        "Questions", "Detectable at 80% power", "Power for 3 points", "Power for 5.6 points", "Power for 11 points",
    )  # fmt: skip
    assert table.rows[2] == ("this run: 400", "5.6 points", "32%", "80%", ">99%")
    assert table.rows[4] == ("1,600", "2.8 points", "85%", ">99%", ">99%")


def test_if_no_p_value_can_reach_the_level_no_difference_is_named() -> None:
    made = curve(found(n_clusters=12))
    assert made.points[0].smallest is None, "3 clusters"
    assert made.points[0].powers == (0.0, 0.0, 0.0)
    assert power_table(made).rows[0][1:] == ("\u2013", "<1%", "<1%", "<1%")
    assert "in clusters of the same size" in power_table(made).notes[1]


def test_a_difference_that_scores_cannot_have_is_not_drawn() -> None:
    made = curve(found(se=0.25))
    assert made.here.smallest is not None
    assert made.here.smallest > 0.5
    assert len(made.differences) == 2
    assert made.points[0].smallest is None, "it would be larger than scores can differ"


@pytest.mark.parametrize("estimates", [(), (estimate("paired_difference", "mean_difference", 0.0,
                                                     figures={"se": 0.0, DETECTABLE: None}),)])  # fmt: skip
def test_a_run_that_detects_nothing_has_no_curve_and_says_why(estimates: Any) -> None:
    made = curve(found(estimates=estimates))
    assert made.points == ()
    assert no_curve(made).startswith("Exact match: this run cannot detect a difference of any size: too few")


def test_the_curve_uses_the_level_of_the_analysis() -> None:
    figures = {"se": SE, DETECTABLE: detected(SE, N - 1, 0.01)}
    spread = estimate("paired_difference", "mean_difference", 0.01, n_pairs=N, n_clusters=N, figures=figures)
    made = curve(found(settings=replace(SETTINGS, alpha=0.01), estimates=(spread,)))
    assert made.here.powers[1] == pytest.approx(0.8, abs=1e-9)
    assert "at level 0.01" in power_table(made).notes[0]


def test_scores_with_their_own_range_are_shown_in_their_unit() -> None:
    declared = Declaration(
        label="Words", meaning="How many?", scale="continuous", direction=None, range=(0.0, 50.0), unit="words"
    )
    settings = replace(SETTINGS, primary=("em",), ranges={"em": (0.0, 50.0)})
    significance = found(se=1.0, settings=settings)
    with wording({"em": declared}):
        table = power_table(curve(significance))
    assert table.rows[2][:2] == ("this run: 400", "2.8 words")
    assert table.headers[2] == "Power for 1 words"
    assert as_shares(significance).estimates[0].figures["se"] == 1 / 50


def test_several_primary_tests_and_temperatures_are_named() -> None:
    rows = (endpoint(temp=0.0, **DULL), endpoint(temp=0.7, **DULL))
    spreads = tuple(spread_at(each.temp) for each in rows)
    first, second = power_curves(document(*rows, estimates=spreads))
    assert (first.label, second.label) == ("Exact match, temperature 0", "Exact match, temperature 0.7")
    assert (
        power_table(first).notes[-1]
        == "This is for a single test; correcting for 2 primary tests takes more questions."
    )


def spread_at(temp: float) -> Any:
    figures = {"se": SE, DETECTABLE: detected(SE, 99)}
    return estimate("paired_difference", "mean_difference", 0.01, temp=temp, figures=figures)


def test_the_curves_of_a_real_analysis_begin_with_its_detectable_differences() -> None:
    settings = replace(SETTINGS, primary=("em", "f1", "abstain_rate"))
    significance = msgspec.structs.replace(real_document(1), settings=settings)
    named = {row.metric: row.figures[DETECTABLE] for row in significance.estimates
             if row.scope == "overall" and DETECTABLE in row.figures}  # fmt: skip
    made = {each.row.metric: each for each in power_curves(significance)}
    assert set(made) == {"em", "f1", "abstain_rate"}
    for metric, each in made.items():
        assert (each.here.smallest if each.points else None) == named[metric]
