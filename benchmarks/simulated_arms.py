"""Simulated trials of a control and several treatments, made many at a time: error rates of max-T, Holm and ranks.

What decides is the program's own code; only the draws of the flips are shared by a block of trials, as a product of
matrices, and so are 999 instead of 9,999. Each block has flips of its own.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final, NamedTuple

import numpy as np
from simulated_pairs import CLUSTER_SHARE, DESIGNS, ITEM_SHARE, arms_model

from promptrial.stats.adjusted_p_values import holm
from promptrial.stats.clusters import DECIMALS
from promptrial.stats.max_t import JointFlips, max_t
from promptrial.stats.pairing import FloatArray, IntArray
from promptrial.stats.ranking import directed_p
from promptrial.stats.risk_difference import score_p_value

__all__ = ["ARM_DESIGNS", "ArmsCell", "ArmsShares", "arms_shares", "simulated_scores"]

ARM_DESIGNS: Final = DESIGNS | {"20 single items": (1,) * 20, "300 single items": (1,) * 300}
"""Sizes of the clusters by the name of the design."""
FLIPS: Final = 999
BLOCK: Final = 100
LEVEL: Final = 0.05
ARM_SHARE: Final = 0.1
"""Of the latent variance, in clusters of several items: what an arm has of its own in a cluster."""


class ArmsCell(NamedTuple):
    """Treatments of a trial, the true effect of each, and on what they are measured."""

    design: str
    kind: str
    effects: tuple[float, ...]
    trials: int
    above: float = 0.0
    """By how much the mean score of all arms is above that of ``simulated_pairs``."""


class ArmsShares(NamedTuple):
    """In which share of the trials some hypothesis was rejected that is true, and how many effects were found.

    ``ranks`` counts pairs of arms that are equal and told apart, or told apart in the wrong order; ``best_kept``, that
    every best arm is among those that may be. ``found`` and
    ``found_by_holm`` are shares of the effects that there are; NaN without any.
    """

    single_step: float
    step_down: float
    by_holm: float
    ranks: float
    best_kept: float
    found: float
    found_by_holm: float


def simulated_scores(cell: ArmsCell, trials: int, rng: np.random.Generator) -> FloatArray:
    """Draw scores, shape (trials, items, arms), the control first: the arms of ``simulated_pairs``, but several."""
    sizes = ARM_DESIGNS[cell.design]
    clusters, items, arms = len(sizes), sum(sizes), 1 + len(cell.effects)
    of = np.repeat(np.arange(clusters), sizes)
    own = ARM_SHARE if max(sizes) > 1 else 0.0
    common = math.sqrt(ITEM_SHARE) * rng.standard_normal((trials, items))
    common += math.sqrt(CLUSTER_SHARE) * rng.standard_normal((trials, clusters))[:, of]
    scores = np.empty((trials, items, arms))
    for arm, effect in enumerate((0.0, *cell.effects)):
        latent = common + math.sqrt(1 - ITEM_SHARE - CLUSTER_SHARE - own) * rng.standard_normal((trials, items))
        if own:
            latent += math.sqrt(own) * rng.standard_normal((trials, clusters))[:, of]
        scores[:, :, arm] = arms_model(cell.kind, cell.above + effect, 0.0).treatment.values(latent)
    return scores


def arms_shares(cell: ArmsCell) -> ArmsShares:
    """Simulate the trials of a cell."""
    digest = hashlib.sha256(repr(cell._replace(trials=0)).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    found = [row for _ in range(0, cell.trials, BLOCK) for row in _block(cell, rng)]
    rows = np.array(found)
    shares = [float(column[~np.isnan(column)].mean()) if not np.isnan(column).all() else math.nan for column in rows.T]
    return ArmsShares._make(shares)


def _block(cell: ArmsCell, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Return what holds of each trial of a block: the fields of ``ArmsShares``."""
    sizes = ARM_DESIGNS[cell.design]
    scores = simulated_scores(cell, BLOCK, rng)
    first, second = np.triu_indices(scores.shape[2], 1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums: FloatArray = np.add.reduceat(scores[:, :, second] - scores[:, :, first], starts, axis=1)
    sums = np.round(sums.transpose(1, 0, 2), DECIMALS)  # clusters, trials, pairs
    scale = np.sqrt((sums**2).sum(axis=0))
    scaled = sums / np.where(scale > 0, scale, 1.0)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(FLIPS, len(sizes)))
    drawn = (signs @ scaled.reshape(len(sizes), -1)).reshape(FLIPS, BLOCK, -1)
    spread = cell.kind == "em" and max(sizes) == 1
    steps = np.where(scale > 0, 2 / np.maximum(scale, 1.0), 0.0) if spread else np.zeros_like(scale)
    drawn += rng.uniform(-0.5, 0.5, size=drawn.shape) * steps
    observed = scaled.sum(axis=0)
    truth = np.array([0.0, *cell.effects])
    rows = []
    for trial in range(BLOCK):
        draws = np.round(np.concatenate([observed[trial][None], drawn[:, trial]]), 9)
        flips = JointFlips(scaled[:, trial], draws[0], draws, steps[trial], enumerated=False, seed=0, batches=1)
        p = _alone(sums[:, trial], flips, spread=spread)
        rows.append(_outcome(cell, flips, p, first, second, truth))
    return rows


def _alone(sums: FloatArray, flips: JointFlips, *, spread: bool) -> FloatArray:
    """Return the p-value of each pair of arms alone, by the test that decides."""
    if spread:
        return np.array([score_p_value(int((each > 0).sum()), int((each < 0).sum())) for each in sums.T])
    shares: FloatArray = (np.abs(flips.draws) >= np.abs(flips.observed)).mean(axis=0)
    return shares


def _outcome(
    cell: ArmsCell, flips: JointFlips, p: FloatArray, first: IntArray, second: IntArray, truth: FloatArray
) -> tuple[float, ...]:
    contrasts = [int(column) for column in np.flatnonzero(first == 0)]
    corrected, by_holm = max_t(flips, contrasts, p[contrasts], LEVEL), holm(p[contrasts])
    null = np.array([effect == 0 for effect in cell.effects])
    stepped = corrected.step_down <= LEVEL
    directed = directed_p(flips, range(len(p)), p) <= LEVEL
    ahead = np.where(flips.observed > 0, second, first)[directed]
    behind = np.where(flips.observed > 0, first, second)[directed]
    wrong = truth[ahead] <= truth[behind]
    best = truth == truth.max()
    beaten = np.isin(np.arange(len(truth)), behind)
    return (
        float((corrected.single_step <= LEVEL)[null].any()),
        float(stepped[null].any()),
        float((by_holm <= LEVEL)[null].any()),
        float(wrong.any()),
        float(not beaten[best].any()),
        float(stepped[~null].mean()) if not null.all() else math.nan,
        float((by_holm <= LEVEL)[~null].mean()) if not null.all() else math.nan,
    )
