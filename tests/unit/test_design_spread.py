"""What scored items tell for the power of a larger sample, and what they must not tell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.design.spread import PairOfScores, estimated
from promptrial.stats.paired import paired_difference

SCORES = st.sampled_from([0.0, 1.0])
PAIRS = st.lists(st.builds(PairOfScores, SCORES, SCORES, st.integers(0, 30)), min_size=2, max_size=80)


def pairs_of(gains: int, losses: int, same: int) -> list[PairOfScores]:
    table = [(0.0, 1.0)] * gains + [(1.0, 0.0)] * losses + [(1.0, 1.0)] * same
    return [PairOfScores(control, treatment, place) for place, (control, treatment) in enumerate(table)]


@given(PAIRS)
def test_exchanging_the_arms_changes_only_the_baseline(pairs: list[PairOfScores]) -> None:
    found = estimated(pairs, len(pairs))
    turned = estimated([PairOfScores(b, a, passage) for a, b, passage in pairs], len(pairs))
    assert found is not None
    assert turned is not None
    assert turned.icc == pytest.approx(found.icc)
    assert replace(turned, baseline=found.baseline, icc=found.icc) == found


@pytest.mark.parametrize("gains", range(11))
def test_the_summary_does_not_reveal_which_arm_wins_the_differing_pairs(gains: int) -> None:
    found = estimated(pairs_of(gains, 10 - gains, 40), 50)
    assert found is not None
    assert found.discordance == 0.2
    assert found.sd == pytest.approx(math.sqrt(0.2))


def test_the_intraclass_correlation_gives_the_design_effect_that_a_report_prints() -> None:
    rng = np.random.default_rng(4)
    passage = np.repeat(np.arange(30), [1, 2, 3] * 10)
    lean = rng.normal(size=30)[passage]
    control = (rng.random(60) < 0.5).astype(float)
    treatment = np.clip(control + np.sign(lean) * (rng.random(60) < 0.5), 0, 1)
    found = estimated([PairOfScores(*each) for each in zip(control, treatment, passage.tolist(), strict=True)], 60)
    report = paired_difference(treatment - control, passage)
    shared = float((np.bincount(passage) ** 2).sum()) / 60
    assert found is not None
    assert found.icc is not None
    assert 0 < found.icc < 1
    assert 1 + (shared - 1) * found.icc == pytest.approx(report.design_effect)


def test_few_shared_passages_give_no_intraclass_correlation() -> None:
    pairs = [PairOfScores(0.0, float(place % 2), place // 2) for place in range(18)]
    assert estimated(pairs, 18).icc is None  # type: ignore[union-attr]
    more = [*pairs, PairOfScores(0.0, 1.0, "x"), PairOfScores(0.0, 0.0, "x")]
    assert estimated(more, 20).icc == 0.0  # type: ignore[union-attr]


def test_without_differing_pairs_the_share_is_the_one_missed_one_time_in_twenty() -> None:
    found = estimated(pairs_of(0, 0, 50), 50)
    assert found is not None
    assert found.at_most
    assert (1 - found.discordance) ** 50 == pytest.approx(0.05)
    assert found.sd == pytest.approx(math.sqrt(found.discordance))


def test_scores_of_another_range_are_taken_as_shares_of_it() -> None:
    found = estimated([PairOfScores(1.0, 3.0, 1), PairOfScores(5.0, 5.0, 2), PairOfScores(4.0, 2.0, 3)], 4, width=4.0)
    assert found is not None
    assert found.sd == pytest.approx(math.sqrt(2 * 0.25 / 3))
    assert (found.pairs, found.answered) == (3, 0.75)
    assert found.baseline == pytest.approx(10 / 3)


def test_one_pair_gives_no_figures() -> None:
    assert estimated(pairs_of(1, 0, 0), 1) is None
