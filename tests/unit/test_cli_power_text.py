"""The lines of a plan on power: rows that say the same are one, and no row is wider than a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptrial.cli.power_text import power_lines
from promptrial.design.power import Assumed, PlannedEndpoint, PlannedScores, power_rows
from promptrial.design.spread import Estimated
from promptrial.model import Item
from promptrial.phases.planned_power import PlannedPower, planned_scores
from tests.support import configs

SINGLE = PlannedScores(metric="em", scale="binary", sizes=(1,) * 400)
SHARED = replace(SINGLE, sizes=(4,) * 100)
GRADED = replace(SINGLE, metric="a_scorer_with_quite_a_long_name", scale="continuous")


def endpoint(
    scores: PlannedScores = SINGLE, trial: str = "t", contrast: str = "treatment vs control"
) -> PlannedEndpoint:
    return PlannedEndpoint(trial=trial, contrast=contrast, scores=scores, temp=0.0)


def lines(*endpoints: PlannedEndpoint, assumed: Assumed | None = None) -> list[str]:
    found = power_lines(PlannedPower(power_rows(endpoints, 0.05, assumed or Assumed())))
    assert max(len(line) for line in found if "assumed:" not in line and "scored in" not in line) <= 80
    return found


def rows(found: list[str]) -> list[str]:
    return [line for line in found[3:] if line[26:].lstrip()[:1].isdigit()]


def test_contrasts_with_the_same_power_are_one_row_with_their_count() -> None:
    found = lines(endpoint(), endpoint(contrast="short vs control"), endpoint(contrast="long vs control"))
    assert found[0] == "power at level 0.0167 (Holm over 3 tests): smallest detectable difference,"
    assert [row.split("400")[0].strip() for row in rows(found)] == ["em (3 arms)"]


def test_trials_with_the_same_power_are_one_row_too() -> None:
    each = [power_rows([endpoint(trial=name)], 0.05, Assumed()) for name in ("a", "b")]
    (row,) = rows(power_lines(PlannedPower((*each[0], *each[1]))))
    assert row.split("400")[0].strip() == "em (2 trials)"


def test_with_too_many_rows_only_the_larger_correlation_is_shown_and_the_rest_is_counted() -> None:
    names = ("one", "two", "three", "four", "five", "six")
    found = lines(*(endpoint(replace(SHARED, metric=name)) for name in names))
    assert [row.split()[:3] for row in rows(found)] == [[name, "icc", "0.2"] for name in names[:4]]
    assert "  and 2 more: see --json" in found


def test_assumptions_are_listed_once_with_the_stated_figures() -> None:
    stated = Assumed(discordance=0.1, sd=0.3, icc=(0.15,), within=0.25)
    many = replace(endpoint(GRADED), temp=0.7, replicates=4)
    assert lines(endpoint(SHARED), many, assumed=stated)[-1] == (
        "  assumed: 0/1 scores differ on 10% of items; other scores by 0.3 of their range (sd); 25% of it between "
        "replicates; an intraclass correlation (icc) of 0.15 in a passage"
    )


def test_existing_scores_are_described_with_their_number_and_precision() -> None:
    found = Estimated(pairs=50, answered=1.0, sd=0.4, discordance=0.18, baseline=0.6, icc=0.3)
    binary, graded = (replace(endpoint(scores), estimated=found) for scores in (SHARED, GRADED))
    none = replace(endpoint(), estimated=replace(found, discordance=0.0582, icc=None, at_most=True), temp=0.7)
    assert lines(binary, graded, none)[-2:] == [
        "  em, from 50 items scored in this run: 18.0% differ (10% to 31%), design effect 1.9",
        "  a_scorer_with_quite_a_long_name, from 50 items scored in this run: differences of 0.4 (sd)",
    ]
    assert lines(none)[-1] == "  em, from 50 items scored in this run: at most 5.8% differ"


def test_a_reason_replaces_missing_figures() -> None:
    found = lines(endpoint(replace(SINGLE, scale=None)), endpoint(replace(SHARED, sizes=(50,) * 4)))
    assert found[3].endswith("400  its scale is known once its code has run")
    assert found[4].endswith("200  no p reaches 0.025 with 4 passages: needs 7")


def test_missing_questions_are_named() -> None:
    assert power_lines(PlannedPower(absent=("nq", "squad"))) == [
        "power: not known until the questions of nq, squad are downloaded from the hub"
    ]
    assert power_lines(PlannedPower()) == []


CODE = """
def short(answer) -> bool:
    return len(answer) < 9

def share(answer, golds):
    return 0.5
"""


@pytest.mark.parametrize(
    ("entry", "scale", "items"),
    [
        ({"type": "python", "file": "own.py:short"}, "binary", 3),
        ({"type": "python", "file": "own.py:share"}, "continuous", 2),
        ({"type": "python", "file": "own.py:share", "scale": "binary", "range": [0, 3]}, "binary", 2),
        ({"type": "python", "file": "own.py"}, None, 3),
    ],
)
def test_the_declared_scale_of_a_scorer_is_known_without_running_it(
    tmp_path: Path, entry: dict[str, object], scale: str | None, items: int
) -> None:
    (tmp_path / "own.py").write_text(CODE + "raise SystemExit('it was run')\n")
    config = configs.loaded(tmp_path, {"scorers": {"own": entry}, "stats": {"primary": ["own"]}}).experiment
    planned = [Item(id=str(n), dataset="questions", question="Who?", answers=("Ada",) * (n < 2)) for n in range(3)]
    found = planned_scores(config, planned, ["own"])["own"]
    assert (found.scale, found.items) == (scale, items)


def test_a_dash_in_place_of_a_figure_is_explained_below_the_rows() -> None:
    few, rare = replace(SINGLE, sizes=(1,) * 12), Assumed(discordance=0.02)
    said = [
        "  -: under these assumptions, no difference can be detected, however large",
        "  -: a difference of that size is impossible, or needs over a billion items",
    ]
    assert [line for line in lines(endpoint(few)) if line.startswith("  -:")] == said[:1]
    assert [line for line in lines(endpoint(few), assumed=rare) if line.startswith("  -:")] == said
    assert not [line for line in lines(endpoint()) if line.startswith("  -:")]
