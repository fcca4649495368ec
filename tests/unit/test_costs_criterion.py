"""Which answers costs count as good: those that meet a criterion on one score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from promptrial.config.costs import CriterionConfig
from promptrial.costs.criterion import default_criterion, in_words, share_meeting
from promptrial.documents.scorers import Declaration, Scale
from promptrial.scoring.base import load_scorers

NAN = math.nan


def declared(scale: Scale = "continuous", high: float = 10.0, low: float = 0.0) -> Declaration:
    return Declaration(label="Politeness", meaning="", scale=scale, direction="higher", range=(low, high))


def shares(criterion: CriterionConfig, scorer: Declaration, *scores: float) -> list[float]:
    return [float(share) for share in share_meeting(criterion, scorer, np.array(scores))]


def test_the_default_criterion_is_the_best_score_of_the_scorer_of_correctness() -> None:
    pack = {name: scorer.declared for name, scorer in load_scorers().items()}
    assert default_criterion(pack) == CriterionConfig(scorer="em", at_least=1.0)
    del pack["em"]
    assert default_criterion(pack) is None


def test_the_mean_of_a_binary_score_is_the_share_of_answers_that_meet_the_criterion() -> None:
    at_least = CriterionConfig(scorer="x", at_least=1)
    assert shares(at_least, declared("binary", 1.0), 0, 0.25, 1)[:3] == [0, 0.25, 1]
    assert math.isnan(shares(at_least, declared("binary", 1.0), NAN)[0])
    assert shares(CriterionConfig(scorer="x", at_most=0), declared("binary", 1.0), 0, 0.25, 1) == [1, 0.75, 0]
    assert shares(CriterionConfig(scorer="x", at_least=4), declared("binary", 5.0, 3.0), 3, 4, 5) == [0, 0.5, 1]
    assert shares(CriterionConfig(scorer="x", at_least=0), declared("binary", 1.0), 0, 0.25, 1) == [1, 1, 1]
    assert shares(CriterionConfig(scorer="x", at_least=2), declared("binary", 1.0), 0, 0.25, 1) == [0, 0, 0]


def test_the_mean_of_a_continuous_score_decides_for_all_answers_to_an_item() -> None:
    found = shares(CriterionConfig(scorer="x", at_least=7), declared(), 6.9, 7, 10, NAN)
    assert found[:3] == [0, 1, 1]
    assert math.isnan(found[3])
    assert shares(CriterionConfig(scorer="x", at_most=7), declared(), 6.9, 7, 10) == [1, 1, 0]


def test_a_criterion_in_words_names_the_score_and_the_bound() -> None:
    assert in_words(CriterionConfig(scorer="x", at_least=7), declared()) == "Politeness of at least 7"
    assert in_words(CriterionConfig(scorer="x", at_most=0.5), declared()) == "Politeness of at most 0.5"


@pytest.mark.parametrize("bounds", [{}, {"at_least": 1, "at_most": 2}])
def test_a_criterion_has_exactly_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="give exactly one of `at_least` and `at_most`"):
        CriterionConfig(scorer="x", **bounds)
