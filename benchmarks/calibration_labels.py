"""People label some items, a judge scores all of them: how often corrected intervals hold what people would say.

Trials of 1,000 items with 0/1 labels in two arms. The judge repeats a person's label with a probability, its accuracy.
One that favours an arm errs towards 1 in the treatment, and towards 0 in the control. People label a simple random
sample of the clusters. The program's own function makes the estimates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from calibration_tables import Cell, Mapper, Table, judge, percent, words

from promptrial.stats.prediction_powered import prediction_powered_difference, prediction_powered_mean
from promptrial.stats.score_table import BoolArray, FloatArray, IntArray
from promptrial.stats.streams import stream

__all__ = ["LabelCell", "Labelled", "label_tables", "simulate"]

ACCURACIES: Final = (0.6, 0.7, 0.8, 0.9, 0.95)
LABELS: Final = (50, 100, 300)
ITEMS: Final = 1_000
COVERS: Final = 0.95
SEED: Final = 56_000
_RATES: Final = (0.6, 0.7)
"""How often people find an answer of the control and of the treatment right."""
_SHARED: Final = 0.5
"""The share of items whose two labels come from one draw, so that arms correlate."""
_SIZES: Final = (1, 2, 3, 4)


class LabelCell(NamedTuple):
    """Trials to simulate: who is judged by what, and how many items people label."""

    what: str
    accuracy: float
    labels: int
    trials: int


class Labelled(NamedTuple):
    """Shares of the trials whose interval holds the truth: corrected, labels alone, judge alone; and mean widths."""

    corrected: float
    labels_alone: float
    judge_alone: float
    width: float
    width_of_labels: float


def simulate(cell: LabelCell) -> Labelled:
    """Simulate the trials of a cell."""
    rng = stream(SEED, "labels", *map(str, cell))
    found = np.array([_trial(cell, rng) for _ in range(cell.trials)])
    return Labelled(*(float(share) for share in found.mean(axis=0)))


def _trial(cell: LabelCell, rng: np.random.Generator) -> tuple[float, ...]:
    cluster = _clusters(rng) if "clusters" in cell.what else np.arange(ITEMS)
    people = _people(cluster, rng)
    judged = _judged(people, cell.accuracy, rng, favours="favours" in cell.what)
    drawn = _drawn(cluster, cell.labels, rng)
    labels = np.where(drawn, people, np.nan)
    truth = _RATES[1] - _RATES[0]
    if cell.what == "mean":
        labels, judged, truth = labels[1], judged[1], _RATES[1]
        make = prediction_powered_mean
    else:
        make = prediction_powered_difference
    corrected, alone = make(labels, judged, cluster), make(labels, judged, cluster, tuning=0.0)
    naive = make(judged, judged, cluster)
    held = [float(result.low <= truth <= result.high) for result in (corrected, alone, naive)]
    return (*held, corrected.high - corrected.low, alone.high - alone.low)


def _clusters(rng: np.random.Generator) -> IntArray:
    sizes = rng.choice(_SIZES, size=ITEMS)
    return np.repeat(np.arange(ITEMS), sizes)[:ITEMS]


def _people(cluster: IntArray, rng: np.random.Generator) -> FloatArray:
    """Draw what people say, shape (2, items): the items of a cluster share part of their difficulty in each arm."""
    shared = rng.random(ITEMS)
    of_cluster = rng.random((2, int(cluster.max()) + 1))[:, cluster]
    own = np.where(rng.random((2, ITEMS)) < 0.4, of_cluster, rng.random((2, ITEMS)))
    level = np.where(rng.random(ITEMS) < _SHARED, shared, own)
    return (level < np.array(_RATES)[:, None]).astype(np.float64)


def _judged(people: FloatArray, accuracy: float, rng: np.random.Generator, *, favours: bool) -> FloatArray:
    """Draw what the judge says; one that favours an arm makes all of its errors in that arm's favour."""
    wrong = rng.random(people.shape) < 1 - accuracy
    if not favours:
        return np.where(wrong, 1 - people, people)
    return np.where(wrong, np.array([[0.0], [1.0]]), people)


def _drawn(cluster: IntArray, labels: int, rng: np.random.Generator) -> BoolArray:
    n_clusters = int(cluster.max()) + 1
    chosen = np.zeros(n_clusters, dtype=bool)
    chosen[rng.permutation(n_clusters)[: round(labels * n_clusters / ITEMS)]] = True
    return chosen[cluster]


def label_tables(run: Mapper, *, trials: int, quick: bool) -> list[Table]:
    """Make the table of the coverage of corrected intervals."""
    whats = ("mean", "difference, the judge favours the treatment", "difference, clusters of 1 to 4")
    accuracies, counts = (ACCURACIES[::4], LABELS[:1]) if quick else (ACCURACIES, LABELS)
    cells = [LabelCell(what, accuracy, n, trials) for what in whats for accuracy in accuracies for n in counts]
    head = ("of", "accuracy", "labels", "corrected", "labels alone", "judge alone", "width", "width of labels alone")
    return [Table("labels", head, tuple(_rows(cells, run(simulate, cells))))]


def _rows(cells: list[LabelCell], found: list[Labelled]) -> Iterator[tuple[Cell, ...]]:
    for cell, shares in zip(cells, found, strict=True):
        yield (
            *words(cell.what, cell.accuracy, cell.labels),
            judge(shares.corrected, cell.trials, low=COVERS),
            percent(shares.labels_alone),
            percent(shares.judge_alone),
            *words(f"{shares.width:.3f}", f"{shares.width_of_labels:.3f}"),
        )
