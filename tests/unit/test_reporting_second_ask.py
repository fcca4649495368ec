"""Two arms that send the same requests: a difference is a false alarm, and nothing calls an arm better."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from promptrial.documents.drift import Drift
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.phases.self_check import result_of, second_ask
from promptrial.reporting.drift import drift_sentence
from promptrial.reporting.short import effects_in_short
from promptrial.reporting.verdict import Verdict, scores_verdict
from promptrial.stats.analysis import analyse
from promptrial.stats.score_table import ScoreTable
from tests.support.score_tables import table_of

ARMS = ("control", "control_again")
SETTINGS = StatsSettings(
    primary=("em",), graded=(), wanted={"em": "higher"}, bootstrap_samples=300, permutation_samples=300
)


def asked_twice(first: list[float], second: list[float]) -> ScoreTable:
    return replace(table_of(first, second), arm_names=ARMS)


def analysed(table: ScoreTable) -> Significance:
    result = result_of(second_ask(table, ARMS[1], SETTINGS, ("em",)), SETTINGS, 20)
    return msgspec.structs.replace(analyse(table, SETTINGS), aa=(result,))


def verdict_of(table: ScoreTable) -> Verdict:
    return scores_verdict(analysed(table), dict(zip(ARMS, ARMS, strict=True)), ())


def test_a_significant_difference_is_a_false_alarm_and_no_arm_is_better() -> None:
    table = asked_twice([0.0] * 30 + [1.0] * 10, [1.0] * 40)
    (finding,) = verdict_of(table).findings
    assert finding.state == "false_alarm"
    assert finding.lead == "False alarm on exact match: "
    assert "control_again and control send the same requests and differ by +75.0 points" in finding.figures
    assert "Noise floor: " in finding.figures
    cells = [cell for each in effects_in_short(analysed(table), wide=False) for row in each.rows for cell in row]
    assert "false alarm" in cells
    assert not {"better", "worse"} & {*cells}


def test_an_insignificant_a_a_difference_is_reported_as_no_false_alarm() -> None:
    rng = np.random.default_rng(3)
    first, second = (rng.integers(0, 2, size=60).astype(float).tolist() for _ in range(2))
    (finding,) = verdict_of(asked_twice(first, second)).findings
    assert finding.state == "no_alarm"
    assert finding.lead == "No false alarm on exact match: "
    assert "This run could detect" not in str(finding)


def test_equal_answers_have_their_own_finding() -> None:
    (finding,) = verdict_of(asked_twice([0.0, 1.0] * 20, [0.0, 1.0] * 20)).findings
    assert finding.state == "no_alarm"
    assert finding.figures.endswith("and all answers have the same scores (40 questions).")


def test_the_noise_floor_comes_from_exchanged_answers() -> None:
    table = asked_twice([0.0] * 30 + [1.0] * 10, [1.0] * 40)
    (endpoint,) = result_of(second_ask(table, ARMS[1], SETTINGS, ("em",)), SETTINGS, 400).endpoints
    assert endpoint.difference == pytest.approx(0.75)
    assert endpoint.noise_floor is not None
    assert 0.2 <= endpoint.noise_floor <= 0.35, "of 30 items that differ, 95% of coin flips are within about 11"


DRIFT = Drift(
    arm="control", metric="em", temp=0.0, runs=("old",), n_asked=50, n_pairs=50, n_clusters=50, difference=-0.1,
    ci_low=-0.2, ci_high=0.01, confidence=0.95, method="score", p=0.06, drifted=False, not_excluded=0.2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "-10.0 points on exact match (95% CI -20.0 to +1.0, p = 0.060). A change of up to 20.0 points cannot be"),
        ({"drifted": True, "p": 0.01}, "The reused answers of control no longer hold; ask all of them again."),
        ({"ci_low": None, "not_excluded": None}, "how large a change could be missed is unknown."),
        (
            {"p": None, "reason": "one cluster"},
            "has changed since run old on exact match cannot be tested: one cluster.",
        ),
    ],
)
def test_a_drift_is_reported_with_its_size_or_the_drift_that_could_be_missed(
    changes: dict[str, object], said: str
) -> None:
    assert said in drift_sentence(msgspec.structs.replace(DRIFT, **changes), several=False)
