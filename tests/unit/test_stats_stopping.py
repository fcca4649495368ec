"""One look at an endpoint: p, interval and decision agree, under every rule."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from promptrial.documents.significance import StatsSettings
from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.e_process import EProcess
from promptrial.stats.pairing import PairedSample
from promptrial.stats.stopping import LookPlan, LookRule, stops_early
from tests.support.score_tables import sample_of

RULES: tuple[LookRule, ...] = get_args(LookRule)
SETTINGS = StatsSettings()


def pairs(gains: int, losses: int, n: int) -> PairedSample:
    """0/1 scores with so many gains and losses."""
    same = n - gains - losses
    return sample_of([0.0] * gains + [1.0] * losses + [1.0] * same, [1.0] * gains + [0.0] * losses + [1.0] * same)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("gains", "losses"), [(0, 0), (5, 0), (20, 10), (30, 8), (8, 30), (60, 20)])
def test_the_interval_of_a_look_excludes_0_exactly_if_its_bound_is_crossed(
    rule: LookRule, gains: int, losses: int
) -> None:
    plan = LookPlan(rule, (100,) * 10, 1)
    for number in range(10):
        look = plan.look(pairs(gains, losses, 100), number, SETTINGS)
        assert look.crossed == (not look.low <= 0 <= look.high)
        assert look.low <= look.estimate <= look.high
        assert look.crossed == (plan.reason_to_stop(look) == "efficacy")


def test_obrien_and_fleming_are_stricter_at_early_looks_and_pocock_is_constant() -> None:
    cautious = LookPlan("obrien_fleming", (100,) * 5, 1).levels()
    assert list(cautious) == sorted(cautious)
    assert cautious[0] < 1e-5
    assert cautious[-1] < 0.05
    even = LookPlan("pocock", (100,) * 5, 1).levels()
    assert max(even) - min(even) < 0.003
    assert LookPlan("evalue", (100,) * 5, 1).levels() == (0.05,) * 5


def test_the_same_pairs_stop_a_trial_at_a_late_look_and_not_at_an_early_one() -> None:
    plan, seen = LookPlan("obrien_fleming", (100,) * 10, 1), pairs(30, 12, 100)
    assert plan.reason_to_stop(plan.look(seen, 0, SETTINGS)) is None
    assert plan.reason_to_stop(plan.look(seen, 9, SETTINGS)) == "efficacy"


@pytest.mark.parametrize("rule", RULES)
def test_a_trial_stops_for_futility_once_a_difference_of_the_margin_is_excluded(rule: LookRule) -> None:
    plan = LookPlan(rule, (1000,) * 3, 1, futility=0.05)
    assert plan.reason_to_stop(plan.look(pairs(40, 40, 3000), 2, SETTINGS)) == "futility"
    assert plan.reason_to_stop(plan.look(pairs(40, 40, 200), 0, SETTINGS)) is None
    assert replace(plan, futility=None).reason_to_stop(plan.look(pairs(40, 40, 3000), 2, SETTINGS)) is None


def test_a_limit_at_the_margin_is_not_futility() -> None:
    plan = LookPlan("evalue", (100,), 1)
    look = plan.look(pairs(10, 10, 100), 0, SETTINGS)
    assert replace(plan, futility=look.high).reason_to_stop(replace(look, low=-0.01)) is None
    assert replace(plan, futility=math.nextafter(look.high, 1)).reason_to_stop(replace(look, low=-0.01)) == "futility"


def test_a_trial_that_may_not_stop_for_efficacy_runs_on() -> None:
    plan = LookPlan("evalue", (100,) * 10, 1, efficacy=False)
    look = plan.look(pairs(60, 2, 100), 0, SETTINGS)
    assert look.crossed
    assert plan.reason_to_stop(look) is None


def test_a_look_without_a_pair_decides_nothing() -> None:
    look = LookPlan("pocock", (5, 5), 1).look(sample_of([math.nan], [math.nan]), 0, SETTINGS)
    assert (look.low, look.high, look.p, look.n_pairs) == (-1.0, 1.0, 1.0, 0)
    assert math.isnan(look.estimate)
    assert not look.crossed


def test_few_clusters_exclude_nothing_rather_than_something_by_chance() -> None:
    sample = sample_of([0.1, 0.2] * 4, [0.9, 0.8] * 4, cluster=[0, 0, 1, 1, 2, 2, 3, 3], continuous=True)
    look = LookPlan("obrien_fleming", (4, 4), 2).look(sample, 0, SETTINGS)
    assert (look.low, look.high) == (-1.0, 1.0)
    assert not look.crossed


def test_a_cluster_larger_than_planned_is_an_error() -> None:
    sample = sample_of([0.0] * 3, [1.0] * 3, cluster=[0, 0, 0])
    with pytest.raises(ValueError, match="more than the largest planned"):
        LookPlan("evalue", (1, 1), 2).look(sample, 0, SETTINGS)


def test_a_trial_with_several_endpoints_stops_once_each_has_a_reason() -> None:
    a, b = ("t1 vs control", 0.0), ("t2 vs control", 0.0)
    assert stops_early([{a: "efficacy", b: "futility"}])
    assert not stops_early([{a: "efficacy", b: None}])
    assert not stops_early([{}])


def test_a_difference_shown_at_an_earlier_look_stays_shown_and_an_exclusion_does_not() -> None:
    a, b = ("t1 vs control", 0.0), ("t2 vs control", 0.0)
    assert stops_early([{a: "efficacy", b: None}, {a: None, b: None}, {a: None, b: "futility"}])
    assert not stops_early([{a: "futility", b: None}, {a: None, b: "efficacy"}])
    assert not stops_early([{a: "efficacy", b: None}, {a: "efficacy", b: None}])


# --- the simulation behind docs/calibration_designs.md ----------------------------------------------------------------


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("calibration_looks")


def test_each_rule_stops_early_with_the_right_sign_and_a_covering_interval(looks: ModuleType) -> None:
    """200 trials of 1,000 items, gains in 20% and losses in 10% of them, ten looks."""
    for rule, ended in looks.simulate(looks.LookCell("single", 0.1, 200)).items():
        early = ended.look < looks.LOOKS - 1
        assert (early & (ended.sign == 1)).sum() >= 180, rule
        assert ended.covers.sum() >= 180, rule


def test_no_rule_stops_more_than_18_of_200_trials_without_a_difference(looks: ModuleType) -> None:
    for rule, ended in looks.simulate(looks.LookCell("single", 0.0, 200)).items():
        assert (ended.sign != 0).sum() <= 18, rule


def test_testing_at_5_percent_at_every_look_would_stop_far_more_trials(
    looks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = looks.LookCell("single", 0.0, 2_000)
    right = looks.simulate(cell)["pocock"]
    monkeypatch.setattr(looks, "LookPlan", lambda *_: SimpleNamespace(levels=lambda: (0.05,) * 10))
    wrong = looks.simulate(cell)["pocock"]
    assert (right.sign != 0).mean() < 0.07
    assert (wrong.sign != 0).mean() > 0.15


def test_the_simulated_looks_equal_those_of_the_program(looks: ModuleType) -> None:
    """Single items: the same counts cross and cover in both."""
    rng = np.random.default_rng(5)
    for _ in range(12):
        b, c = rng.multinomial(300, [0.2, 0.1, 0.7])[:2]
        sample = pairs(int(b), int(c), 300)
        counts = (np.array([[b]]), np.array([[c]]), np.array([[300 - b - c]]))
        look = LookPlan("evalue", (300, 100), 1).look(sample, 0, SETTINGS)
        log_e = looks._log_e_of_counts(*counts, 0.0)[0, 0]
        assert look.p == pytest.approx(min(1.0, math.exp(-log_e)), rel=1e-9)
        assert (looks._log_e_of_counts(*counts, 0.1)[0, 0] < -math.log(0.05)) == (look.low <= 0.1 <= look.high)


def test_the_simulated_bets_on_clusters_equal_those_of_the_program(looks: ModuleType) -> None:
    rng, sizes = np.random.default_rng(6), (1, 4, 2, 7)
    batch = looks.batch_of(rng.uniform(-1, 1, size=(3, sum(sizes))), sizes)
    for mean in (0.0, -0.3):
        found = looks.log_e_of_batch(batch, 7, mean)
        for sums, log_e in zip(batch.sums, found, strict=True):
            assert EProcess(ClusterTotals(sums, batch.sizes), 1.0, 7).log_e(mean) == pytest.approx(log_e, abs=1e-9)
