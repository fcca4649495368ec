"""A control against itself: how often splits of its answers give a false alarm, and whether its noise floor is right.

Runs whose control gives several answers to each item. Items differ in how often they are answered right; in clusters,
answers of one ask share a part of their luck. The program splits the answers of each run, and each run is compared with
fresh A/A trials of the same items, of which no split knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from calibration_tables import Cell, Mapper, Table, judge, percent, words

from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.against_itself import Asked, endpoint_of, splits_of
from promptrial.stats.pairing import pair_scores
from promptrial.stats.score_table import FloatArray, IntArray, ScoreTable
from promptrial.stats.streams import stream

__all__ = ["AACell", "Found", "aa_tables", "simulate"]

SEED: Final = 58_000
SPLITS: Final = 100
"""Splits of each run, and fresh A/A trials of its items."""
_MOST_ALARMS: Final = 0.055
_BEYOND: Final = (0.03, 0.07)
"""How often a fresh A/A difference may be larger than the noise floor, which is to be the 95th percentile."""
_SHARED: Final = 0.3
"""The share of an answer's luck that the answers of one ask have in common within a cluster."""


class AACell(NamedTuple):
    """Runs to simulate: their scores, items, answers to each, and items in a cluster."""

    scores: str
    items: int
    answers: int
    per_cluster: int
    runs: int


class Found(NamedTuple):
    """Means over the runs: false alarms, fresh differences beyond the floor, and the floor by the true percentile."""

    alarms: float
    beyond: float
    ratio: float


def simulate(cell: AACell) -> Found:
    """Simulate the runs of a cell."""
    rng = stream(SEED, "against itself", *map(str, cell))
    settings = StatsSettings(primary=("em",), graded=("em",) if cell.scores == "continuous" else ())
    alarms, floors, fresh = [], [], []
    for seed in range(cell.runs):
        cluster, ease = np.arange(cell.items) // cell.per_cluster, rng.beta(1.0, 1.0, size=cell.items)
        asked = _asked(_answers(cell, cluster, ease, rng), cluster, cell)
        own = StatsSettings(primary=settings.primary, graded=settings.graded, random_seed=seed)
        found = endpoint_of(asked, splits_of(asked, own, SPLITS), own, cell.answers)
        alarms.append(found.alarms.n / found.alarms.of)
        floors.append(found.noise_floor)
        fresh.append([_fresh(cell, cluster, ease, rng) for _ in range(SPLITS)])
    apart, floor = np.array(fresh), np.array(floors, dtype=np.float64)
    beyond = float((apart > floor[:, None] + 1e-9).mean())
    return Found(float(np.mean(alarms)), beyond, float(floor.mean() / np.quantile(apart, 0.95)))


def _answers(cell: AACell, cluster: IntArray, ease: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw the scores of all answers, shape (items, answers)."""
    own = rng.normal(size=(cell.items, cell.answers))
    shared = rng.normal(size=(int(cluster.max()) + 1, cell.answers))[cluster]
    weight = _SHARED if cell.per_cluster > 1 else 0.0
    luck = np.sqrt(1 - weight) * own + np.sqrt(weight) * shared
    level = 2.5 * (ease[:, None] - 0.5) + luck
    scores: FloatArray = (level > 0).astype(np.float64) if cell.scores == "0/1" else 1 / (1 + np.exp(-level))
    return scores


def _asked(score: FloatArray, cluster: IntArray, cell: AACell) -> Asked:
    n = cell.items
    nothing = np.zeros(2 * n)
    table = ScoreTable(
        item_keys=[str(item) for item in range(n)],
        dataset_names=["set"],
        type_names=("open", "closed"),
        item=np.tile(np.arange(n), 2),
        dataset=np.zeros(2 * n, dtype=np.int64),
        cluster=np.tile(cluster, 2),
        type=np.zeros(2 * n, dtype=np.int64),
        arm=np.repeat([0, 1], n),
        temp=nothing,
        n_samples=np.ones(2 * n, dtype=np.int64),
        metrics={"em": nothing},
    )
    pairing = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST, continuous=cell.scores == "continuous")
    return Asked(pairing, score, np.ones(score.shape, dtype=np.int64))


def _fresh(cell: AACell, cluster: IntArray, ease: FloatArray, rng: np.random.Generator) -> float:
    """Return the difference of an A/A trial with as many answers on each side as a split has."""
    half = cell._replace(answers=cell.answers // 2)
    first, second = (_answers(half, cluster, ease, rng).mean(axis=1) for _ in range(2))
    return abs(float((second - first).mean()))


def aa_tables(run: Mapper, *, trials: int, quick: bool) -> list[Table]:
    """Make the table of false alarms and noise floors."""
    runs = max(trials // SPLITS, 5)
    shapes = [
        ("0/1", 300, 2, 1),
        ("0/1", 300, 4, 1),
        ("0/1", 60, 3, 1),
        ("continuous", 100, 2, 1),
        ("0/1", 300, 2, 5),
        ("continuous", 120, 4, 4),
    ]
    cells = [AACell(*shape, runs) for shape in (shapes[::3] if quick else shapes)]
    head = (
        "scores",
        "items",
        "answers",
        "items in a cluster",
        "false alarms",
        "beyond the floor",
        "floor, of the true one",
    )
    return [Table("against itself", head, tuple(_rows(cells, run(simulate, cells))))]


def _rows(cells: list[AACell], found: list[Found]) -> Iterator[tuple[Cell, ...]]:
    for cell, each in zip(cells, found, strict=True):
        yield (
            *words(cell.scores, cell.items, cell.answers, cell.per_cluster),
            judge(each.alarms, cell.runs * SPLITS, high=_MOST_ALARMS),
            judge(each.beyond, cell.runs * SPLITS, *_BEYOND),
            percent(each.ratio),
        )
