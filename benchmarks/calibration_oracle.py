"""The end-to-end table: trials answered by the emulator's oracle, scored and analysed by the program's own code.

How such a trial is made, and how the truth about it is known, is in ``simulated_trials``.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from calibration_simulated import COVERAGE, TYPE_I
from calibration_tables import Cell, Mapper, Table, judge, percent, words
from simulated_trials import TEMP, Design, answers, designs, oracle_settings, score_table, truth, write_questions

from promptrial.documents.significance import ArmMean, Endpoint, StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.scoring.base import load_scorers
from promptrial.stats.analysis import analyse
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import pair_scores

__all__ = ["EFFECT", "Outcome", "oracle_tables", "simulate"]

EFFECT: Final = 0.1
METRIC: Final = "em"
SETTINGS: Final = StatsSettings(
    bootstrap_samples=50,
    graded=tuple(name for name, each in load_scorers().items() if each.declared.scale == "continuous"),
)
SEEDS: Final = {EFFECT: 0, 0.0: 1_000_000}
"""The first seed of the trials with and without an effect."""
IGNORED: Final = "t, passages ignored"

Label = tuple[str, str, str]
"""A metric, what of it (``difference`` or ``control``), and how the interval is made."""


class Outcome(NamedTuple):
    """Of one trial: the intervals, None where there is none, and the p-values by metric."""

    intervals: dict[Label, tuple[float, float] | None]
    p: dict[str, float]


def oracle_tables(run: Mapper, trials: int) -> list[Table]:
    """Simulate each design with and without an effect."""
    coverage, rejections = [], []
    with tempfile.TemporaryDirectory() as name:
        for design in designs().values():
            folder = Path(name) / design.name
            folder.mkdir()
            write_questions(design, folder)
            with_effect, without = (
                run(partial(simulate, design=design, questions=folder, effect=effect), range(first, first + trials))
                for effect, first in SEEDS.items()
            )
            coverage += [_covered(design, label, with_effect) for label in with_effect[0].intervals]
            rejections += [_rejected(design, metric, without) for metric in without[0].p]
    return [
        Table("oracle coverage", ("design", "measure", "of", "interval", "truth", "width", "covers"), tuple(coverage)),
        Table("oracle rejections", ("design", "p-value", "p ≤ .05"), tuple(rejections)),
    ]


def simulate(seed: int, design: Design, questions: Path, effect: float) -> Outcome:
    """Run a trial and return what is looked at."""
    table = score_table(design, answers(design, oracle_settings(questions, effect, seed)))
    document, sample = analyse(table, SETTINGS), pair_scores(table, METRIC, TEMP, DEFAULT_CONTRAST).sample()
    overall = [each for each in document.endpoints if each.scope == "overall" and each.n_pairs]
    intervals = dict(_intervals(overall))
    p = {each.metric: math.nan if each.p is None else each.p for each in overall}
    if sample.clustered:
        naive = paired_difference(sample.difference, None, SETTINGS.confidence)
        intervals[METRIC, "difference", IGNORED] = naive.ci_low, naive.ci_high
        p[f"{METRIC}, {IGNORED}"] = naive.p
    return Outcome(intervals, p)


def _intervals(endpoints: Sequence[Endpoint]) -> Iterator[tuple[Label, tuple[float, float] | None]]:
    for endpoint in endpoints:
        yield (endpoint.metric, "difference", "reported"), _limits(endpoint)
        yield (endpoint.metric, "control", "reported"), _limits(endpoint.control)


def _limits(row: Endpoint | ArmMean) -> tuple[float, float] | None:
    return None if row.ci_low is None or row.ci_high is None else (row.ci_low, row.ci_high)


def _covered(design: Design, label: Label, found: Sequence[Outcome]) -> tuple[Cell, ...]:
    """Return how often an interval covered the truth; one that is not given covers nothing."""
    true = getattr(truth(design, EFFECT)[label[0]], label[1])
    given = [limits for outcome in found if (limits := outcome.intervals[label]) is not None]
    share = sum(low <= true <= high for low, high in given) / len(found)
    width = float(np.mean([high - low for low, high in given]))
    judged = percent(share) if label[2] == IGNORED else judge(share, len(found), low=COVERAGE[0])
    return (*words(design.name, *label, f"{true:.3f}", f"{width:.3f}"), judged)


def _rejected(design: Design, name: str, found: Sequence[Outcome]) -> tuple[Cell, ...]:
    share = float(np.mean([outcome.p[name] <= SETTINGS.alpha for outcome in found]))
    return (*words(design.name, name), percent(share) if IGNORED in name else judge(share, len(found), high=TYPE_I))
