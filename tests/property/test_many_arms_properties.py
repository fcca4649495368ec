"""Max-T and ranks: what holds of any differences, however few and however tied."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from promptrial.stats.max_t import counted_statistics, joint_flips, max_t
from promptrial.stats.ranking import directed_p, rank_sets

LEVEL = 0.05
rows_of_few_clusters = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 7), st.integers(1, 4)),
    elements=st.integers(-3, 3).map(float),
)


def own_p(rows: np.ndarray) -> np.ndarray:
    flips = joint_flips(rows)
    shares: np.ndarray = (np.abs(flips.draws) >= np.abs(flips.observed)).mean(axis=0)
    return shares


@given(rows_of_few_clusters)
@example(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [-1.0, 3.0]]))  # more than twice its own p: 0.375
def test_adjusted_p_values_are_between_the_raw_one_and_the_sum_over_contrasts(rows: np.ndarray) -> None:
    """The sum is Bonferroni's bound: no more draws reach a statistic in any contrast than in each, added up."""
    p, flips = own_p(rows), joint_flips(rows)
    found, counted = max_t(flips, range(len(p)), p, LEVEL), counted_statistics(flips, range(len(p)), p)
    reached = np.array([(np.abs(flips.draws) >= each).mean(axis=0).sum() for each in counted])
    assert (p <= found.step_down + 1e-12).all()
    assert (found.step_down <= found.single_step + 1e-12).all()
    assert (found.single_step <= np.maximum(reached, p) + 1e-12).all()
    assert (found.step_down > 0).all()


@given(rows_of_few_clusters, st.permutations(range(4)), st.sampled_from([0.5, 2.0, 8.0]))
def test_neither_the_order_of_contrasts_nor_the_scale_or_sign_of_one_changes_its_p(
    rows: np.ndarray, order: list[int], factor: float
) -> None:
    order = [place for place in order if place < rows.shape[1]]
    turned = rows[:, order] * np.array([-factor, *[1.0] * (len(order) - 1)])
    before = max_t(joint_flips(rows), range(len(order)), own_p(rows), LEVEL)
    after = max_t(joint_flips(turned), range(len(order)), own_p(turned), LEVEL)
    assert after.step_down.tolist() == before.step_down[order].tolist()
    assert after.single_step.tolist() == before.single_step[order].tolist()


@given(rows_of_few_clusters)
def test_a_duplicate_contrast_does_not_change_p_values(rows: np.ndarray) -> None:
    twice = np.column_stack([rows, rows[:, 0]])
    alone = max_t(joint_flips(rows), range(rows.shape[1]), own_p(rows), LEVEL)
    found = max_t(joint_flips(twice), range(twice.shape[1]), own_p(twice), LEVEL)
    assert found.single_step[:-1].tolist() == alone.single_step.tolist()
    assert found.single_step[-1] == found.single_step[0]


@given(rows_of_few_clusters)
def test_showing_a_direction_needs_at_least_as_much_as_showing_a_difference(rows: np.ndarray) -> None:
    p = own_p(rows)
    columns = range(len(p))
    flips = joint_flips(rows)
    assert (directed_p(flips, columns, p) >= max_t(flips, columns, p, LEVEL).step_down - 1e-12).all()


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 1))
def test_ranks_contain_the_place_of_each_arm_in_every_consistent_order(means: list[float], apart: float) -> None:
    values = np.array(means)
    better = (values[:, None] - values[None, :]) > apart
    sets = rank_sets(better)
    places = np.argsort(np.argsort(-values, kind="stable"), kind="stable") + 1
    assert ((sets.lowest <= places) & (places <= sets.highest)).all()
    assert int(np.argmax(values)) in sets.best
