"""Power before a run: exact figures against enumeration, approximate ones against simulated trials and reports."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from promptrial.stats.detectable import detectable_difference
from promptrial.stats.paired import paired_difference
from promptrial.stats.planning import Design, _first_guess, detectable, least_enough, power_at, questions_needed
from promptrial.stats.power import connor_sample_size, mcnemar_power
from promptrial.stats.risk_difference import score_p_value
from tests.support.score_tables import sample_of

CELLS = [(5, 0.5, 0.1), (12, 0.3, 0.2), (20, 0.25, 0.05), (30, 0.1, 0.1), (30, 0.4, 0.0)]


@pytest.mark.parametrize(("n", "gain", "loss"), CELLS)
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_the_power_of_the_deciding_test_equals_the_enumeration_of_all_outcomes(
    n: int, gain: float, loss: float, alpha: float
) -> None:
    total = 0.0
    for b, c in itertools.product(range(n + 1), repeat=2):
        if b + c <= n and score_p_value(b, c) <= alpha:
            ways = math.comb(n, b) * math.comb(n - b, c)
            total += ways * gain**b * loss**c * (1 - gain - loss) ** (n - b - c)
    assert mcnemar_power(n, gain, loss, alpha=alpha, method="score") == pytest.approx(total, abs=1e-12)


def test_without_pairs_there_is_no_power() -> None:
    assert mcnemar_power(0, 0.2, 0.1, method="score") == 0.0


@pytest.mark.parametrize("n", [100, 500, 3000])
def test_the_detectable_difference_has_the_requested_power(n: int) -> None:
    design = Design(discordance=0.2, baseline=0.7, power=0.9)
    found = detectable(design, n)
    assert found is not None
    assert power_at(design, n, found) == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize("delta", [0.02, 0.05, 0.1])
@pytest.mark.parametrize(
    "design",
    [
        Design(discordance=0.2),
        Design(discordance=0.25, cluster_size=4, icc=0.1),
        Design(sd=0.4),
        Design(sd=0.4, cluster_size=2.5, icc=0.3, replicates=3, within=0.5),
    ],
    ids=["binary", "clustered", "scale", "everything"],
)
def test_the_computed_number_of_questions_is_enough_and_one_passage_fewer_is_not(design: Design, delta: float) -> None:
    n = questions_needed(design, delta)
    assert n is not None
    assert power_at(design, n, delta) >= design.power
    assert power_at(design, n - math.ceil(design.cluster_size) - 1, delta) < design.power


def test_large_trials_agree_with_the_normal_approximation_where_both_exist() -> None:
    design = Design(discordance=0.2)
    exact = power_at(design, 200_000, 0.003)
    assert power_at(design, 200_001, 0.003) == pytest.approx(exact, abs=0.002)


def test_impossible_assumptions_give_no_figure() -> None:
    assert detectable(Design(discordance=0.02), 50) is None
    assert questions_needed(Design(discordance=0.02), 0.03) is None
    assert Design(discordance=0.3, baseline=0.9).largest < 0
    assert detectable(Design(discordance=0.3, baseline=0.9), 1000) is None


def test_clusters_and_replicates_change_the_power_as_the_variance_predicts() -> None:
    plain = Design(sd=0.4)
    clustered, often = Design(sd=0.4, cluster_size=5, icc=0.25), Design(sd=0.4, replicates=4, within=1.0)
    assert clustered.standard_error(100, 0) == pytest.approx(math.sqrt(2) * plain.standard_error(100, 0))
    assert often.standard_error(100, 0) == pytest.approx(plain.standard_error(100, 0) / 2)
    assert Design(sd=0.4, replicates=4, within=0.0).standard_error(100, 0) == plain.standard_error(100, 0)


def test_too_few_passages_for_any_p_value_give_no_power_and_the_number_needed() -> None:
    few, enough = Design(sd=0.1, cluster_size=4), Design(sd=0.1, cluster_size=4, alpha=0.07)
    assert detectable(few, 20) is None
    assert power_at(few, 20, 0.5) == 0
    assert questions_needed(few, 0.5) == 24
    assert detectable(few, 24) is not None
    assert detectable(enough, 20) is not None
    assert power_at(Design(discordance=0.5, cluster_size=4), 20, 0.4) == 0


def test_uneven_passages_count_with_the_passage_size_of_an_average_item() -> None:
    sizes = [10, 2, 2, 2, 2, 2]
    mean, shared = sum(sizes) / 6, sum(size**2 for size in sizes) / sum(sizes)
    design = Design(sd=0.4, cluster_size=mean, shared_by=shared, icc=0.3)
    # Var(sum d) of exchangeable clusters: n sd^2 (1 + (sum n_c^2 / n - 1) icc).
    total = sum(size * (1 + (size - 1) * 0.3) for size in sizes) * 0.4**2
    assert design.standard_error(20, 0) == pytest.approx(math.sqrt(total) / 20)
    assert design.degrees_of_freedom(20) == pytest.approx(5)


@pytest.mark.parametrize("clusters", [None, 25])
def test_the_detectable_difference_of_a_report_follows_from_its_own_figures(clusters: int | None) -> None:
    rng = np.random.default_rng(5)
    control, treatment = rng.random(100), rng.random(100)
    groups = None if clusters is None else [index % clusters for index in range(100)]
    sample = sample_of(control.tolist(), treatment.tolist(), metric="f1", cluster=groups)
    result = paired_difference(sample.difference, sample.cluster, 0.95)
    size = 1.0 if clusters is None else 100 / clusters
    # The design effect of the report is that of its own clusters: an intraclass correlation that comes to the same.
    icc = 0.0 if size == 1 else (result.design_effect - 1) / (size - 1)
    design = Design(sd=result.se_naive * math.sqrt(100), cluster_size=size, icc=icc)
    expected = detectable_difference(sample, result.se, result.df, 0.05)
    assert detectable(design, 100) == pytest.approx(expected, rel=1e-9)


def simulated(design: Design, n: int, delta: float, trials: int, seed: int) -> float:
    """Return the share of trials in which Student's t on cluster means rejects."""
    rng, size = np.random.default_rng(seed), int(design.cluster_size)
    found, sd = 0, math.sqrt(design.variance(delta))
    for _ in range(trials):
        shared = np.repeat(rng.normal(size=n // size), size) * math.sqrt(design.icc)
        difference = delta + sd * (shared + rng.normal(size=n) * math.sqrt(1 - design.icc))
        result = paired_difference(difference, np.repeat(np.arange(n // size), size), 0.95)
        found += bool(result.p <= design.alpha and result.mean > 0)
    return found / trials


@pytest.mark.parametrize(
    ("design", "n", "delta"),
    [
        (Design(sd=0.4), 100, 0.1),
        (Design(sd=0.4, cluster_size=4, icc=0.3), 200, 0.1),
        (Design(sd=0.3, cluster_size=5, icc=0.1, replicates=3, within=0.6), 150, 0.05),
    ],
)
def test_the_planned_power_matches_simulated_trials(design: Design, n: int, delta: float) -> None:
    trials = 1000
    said = power_at(design, n, delta)
    error = math.sqrt(said * (1 - said) / trials)
    assert simulated(design, n, delta, trials, 11) == pytest.approx(said, abs=3 * error + 0.01)


@pytest.mark.parametrize(("n", "delta"), [(100, 0.1), (400, 0.05), (1000, 0.03)])
def test_the_planned_power_matches_simulated_pairs(n: int, delta: float) -> None:
    trials, psi = 1000, 0.2
    rng = np.random.default_rng(3)
    draws = rng.multinomial(n, [(psi + delta) / 2, (psi - delta) / 2, 1 - psi], size=trials)
    share = float(np.mean([score_p_value(int(b), int(c)) <= 0.05 for b, c, _ in draws]))
    said = power_at(Design(discordance=psi), n, delta)
    assert share == pytest.approx(said, abs=3 * math.sqrt(said * (1 - said) / trials))


@pytest.mark.parametrize("guess", [1, 90, 100, 50_000])
def test_the_smallest_sufficient_number_is_found_in_few_steps_from_any_guess(guess: int) -> None:
    asked: list[int] = []

    def is_enough(n: int) -> bool:
        asked.append(n)
        return n >= 100

    assert least_enough(is_enough, guess) == 100
    assert len(asked) <= 40


@pytest.mark.parametrize(("delta", "discordance"), [(0.1, 0.3), (0.05, 0.2), (0.2, 0.2)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_search_for_the_number_of_questions_begins_at_connors_number(
    delta: float, discordance: float, alpha: float
) -> None:
    guess = _first_guess(Design(discordance=discordance, alpha=alpha, power=0.8), delta)
    assert guess == math.ceil(connor_sample_size(delta, discordance, alpha=alpha, power=0.8))
