"""The scores that an older tool gave to the answers of a migrated trial, beside those of now. Reads only."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.documents.files import open_csv
from promptrial.model.arms import PAIR
from promptrial.phases.scorers import declared
from promptrial.store.rundir import OLDER, TrialDir

if TYPE_CHECKING:
    from promptrial.reporting.facts import OlderFigure

__all__ = ["older_figures", "older_scores_path"]

_Mean = tuple[float, int]


def older_scores_path(folder: TrialDir) -> Path:
    """Return where a migration keeps the older tool's scores."""
    return folder.root / OLDER / "per_item_scores.csv"


def older_figures(folder: TrialDir) -> tuple[OlderFigure, ...]:
    """Return the mean of each measure by arm, then and now; none for a trial that no older tool has scored."""
    path = older_scores_path(folder)
    if not path.is_file():
        return ()
    from promptrial.reporting.facts import OlderFigure

    metrics = tuple(declared(folder.results))
    then, now = _means(path, metrics), _means(folder.results / "per_item_scores.csv", metrics)
    return tuple(
        OlderFigure(metric, condition, *then[metric, condition], *now.get((metric, condition), (None, 0)))
        for metric in metrics
        for condition in PAIR
        if (metric, condition) in then
    )


def _means(path: Path, metrics: tuple[str, ...]) -> dict[tuple[str, str], _Mean]:
    """Return mean and number of the scores that are there; an empty cell is not a score."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    with open_csv(path) as file:
        for row in csv.DictReader(file):
            for metric in metrics:
                if text := row.get(metric):
                    sums[metric, row["condition"]] += float(text)
                    counts[metric, row["condition"]] += 1
    return {key: (total / counts[key], counts[key]) for key, total in sums.items()}
