"""Sign flips in several contrasts at once: exact where all flips are looked at, and the same whatever the order."""

from __future__ import annotations

from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from promptrial.stats.clusters import cluster_totals
from promptrial.stats.max_t import JointFlips, counted_statistics, joint_flips, max_t, step_down
from promptrial.stats.ranking import directed_p, rank_sets
from promptrial.stats.resampling import joint_sign_sums
from promptrial.stats.sign_flips import FEWEST_FLIPS, sign_flips
from promptrial.stats.streams import stream

ROWS: Final = np.array(
    [
        [1.0, 1.0, 0.0],
        [2.0, -1.0, 3.0],
        [3.0, 1.0, 1.0],
        [1.0, 2.0, 0.0],
        [1.0, 1.0, -2.0],
        [2.0, 0.0, 1.0],
        [0.0, 1.0, 1.0],
    ]
)


def every_statistic(rows: np.ndarray) -> np.ndarray:
    """|T| of each contrast under every choice of signs, by the definition."""
    signs = np.array(list(product([1, -1], repeat=len(rows))))
    found: np.ndarray = np.abs(np.round(signs @ rows / np.sqrt((rows**2).sum(axis=0)), 9))
    return found


def own_p(rows: np.ndarray) -> np.ndarray:
    every = every_statistic(rows)
    found: np.ndarray = (every >= every[0]).mean(axis=0)
    return found


def many_rows(n: int = 60, contrasts: int = 4, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    control = rng.normal(size=n)
    return np.column_stack([rng.normal(size=n) + 0.2 * at - control for at in range(contrasts)])


def test_single_step_p_values_are_shares_of_all_sign_flips() -> None:
    every = every_statistic(ROWS)
    found = max_t(joint_flips(ROWS), [0, 1, 2], own_p(ROWS), 0.05)
    largest = every.max(axis=1)
    assert found.single_step.tolist() == [(largest >= each).mean() for each in every[0]]


def test_step_down_leaves_out_larger_statistics() -> None:
    every = every_statistic(ROWS)
    order = np.argsort(-every[0])
    wanted, so_far = np.empty(3), 0.0
    for at, column in enumerate(order):
        so_far = max(so_far, (every[:, order[at:]].max(axis=1) >= every[0, column]).mean())
        wanted[column] = so_far
    found = max_t(joint_flips(ROWS), [0, 1, 2], own_p(ROWS), 0.05)
    assert found.step_down.tolist() == wanted.tolist()
    assert (found.step_down <= found.single_step).all()
    assert (found.step_down < found.single_step).any()


def test_with_one_contrast_max_t_gives_its_ordinary_p_value() -> None:
    alone = sign_flips(cluster_totals(ROWS[:, 0])).p_value()
    found = max_t(joint_flips(ROWS), [0], np.array([alone]), 0.05)
    assert [found.single_step[0], found.step_down[0]] == [alone, alone]


def test_the_level_of_each_interval_makes_its_own_test_agree_with_the_joint_test() -> None:
    rows = many_rows(13)
    p = own_p(rows)
    for level in (0.01, 0.05, 0.1, 0.3):
        found = max_t(joint_flips(rows), range(4), p, level)
        assert (found.levels <= level).all()
        assert ((p <= found.levels) == (found.single_step <= level)).all()


def test_a_stricter_test_that_decides_makes_a_contrast_count_for_less() -> None:
    flips, p = joint_flips(many_rows(13)), own_p(many_rows(13))
    before, after = max_t(flips, range(4), p, 0.05), max_t(flips, range(4), np.maximum(p, 0.4), 0.05)
    assert (after.single_step >= before.single_step).all()
    assert (after.step_down >= np.maximum(p, 0.4)).all()


def test_flips_that_are_drawn_do_not_depend_on_the_order_of_the_items() -> None:
    rows = many_rows()
    shuffled = rows[np.random.default_rng(1).permutation(len(rows))]
    one, other = joint_flips(rows, seed=5), joint_flips(shuffled, seed=5)
    assert not one.enumerated
    assert one.draws.tolist() == other.draws.tolist()
    assert joint_flips(rows, seed=6).draws.tolist() != one.draws.tolist()


def test_more_sign_flips_extend_the_existing_ones() -> None:
    flips = joint_flips(many_rows())
    more = flips.grown()
    assert (flips.flips, more.flips, more.grown().flips) == tuple(1 + n * FEWEST_FLIPS for n in (1, 2, 4))
    assert more.draws[: flips.flips].tolist() == flips.draws.tolist()
    while more.can_grow:
        more = more.grown()
    assert more.flips == 1 + 16 * FEWEST_FLIPS


def test_memory_bounds_how_many_flips_many_contrasts_get() -> None:
    flips = joint_flips(np.random.default_rng(0).normal(size=(16, 500)))
    assert not flips.can_grow


def test_the_flip_that_changes_nothing_is_among_the_draws_so_that_no_p_is_0() -> None:
    rows = np.abs(many_rows()) + 1
    flips = joint_flips(rows)
    found = max_t(flips, range(4), np.full(4, 1e-9), 0.05)
    assert found.single_step.min() == pytest.approx(1 / flips.flips)
    assert flips.standard_error(0.5) == pytest.approx(0.5 / np.sqrt(flips.flips))


def test_rows_that_are_alike_are_drawn_together_without_another_distribution() -> None:
    rows = np.array([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [0.0, 0.0]]).repeat(400, axis=0)
    sums = joint_sign_sums(rows, 20_000, stream(1, "test"))
    assert np.cov(sums.T) == pytest.approx(rows.T @ rows, rel=0.05)
    singly = joint_sign_sums(rows + np.linspace(0, 1e-9, len(rows))[:, None], 20_000, stream(1, "test"))
    assert np.cov(singly.T) == pytest.approx(rows.T @ rows, rel=0.05)


def test_contrasts_without_any_difference_are_not_significant() -> None:
    for rows in (np.zeros((3, 2)), np.zeros((0, 2)), np.column_stack([np.zeros(20), many_rows(20, 1)])):
        found = max_t(joint_flips(rows), [0, 1], np.array([1.0, 1.0]), 0.05)
        assert found.single_step[0] == found.step_down[0] == 1


def test_a_shown_direction_accounts_for_the_opposite_one_too() -> None:
    flips = joint_flips(ROWS)
    directed, two_sided = directed_p(flips, [0, 1, 2], own_p(ROWS)), max_t(flips, [0, 1, 2], own_p(ROWS), 0.05)
    assert (directed >= two_sided.step_down).all()
    assert directed.min() == two_sided.single_step.min()


def test_both_directions_of_each_contrast_step_down_together() -> None:
    flips, p = joint_flips(ROWS), own_p(ROWS)
    towards = counted_statistics(flips, [0, 1, 2], p)
    drawn = flips.draws * np.where(flips.observed < 0, -1.0, 1.0)
    observed, draws = np.concatenate([towards, -towards]), np.concatenate([drawn, -drawn], axis=1)
    wanted, least = np.zeros(6), 0.0
    order = np.argsort(-observed, kind="stable")
    for at, place in enumerate(order):
        least = max(least, float((draws[:, order[at:]].max(axis=1) >= observed[place] - 1e-9).mean()))
        wanted[place] = least
    assert directed_p(flips, [0, 1, 2], p) == pytest.approx(np.maximum(wanted[:3], p), abs=2 / len(draws))


def test_exchanging_the_arms_of_a_contrast_changes_no_p_value() -> None:
    p, turned = own_p(ROWS), ROWS * np.array([1.0, -1.0, 1.0])
    one, other = (directed_p(joint_flips(rows), [0, 1, 2], p) for rows in (ROWS, turned))
    assert one.tolist() == other.tolist()


def test_ranks_are_counted_from_what_is_shown() -> None:
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = better[0, 3] = better[1, 3] = True
    sets = rank_sets(better)
    assert (sets.lowest.tolist(), sets.highest.tolist(), sets.best) == ([1, 1, 2, 3], [2, 3, 4, 4], (0, 1))
    with pytest.raises(ValueError, match="better than the other"):
        rank_sets(better | better.T)
    with pytest.raises(ValueError, match="square"):
        rank_sets(np.zeros((2, 3)))


def test_step_down_never_falls_along_the_order_of_the_statistics() -> None:
    rng = np.random.default_rng(2)
    observed, draws = rng.normal(size=6), rng.normal(size=(500, 6))
    adjusted = step_down(observed, [draws])
    assert (np.diff(adjusted[np.argsort(-observed)]) >= 0).all()


def test_fully_enumerated_sign_flips_have_no_sampling_error() -> None:
    flips = joint_flips(ROWS)
    assert isinstance(flips, JointFlips)
    assert (flips.enumerated, flips.flips, flips.can_grow, flips.standard_error(0.3)) == (True, 64, False, 0)


@pytest.mark.parametrize(("n", "q", "draws"), [(1, 1, 1), (8, 2, 9), (333, 3, 1_000), (40, 70, 2_501)])
def test_drawing_signs_for_many_rows_equals_drawing_for_eight_rows_at_a_time(n: int, q: int, draws: int) -> None:
    rows = np.random.default_rng(n).normal(size=(n, q))  # none is like another
    oriented = np.unique(rows * np.sign(rows[:, :1]), axis=0)
    padded = np.pad(oriented, ((0, -n % 8), (0, 0)))
    rng, sums = stream(1, "test"), np.zeros((draws, q))
    for octet in padded.reshape(-1, 8, q):
        drawn = rng.integers(0, 2**64, size=-(-draws // 8), dtype=np.uint64).astype("<u8").view(np.uint8)[:draws]
        sums += np.array([signs_of(number) @ octet for number in range(256)]).take(drawn, axis=0)
    assert np.allclose(joint_sign_sums(rows, draws, stream(1, "test")), sums, rtol=0, atol=1e-9)


def signs_of(number: int) -> npt.NDArray[np.float64]:
    """Return eight signs by the bits of a number, the highest first in the first row; a 1 turns a row."""
    signs: npt.NDArray[np.float64] = 1 - 2 * np.unpackbits(np.uint8(number)).astype(np.float64)
    return signs
