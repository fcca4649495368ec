"""What statistics refuse: figures outside of their range, on either side; both ends of the range are taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from promptrial.documents.significance import StatsSettings
from promptrial.stats.adjusted_p_values import benjamini_hochberg, benjamini_yekutieli, holm
from promptrial.stats.attrition import arm_attrition
from promptrial.stats.hodges_lehmann import hodges_lehmann
from promptrial.stats.intervals import clopper_pearson, wilson
from promptrial.stats.mcnemar import mcnemar
from promptrial.stats.pooling import pool
from promptrial.stats.ranking import rank_sets
from promptrial.stats.unconditional import exact_margin_p, unchanged_pairs_needed


def _of_settings(name: str, value: Any) -> StatsSettings:
    return StatsSettings(**{name: value})


CASES: dict[str, tuple[Callable[..., Any], Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]] = {
    **{
        method.__name__: (method, [([0.0, 1.0],), ([],), ([math.nan, 0.5],)], [([-1e-9, 0.5],), ([0.5, 1.0000001],)])
        for method in (holm, benjamini_hochberg, benjamini_yekutieli)
    },
    "mcnemar": (mcnemar, [(0, 0), (0, 1), (1, 0)], [(-1, 0), (0, -1), (-1, 5), (5, -1)]),
    **{
        interval.__name__: (interval, [(0, 5, 0.95), (5, 5, 0.95)], [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95)])
        for interval in (wilson, clopper_pearson)
    },
    "exact_margin_p": (
        exact_margin_p,
        [(0, 0, 1, 1.0), (0, 0, 1, -1.0), (3, 2, 5, 0.0)],
        [(0, 0, 0, 0.0), (-1, 0, 5, 0.0), (0, -1, 5, 0.0), (3, 3, 5, 0.0), (0, 0, 5, 1.01), (0, 0, 5, -1.01)],
    ),
    "unchanged_pairs_needed": (unchanged_pairs_needed, [(1.0,), (0.05,)], [(0.0,), (1.01,), (-0.05,)]),
    "pool": (
        pool,
        [([0.1, 0.2], [0.01, 0.02], [5, 5])],
        [([0.1], [0.01], [5]), ([0.1, 0.2], [0.01, 0.0], [5, 5]), ([0.1, 0.2], [-0.01, 0.01], [5, 5])],
    ),
    "hodges_lehmann": (hodges_lehmann, [(np.array([1.0]),)], [(np.array([]),)]),
    "rank_sets": (
        rank_sets,
        [(np.zeros((2, 2), dtype=bool),), (np.array([[False, True], [False, False]]),)],
        [(np.zeros((2, 3), dtype=bool),), (np.zeros(2, dtype=bool),), (np.array([[False, True], [True, False]]),)],
    ),
    "arm_attrition": (
        arm_attrition,
        [(4, 4, {}, 0, 0), (4, 4, {}, 0, 4), (4, 3, {"timeout": 1}, 0, 0), (4, 3, {}, 1, 3)],
        [(4, 5, {}, 0, 0), (4, 4, {}, 0, 5), (4, 3, {"timeout": 2}, 0, 0), (4, 3, {}, 2, 0), (4, 4, {}, 0, -1),
         (4, -1, {}, 0, 0), (4, 3, {}, -1, 0)],
    ),
    **{
        f"StatsSettings {name}": (
            partial(_of_settings, name),
            [(each,) for each in taken],
            [(each,) for each in refused],
        )
        for name, taken, refused in (
            ("alpha", (0.01, 0.49), (0.0, 0.5, -0.1)),
            ("confidence", (0.01, 0.99), (0.0, 1.0)),
            ("bootstrap_samples", (1,), (0, -1)),
            ("permutation_samples", (1,), (0,)),
            ("tost_margins", ({"em": 0.001},), ({"em": 0.0}, {"em": -0.1}, {"em": math.nan})),
            ("ranges", ({"em": (0.0, 1.0)},), ({"em": (1.0, 1.0)}, {"em": (2.0, 1.0)}, {"em": (0.0, math.inf)})),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "at"), [(name, at) for name, (_, taken, _) in CASES.items() for at in range(len(taken))]
)
def test_figures_up_to_both_ends_of_their_range_are_taken(name: str, at: int) -> None:
    compute, taken, _ = CASES[name]
    compute(*taken[at])


@pytest.mark.parametrize(
    ("name", "at"), [(name, at) for name, (_, _, refused) in CASES.items() for at in range(len(refused))]
)
def test_figures_outside_of_their_range_are_refused_on_either_side(name: str, at: int) -> None:
    compute, _, refused = CASES[name]
    with pytest.raises(ValueError, match=r"\S"):
        compute(*refused[at])
