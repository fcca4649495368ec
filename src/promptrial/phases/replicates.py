"""The replicates of a finished trial's control, each scored alone; the table of scores has their means. Reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from promptrial.model import Trial
from promptrial.model.arms import ArmName, Contrast, compared_arms
from promptrial.phases.judge_scores import judge_trial
from promptrial.phases.predictions import prediction_rows
from promptrial.phases.scored import READ, score_rows
from promptrial.phases.self_check import SelfAsked
from promptrial.phases.spec import RunSpec
from promptrial.phases.stats import planned_items, table_of
from promptrial.phases.waves import is_kept
from promptrial.scoring.types.judge import Lookup

if TYPE_CHECKING:
    from promptrial.documents.significance import StatsSettings
    from promptrial.stats.against_itself import Asked
    from promptrial.stats.score_table import ScoreTable

__all__ = ["replicates_asked"]

_SAMPLE: Final = len(READ)
"""Where the number of the replicate is in a row that is read."""


def replicates_asked(spec: RunSpec, trial: Trial, settings: StatsSettings, metrics: Iterable[str]) -> SelfAsked | None:
    """Score each replicate of the control alone; None if no temperature has two, or the control was not asked.

    Side effects: runs the files of scorers that the configuration names.
    """
    answers = {float(temp): n for temp, n in trial.samples_per_item.items() if n > 1}
    arm = compared_arms(trial.arms_run)[0]
    if not answers or arm not in trial.arms_run:
        return None
    tables = list(_tables(spec, trial, arm, max(answers.values())))
    contrast = tables[0].contrasts[0]
    asked = {
        (metric, temp): _columns(tables[:n], metric, temp, contrast, settings)
        for metric in metrics
        for temp, n in answers.items()
    }
    return SelfAsked(arm, tables[0], asked, answers)


def _columns(tables: list[ScoreTable], metric: str, temp: float, contrast: Contrast, settings: StatsSettings) -> Asked:
    import numpy as np

    from promptrial.stats.against_itself import Asked
    from promptrial.stats.analysis import pairing_of

    pairings = [pairing_of(table, metric, temp, contrast, settings) for table in tables]
    score = np.stack([pairing.arms[0].score for pairing in pairings], axis=1)
    return Asked(pairings[0], score, np.stack([pairing.arms[0].n_samples for pairing in pairings], axis=1))


def _tables(spec: RunSpec, trial: Trial, arm: ArmName, most: int) -> Iterator[ScoreTable]:
    """Yield the scores of the first replicates of an arm, of the second ones, and so on."""
    replicates: list[list[tuple[Any, ...]]] = [[] for _ in range(most)]
    places: list[list[int]] = [[] for _ in range(most)]
    condition = READ.index("condition")
    for place, row in enumerate(prediction_rows(spec, trial, (*READ, "sample_index"))):
        if row[condition] == arm:
            replicates[row[_SAMPLE]].append(row[:_SAMPLE])
            places[row[_SAMPLE]].append(place)
    lookups = judge_trial(spec, trial).lookups
    kept = is_kept(spec.run, trial.slug)
    planned, one = planned_items(spec.run, kept), dict.fromkeys(trial.samples_per_item, 1)
    for rows, at in zip(replicates, places, strict=True):
        found = score_rows(spec, trial, iter(rows), kept, {name: _moved(each, at) for name, each in lookups.items()})
        yield table_of(found.table, found.declared, planned, one, trial.arms_run)


def _moved(lookup: Lookup, places: Sequence[int]) -> Lookup:
    """Return a judge's scores of some rows of the predictions, which are counted from 0 now."""
    return lambda row: lookup(places[row])
