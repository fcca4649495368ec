"""Trials that are looked at while they run: how often they stop without reason, find a difference, and what they save.

Trials of single items have ten equal waves, those of clusters five. A trial ends at the first look that crosses its
bound. Single items have 0/1 scores, drawn as gains and losses; clusters have continuous scores of latent variables
(``simulated_pairs``). The bounds are the program's own; tests and bets are its formulas on whole arrays of trials, and
a test holds them against it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, get_args

import numpy as np
from batch_methods import Batch, batch_of, flip_p, flips_of
from calibration_tables import Cell, Mapper, Table, judge, percent, words
from scipy import special
from simulated_pairs import DESIGNS, arms_model

from promptrial.stats.analysis import stream
from promptrial.stats.e_process import bets
from promptrial.stats.pairing import BoolArray, FloatArray, IntArray
from promptrial.stats.risk_difference import score_statistic
from promptrial.stats.stopping import LookPlan, LookRule

__all__ = ["LookCell", "Stopped", "look_tables", "simulate"]

RULES: Final = get_args(LookRule)
LOOKS: Final = 10
CLUSTER_LOOKS: Final = 5
SEED: Final = 40_000
DISCORDANCE: Final = 0.3
EFFECTS: Final = (0.02, 0.05, 0.10)
"""True differences of the power table: 2, 5 and 10 points."""
ITEMS: Final = 1_000
ERROR: Final = 0.055
COVERS: Final = 0.945
_AT_ONCE: Final = 250
_CLUSTERS: Final = ("40 even", "30 exponential")


class LookCell(NamedTuple):
    """Trials to simulate: ``design`` names clusters, or is ``single`` for ``items`` items of 0/1 scores."""

    design: str
    effect: float
    trials: int
    items: int = ITEMS
    discordance: float = DISCORDANCE


class Stopped(NamedTuple):
    """How the trials of a cell end under a rule; arrays of shape (trials,).

    ``look`` is the last look taken, from 0. ``sign`` is 1 or -1 where a difference was shown, and 0 elsewhere.
    ``covers`` says whether the interval of the last look holds the true difference.
    """

    look: IntArray
    sign: IntArray
    covers: BoolArray


def simulate(cell: LookCell) -> dict[LookRule, Stopped]:
    """Simulate the trials of a cell and end each under every rule."""
    single = cell.design == "single"
    draw = _single if single else _clustered
    rng = stream(SEED, "looks", *map(str, cell))
    lots = [draw(cell, min(_AT_ONCE, cell.trials - start), rng) for start in range(0, cell.trials, _AT_ONCE)]
    return {rule: Stopped(*(np.concatenate(parts) for parts in zip(*(lot[rule] for lot in lots), strict=True)))
            for rule in RULES}  # fmt: skip


def _single(cell: LookCell, trials: int, rng: np.random.Generator) -> dict[LookRule, Stopped]:
    """End trials of single items: gains and losses of each wave are all that matters."""
    wave = cell.items // LOOKS
    gain, loss = (cell.discordance + cell.effect) / 2, (cell.discordance - cell.effect) / 2
    drawn = np.cumsum(rng.multinomial(wave, [gain, loss, 1 - gain - loss], size=(trials, LOOKS)), axis=1)
    b, c, same = drawn[:, :, 0], drawn[:, :, 1], drawn[:, :, 2]
    n = (np.arange(LOOKS) + 1) * wave
    found = {}
    for rule in RULES:
        levels = np.array(LookPlan(rule, (wave,) * LOOKS, 1).levels())
        if rule == "evalue":
            crosses, misses = (_log_e_of_counts(b, c, same, at) >= -np.log(levels) for at in (0.0, cell.effect))
        else:
            critical = -special.ndtri(levels / 2)
            crosses, misses = (
                np.stack([np.abs(score_statistic(b[:, k], c[:, k], n[k], at)) for k in range(LOOKS)], 1) >= critical
                for at in (0.0, cell.effect)
            )
        found[rule] = _ended(crosses, ~misses, b - c)
    return found


def _clustered(cell: LookCell, trials: int, rng: np.random.Generator) -> dict[LookRule, Stopped]:
    """End trials of clusters, an equal number in each wave; the test is that by sign flips."""
    sizes = DESIGNS[cell.design]
    model, looks = arms_model("f1", cell.effect, 0.2), _looks_of(len(sizes))
    sizes = tuple(int(size) for size in rng.permutation(sizes))
    differences = model.sample(sizes, trials, rng)
    batches = [batch_of(differences[:, : sum(sizes[:seen])], sizes[:seen]) for seen in np.cumsum(looks)]
    estimates = np.stack([batch.sums.sum(axis=1) for batch in batches], 1)
    flips = [flips_of(len(batch.sizes), rng) for batch in batches]
    at_0 = _p_and_log_e(batches, flips, max(sizes), 0.0)
    at_truth = at_0 if model.truth == 0 else _p_and_log_e(batches, flips, max(sizes), model.truth)
    found = {}
    for rule in RULES:
        levels = np.array(LookPlan(rule, looks, max(sizes)).levels())
        crosses, misses = (
            log_e >= -np.log(levels) if rule == "evalue" else p <= levels for p, log_e in (at_0, at_truth)
        )
        found[rule] = _ended(crosses, ~misses, estimates)
    return found


def _p_and_log_e(
    batches: Sequence[Batch], flips: Sequence[FloatArray], largest: int, at: float
) -> tuple[FloatArray, FloatArray]:
    """Return p by sign flips and the log e-value against a mean, of each trial and look."""
    p = np.stack([flip_p(batch, at, own) for batch, own in zip(batches, flips, strict=True)], 1)
    return p, np.stack([log_e_of_batch(batch, largest, at) for batch in batches], 1)


def _looks_of(clusters: int) -> tuple[int, ...]:
    """Return how many clusters each of five waves has."""
    return tuple(len(part) for part in np.array_split(np.arange(clusters), CLUSTER_LOOKS))


def _ended(crosses: BoolArray, covers: BoolArray, estimates: FloatArray | IntArray) -> Stopped:
    ever, last = crosses.any(axis=1), crosses.shape[1] - 1
    look = np.where(ever, crosses.argmax(axis=1), last)
    trials = np.arange(len(look))
    return Stopped(look, np.where(ever, np.sign(estimates[trials, look]), 0).astype(np.int64), covers[trials, look])


def _log_e_of_counts(b: IntArray, c: IntArray, same: IntArray, at: float) -> FloatArray:
    """Return the log e-value against a mean from gains, losses and unchanged pairs; shape as theirs."""
    up = [np.log1p(bets() * (d - at) / (1 + at)) for d in (1, -1, 0)]
    down = [np.log1p(bets() * (at - d) / (1 - at)) for d in (1, -1, 0)]
    logs = [sum(np.multiply.outer(count, side) for count, side in zip((b, c, same), sides, strict=True))
            for sides in (up, down)]  # fmt: skip
    found: FloatArray = special.logsumexp(np.concatenate(logs, axis=-1), axis=-1) - math.log(2 * len(bets()))
    return found


def log_e_of_batch(batch: Batch, largest: int, at: float) -> FloatArray:
    """Return the log e-value of each trial of clusters against a mean; scores lie between 0 and 1."""
    excess = (batch.sums - batch.sizes * at) / largest
    logs = [np.log1p(np.multiply.outer(side, bets())).sum(axis=1) for side in (excess / (1 + at), -excess / (1 - at))]
    found: FloatArray = special.logsumexp(np.concatenate(logs, axis=-1), axis=-1) - math.log(2 * len(bets()))
    return found


# --- tables --------------------------------------------------------------------------------------------------------


def look_tables(run: Mapper, *, trials: int, quick: bool) -> list[Table]:
    """Return the tables of trials that are looked at while they run."""
    aa = [LookCell("single", 0.0, trials, items) for items in ((ITEMS,) if quick else (200, ITEMS, 5_000))]
    aa += [] if quick else [LookCell(name, 0.0, trials) for name in _CLUSTERS]
    power = [LookCell("single", effect, trials) for effect in EFFECTS]
    found = dict(zip([*aa, *power], run(simulate, [*aa, *power]), strict=True))
    return [
        Table("look errors", ("trial", "rule", "stops or ends with a difference", "interval holds 0"),
              tuple(_error_row(cell, rule, found[cell][rule]) for cell in aa for rule in RULES)),
        Table("look savings", ("difference, points", "rule", "shown", "stops early", "items asked on average",
                               "interval holds the truth", "shown without looks"),
              tuple(row for cell in power for row in _power_rows(cell, found[cell]))),
    ]  # fmt: skip


def _error_row(cell: LookCell, rule: LookRule, ended: Stopped) -> tuple[Cell, ...]:
    name = f"{cell.items:,} items" if cell.design == "single" else f"clusters: {cell.design}"
    return (
        *words(name, rule),
        judge(float((ended.sign != 0).mean()), cell.trials, high=ERROR),
        judge(float(ended.covers.mean()), cell.trials, low=COVERS),
    )


def _power_rows(cell: LookCell, found: dict[LookRule, Stopped]) -> Iterator[tuple[Cell, ...]]:
    for rule, ended in found.items():
        yield (
            *words(f"{100 * cell.effect:g}", rule),
            percent(float((ended.sign > 0).mean())),
            percent(float((ended.look < LOOKS - 1).mean())),
            percent(float((ended.look + 1).mean()) / LOOKS),
            judge(float(ended.covers.mean()), cell.trials, low=COVERS),
            percent(_without_looks(cell)),
        )


def _without_looks(cell: LookCell) -> float:
    """Return the power of one test at the end, as a plan says it."""
    from promptrial.stats.planning import Design, power_at

    return power_at(Design(discordance=cell.discordance), cell.items, cell.effect)
