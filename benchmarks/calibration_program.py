"""Whether a row's p-value and the interval printed in the same row ever disagree, in trials analysed by the program.

A trial has dense 0/1 scores, sparse 0/1 scores or continuous ones. The program's ``analyse`` makes every row of
``significance.json`` of it, and a gate of ``compare`` decides on the same pairs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from calibration_tables import Cell, Mapper, Table, words
from simulated_pairs import DESIGNS, arms_model, difference_model

from promptrial.comparison.gates import decide, parse_gate
from promptrial.documents.significance import Estimate, Significance, StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.analysis import analyse, stream
from promptrial.stats.pairing import FloatArray, PairedSample, ScoreTable, pair_scores

__all__ = ["TrialLot", "check_lot", "program_tables"]

TEMP: Final = 0.0
SEED: Final = 30_000
MARGIN: Final = 0.1
METRICS: Final = ("em", "sparse", "f1")
EFFECTS: Final = (0.0, 0.1, 0.2)
INTRACLASS: Final = (0.05, 0.2)
GATES: Final = ("{} >= -0.1", "{} <= 0.1", "{} >= 0", "{} >= -0.02")
SETTINGS: Final = StatsSettings(
    bootstrap_samples=50,
    permutation_samples=9_999,
    graded=("f1",),
    tost_margins=dict.fromkeys(METRICS, MARGIN),
    wanted=dict.fromkeys(METRICS, "higher"),
)
"""The bootstrap has no p-value, so that few replicates are enough here."""
_CLUSTERED: Final = (
    "6 even",
    "7 uneven (5 to 60)",
    "10 uneven (1 to 40)",
    "30 exponential",
    "39 of 2 and one of 60",
    "40 even",
    "83 of 1 to 2",
)
TRIAL_DESIGNS: Final = (*_CLUSTERED, *_CLUSTERED, "120 single items")
"""Single items are rarer, since the limits of the exact test take long."""
LOTS: Final = 40
"""The trials are cut into so many lots, for several processes; each lot holds every design."""


class TrialLot(NamedTuple):
    """The numbers of some trials."""

    first: int
    last: int


class Disagreement(NamedTuple):
    """How often rows of a kind had both a p-value and an interval, and how often these disagreed."""

    rows: int
    disagree: int


def program_tables(run: Mapper, trials: int) -> list[Table]:
    """Analyse trials with the program and count the rows that contradict themselves."""
    lot = math.ceil(trials / LOTS)
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for rows, disagree in run(check_lot, [TrialLot(at, min(at + lot, trials)) for at in range(0, trials, lot)]):
        found.update(rows)
        wrong.update(disagree)
    rows = [(*words(kind, found[kind]), Cell(str(wrong[kind]), wrong[kind] == 0)) for kind in sorted(found)]
    rows.append((*words("all rows", found.total()), Cell(str(wrong.total()), wrong.total() == 0)))
    return [Table("disagreements", ("row", "with p and interval", "disagree"), tuple(rows))]


def check_lot(lot: TrialLot) -> tuple[Counter[str], Counter[str]]:
    """Analyse some trials: by kind of row, how many have a p-value and an interval, and how many of them disagree."""
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for number in range(*lot):
        for kind, agree in _trial(number):
            found[kind] += 1
            wrong[kind] += not agree
    return found, wrong


def _trial(number: int) -> Iterator[tuple[str, bool]]:
    table = simulated_table(number)
    yield from judged_rows(analyse(table, SETTINGS))
    (metric,) = table.metrics
    sample = pair_scores(table, metric, TEMP, DEFAULT_CONTRAST, continuous=metric in SETTINGS.graded).sample()
    yield _gate(GATES[number // len(TRIAL_DESIGNS) % len(GATES)].format(metric), sample)


def simulated_table(number: int) -> ScoreTable:
    """Return the scores of one trial; effects from none to large, so that decisions of both kinds occur."""
    rng = stream(SEED, number)
    sizes = DESIGNS[TRIAL_DESIGNS[number % len(TRIAL_DESIGNS)]]
    turn = number // len(TRIAL_DESIGNS)
    metric, effect = METRICS[turn % len(METRICS)], EFFECTS[turn // len(METRICS) % len(EFFECTS)]
    intraclass = 0.0 if max(sizes) == 1 else INTRACLASS[turn % len(INTRACLASS)]
    if metric == "sparse":
        difference = difference_model(0.01, 0.02 + effect / 2, intraclass).sample(sizes, 1, rng)
        base = (rng.random(difference.shape) < 0.5).astype(np.float64)
        control = np.where(difference == 0, base, (difference < 0).astype(np.float64))
        arms = control, control + difference
    else:
        arms = arms_model(metric, effect, intraclass).scores(sizes, 1, rng)
    return _table(metric, np.concatenate([each[0] for each in arms]), sizes)


def _table(metric: str, scores: FloatArray, sizes: tuple[int, ...]) -> ScoreTable:
    n = sum(sizes)
    return ScoreTable(
        item_keys=[f"sample|{number}" for number in range(n)],
        dataset_names=("sample",),
        type_names=("open", "closed"),
        item=np.tile(np.arange(n), 2),
        dataset=np.zeros(2 * n, dtype=np.int64),
        cluster=np.tile(np.repeat(np.arange(len(sizes)), sizes), 2),
        type=np.zeros(2 * n, dtype=np.int64),
        arm=np.repeat([0, 1], n),
        temp=np.full(2 * n, TEMP),
        n_samples=np.ones(2 * n, dtype=np.int64),
        metrics={metric: scores},
    )


def judged_rows(document: Significance) -> Iterator[tuple[str, bool]]:
    """Yield each row that has a p-value and an interval, by its kind, and whether the two agree."""
    for endpoint in document.endpoints:
        if endpoint.p is not None and endpoint.ci_low is not None and endpoint.ci_high is not None:
            rejects = endpoint.p <= 1 - SETTINGS.confidence
            yield f"endpoint, {endpoint.ci_method}", rejects == _outside(0.0, endpoint.ci_low, endpoint.ci_high)
    for row in document.estimates:
        if row.p is not None and row.ci_low is not None and row.ci_high is not None:
            yield f"{row.method}, {row.quantity}", _agrees(row, row.p, row.ci_low, row.ci_high)


def _agrees(row: Estimate, p: float, low: float, high: float) -> bool:
    margin = float(row.figures.get("margin") or 0.0)
    if row.quantity == "equivalence":
        return (p <= SETTINGS.alpha) == (-margin < low and high < margin)
    if row.quantity == "non_inferiority":
        return (p <= SETTINGS.alpha) == (low > -margin)
    null = 1.0 if row.quantity == "odds_ratio" else 0.0
    return (p <= 1 - float(row.confidence or SETTINGS.confidence)) == _outside(null, low, high)


def _outside(value: float, low: float, high: float) -> bool:
    return value < low or value > high


def _gate(text: str, sample: PairedSample) -> tuple[str, bool]:
    """Decide a gate and return its kind, and whether verdict, p-value and limit say the same."""
    gate = parse_gate(text)
    verdict = decide(gate, sample, SETTINGS.alpha)
    if verdict.p is None or verdict.limit is None:
        return "gate without a p-value", verdict.passed is False
    beyond = gate.sign * (verdict.limit - gate.bound) > 0
    return f"gate, {verdict.method}", verdict.passed == (verdict.p <= SETTINGS.alpha) == beyond
