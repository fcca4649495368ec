"""The tables of several arms: false claims of max-T, Holm and ranks, and how often the best arm is kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from calibration_tables import NOTHING, Cell, Mapper, Table, judge, percent, words
from simulated_arms import ArmsCell, ArmsShares, arms_shares, simulated_scores

from promptrial.documents.many_arms import PairOfArms, Simultaneous
from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import CONTROL
from promptrial.stats.analysis import decided_pairing
from promptrial.stats.score_table import ScoreTable
from promptrial.stats.several import several_arms

__all__ = ["arms_tables", "best_arm_shares"]

FAMILYWISE: Final = 0.055
KEPT: Final = 0.945
ACCEPTED: Final = 184
LARGEST_SET: Final = 2.0
ITEMS: Final = "300 single items"
MEASURED: Final = (
    ("20 single items", "em"),
    ("50 single items", "em"),
    ("400 single items", "em"),
    ("50 single items", "f1"),
    ("10 even", "em"),
    ("10 even", "f1"),
    ("20 uneven (1 to 30)", "em"),
    ("20 uneven (1 to 30)", "f1"),
    ("39 of 2 and one of 60", "f1"),
)
EFFECTS: Final = ((0.0,) * 4, (0.2, 0.0, 0.0, 0.0), (0.2, 0.1, 0.0, 0.0))
MANY: Final = (0.0,) * 8
"""Eight treatments, on single items alone."""
SKEWED: Final = 0.35
"""Above it nearly all answers are right: 95%."""
BEST: Final = ((0.2, 0.1, 0.05, -0.05), (0.15, 0.0, 0.0, 0.0), (0.2, 0.2, 0.05, 0.0), (0.2, 0.1, 0.0, -0.1))
SKEWED_DESIGNS: Final = ("50 single items", "40 even")
QUICK: Final = ("50 single items", "10 even")


class BestCell(NamedTuple):
    """Four treatments on 300 items, and their true effects."""

    effects: tuple[float, ...]
    trials: int


class BestShares(NamedTuple):
    """In how many trials every best arm may be the best, and how many arms may be, on the average.

    ``contrasts`` and ``pairs`` are the shares of trials in which every simultaneous interval holds the true difference:
    those of the contrasts with the control, and those of all pairs.
    """

    kept: int
    size: float
    contrasts: float
    pairs: float


def arms_tables(run: Mapper, trials: int, *, quick: bool = False) -> list[Table]:
    """Simulate several arms: 10,000 trials a cell with the program's max-T, and 200 with all of its statistics."""
    measured = [each for each in MEASURED if not quick or each[0] in QUICK]
    cells = [ArmsCell(*each, effects, trials) for each in measured for effects in EFFECTS]
    if not quick:
        cells += [ArmsCell(*each, MANY, trials) for each in MEASURED[1:4]]
        skewed = ((0.0,) * 4, (-0.1, 0.0, 0.0, 0.0))
        cells += [ArmsCell(name, "em", each, trials, SKEWED) for name in SKEWED_DESIGNS for each in skewed]
    found = run(arms_shares, cells)
    best = [BestCell(effects, min(trials, 200)) for effects in BEST[: 1 if quick else None]]
    kept = run(best_arm_shares, best)
    found_by = ("found", "found by Holm")
    head = ("clusters", "score", "true effects", "single step", "step down", "Holm", "ranks", "best kept", *found_by)
    return [
        Table("arms", head, tuple(_row(cell, shares) for cell, shares in zip(cells, found, strict=True))),
        Table(
            "best arm",
            ("true effects", "trials", "best in the set", "arms in the set", "all intervals hold", "of all pairs"),
            tuple(_best_row(cell, shares) for cell, shares in zip(best, kept, strict=True)),
        ),
    ]


def _row(cell: ArmsCell, shares: ArmsShares) -> tuple[Cell, ...]:
    kind = f"{cell.kind}, mostly right" if cell.above else cell.kind
    found = [Cell(NOTHING) if math.isnan(each) else percent(each) for each in (shares.found, shares.found_by_holm)]
    return (
        *words(cell.design, kind, _said(cell.effects)),
        *(judge(each, cell.trials, high=FAMILYWISE) for each in (shares.single_step, shares.step_down)),
        percent(shares.by_holm),
        judge(shares.ranks, cell.trials, high=FAMILYWISE),
        judge(shares.best_kept, cell.trials, low=KEPT),
        *found,
    )


def _said(effects: tuple[float, ...]) -> str:
    """Return effects in points, equal ones counted.

    Examples
    --------
    >>> _said((0.2, 0.0, 0.0)), _said((0.0,) * 8)
    ('20, 0, 0', '8 of 0')
    """
    points = [f"{100 * each:g}" for each in effects]
    return f"{len(points)} of {points[0]}" if len({*points}) == 1 else ", ".join(points)


def _best_row(cell: BestCell, shares: BestShares) -> tuple[Cell, ...]:
    enough = shares.kept >= ACCEPTED * cell.trials / 200
    small = shares.size <= LARGEST_SET
    return (
        *words(_said(cell.effects), cell.trials),
        Cell(str(shares.kept), enough),
        Cell(f"{shares.size:.2f}", small),
        *(judge(each, cell.trials, low=KEPT) for each in (shares.contrasts, shares.pairs)),
    )


def best_arm_shares(cell: BestCell) -> BestShares:
    """Simulate trials and let the program rank their arms."""
    digest = hashlib.sha256(repr(cell.effects).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    scores = simulated_scores(ArmsCell(ITEMS, "em", cell.effects, cell.trials), cell.trials, rng)
    settings = StatsSettings(primary=("em",), wanted={"em": "higher"})
    truth = np.array([0.0, *cell.effects])
    best = {f"arm{place}" if place else CONTROL for place in np.flatnonzero(truth == truth.max())}
    effects = dict(zip([CONTROL, *(f"arm{place}" for place in range(1, len(truth)))], truth, strict=True))
    kept, sizes, held = 0, [], []
    for each in scores:
        table = _table(each)
        found = several_arms(table, settings, decided_pairing(table, settings))
        assert found is not None  # noqa: S101 - there are four contrasts
        [ranking] = found.rankings
        kept += best <= {*ranking.best}
        sizes.append(len(ranking.best))
        held.append((
            all(_holds(row, *row.compared.sides[::-1], effects) for row in found.simultaneous),
            all(_holds(pair, pair.first, pair.second, effects) for pair in ranking.pairs),
        ))  # fmt: skip
    return BestShares(kept, float(np.mean(sizes)), *np.mean(held, axis=0).tolist())


def _holds(row: Simultaneous | PairOfArms, first: str, second: str, effects: Mapping[str, float]) -> bool:
    """Return whether an interval holds the true difference of two arms."""
    low, high = row.ci_low, row.ci_high
    return low is not None and high is not None and low <= effects[first] - effects[second] <= high


def _table(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> ScoreTable:
    items, arms = scores.shape
    return ScoreTable(
        item_keys=[f"set|{item}" for item in range(items)],
        dataset_names=("set",),
        type_names=("open", "closed"),
        item=np.tile(np.arange(items), arms),
        dataset=np.zeros(items * arms, dtype=np.int64),
        cluster=np.tile(np.arange(items), arms),
        type=np.ones(items * arms, dtype=np.int64),
        arm=np.repeat(np.arange(arms), items),
        temp=np.zeros(items * arms),
        n_samples=np.ones(items * arms, dtype=np.int64),
        metrics={"em": scores.T.ravel()},
        arm_names=(CONTROL, *(f"arm{place}" for place in range(1, arms))),
    )
