"""From the files of a run to the columns that the statistics take."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from promptrial.documents.scorers import Declaration
from promptrial.model import ids
from promptrial.phases.prepared import all_items
from promptrial.phases.scorers import declared
from promptrial.phases.stats import PlannedItems, WorstScores, planned_items, read_scores
from promptrial.scoring.base import load_scorers
from promptrial.scoring.panel import worst_scores
from promptrial.stats.score_table import ScoreTable, is_nothing
from promptrial.store.rundir import RunDir
from tests.support.project import Project
from tests.support.sharing import answer_all, made
from tests.unit.test_phases_run_spec import opened_run


def nan_of(values: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def plain(path: Path, scorers: dict[str, Declaration], run: RunDir) -> dict[str, Any]:
    """Read the same columns value by value, in the order of the rows."""
    rows = pq.read_table(path, memory_map=False).to_pydict()
    items = list(all_items(run))
    keys = [ids.item_key(item.dataset, item.id) for item in items]
    worst = [worst_scores(item, load_scorers()) for item in items]
    return {
        "item_keys": keys,
        "item": [keys.index(key) for key in rows["item_key"]],
        "dataset": rows["dataset"],
        "cluster": rows["cluster"],
        "type": rows["type"],
        "arm": rows["condition"],
        "temp": [float(temp) for temp in rows["temp"]],
        "n_samples": rows["n_samples"],
        "metrics": {name: nan_of(rows[name]) for name in scorers},
        "deviations": {name: nan_of(rows[f"{name}_std"]) for name in scorers},
        "worst": dict(zip(load_scorers(), map(list, zip(*worst, strict=True)), strict=True)),
        "unanswerable": [item.is_unanswerable for item in items],
    }


def columns_of(table: ScoreTable) -> dict[str, Any]:
    """Return the columns of a table with names in place of codes."""
    assert table.unanswerable is not None
    return {
        "item_keys": list(table.item_keys),
        "item": table.item.tolist(),
        "dataset": [table.dataset_names[code] for code in table.dataset],
        "cluster": [table.cluster_names[code] for code in table.cluster],
        "type": [table.type_names[code] for code in table.type],
        "arm": [table.arm_names[code] for code in table.arm],
        "temp": table.temp.tolist(),
        "n_samples": table.n_samples.tolist(),
        **{
            name: {each: column.tolist() for each, column in dict(getattr(table, name)).items()}
            for name in ("metrics", "deviations", "worst")
        },
        "unanswerable": table.unanswerable.tolist(),
    }


def test_the_columns_of_the_statistics_are_those_of_the_file_value_by_value(project: Project) -> None:
    answer_all(project)
    spec, services = opened_run(project)
    results, trial = project.trial_folder() / "results", spec.trials[0]
    made(spec, services, results, workers=1)
    planned = planned_items(spec.run)
    table = read_scores(results / "per_item_scores.parquet", planned, trial.samples_per_item, trial.arms_run)
    expected = plain(results / "per_item_scores.parquet", declared(results), spec.run)
    np.testing.assert_equal(columns_of(table), expected)
    assert all(is_nothing(column) for column in table.deviations.values()), "one answer an item has no deviation"
    assert {table.arm.itemsize, table.dataset.itemsize, table.type.itemsize} == {1}


def test_in_a_trial_that_stopped_early_unasked_items_are_not_planned(project: Project) -> None:
    answer_all(project)
    spec, _ = opened_run(project)
    whole = planned_items(spec.run)
    kept = [place % 3 != 1 for place in range(len(whole.keys))]
    some = planned_items(spec.run, kept)
    assert isinstance(some, PlannedItems)
    assert list(some.keys) == [key for key, is_kept in zip(whole.keys, kept, strict=True) if is_kept]
    np.testing.assert_equal(dict(some.worst), {name: column[np.array(kept)] for name, column in whole.worst.items()})
    np.testing.assert_equal(some.unanswerable, whole.unanswerable[np.array(kept)])
    assert list(planned_items(spec.run, [False] * len(kept)).keys) == []


def test_worst_scores_are_those_of_the_kind_of_an_item_unless_a_scorer_gives_its_own() -> None:
    worst = WorstScores(np.array([0, 1, 0]), {"em": np.array([0.0, 1.0]), "f1": np.array([0.0, math.nan])})
    own = replace(worst, of_items={"mine": np.array([5.0, 6.0, 7.0]), "em": np.array([9.0, 9.0, 9.0])})
    np.testing.assert_equal(dict(worst), {"em": [0.0, 1.0, 0.0], "f1": [0.0, math.nan, 0.0]})
    np.testing.assert_equal(dict(own), {"em": [9.0, 9.0, 9.0], "f1": [0.0, math.nan, 0.0], "mine": [5.0, 6.0, 7.0]})
    assert len(own) == 3
    assert "mine" in own
    assert "mine" not in worst
