"""How long answers took, as their servers report it: from the table of predictions, by arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.model.arms import ArmName
from promptrial.phases.parsed import LATENCY_COLUMNS
from promptrial.reporting.facts import LatencyFacts
from promptrial.store.tables import column_names, read_batches

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["latencies"]


def latencies(predictions: Path, arms: Sequence[ArmName]) -> dict[ArmName, LatencyFacts]:
    """Return what is known of each arm; empty where no answer of the trial says how long it took.

    Parameters
    ----------
    predictions : Path
        The Parquet file that *parse* wrote.
    arms : sequence of str
        In the order in which they are to be shown.

    Notes
    -----
    Quantiles lie between two answers on a straight line, as in NumPy's default. Memory is eight bytes for each answer.
    """
    (name, _), *_ = LATENCY_COLUMNS
    if name not in column_names(predictions):
        return {}
    import numpy as np
    import pyarrow.compute as pc

    batches: dict[ArmName, list[npt.NDArray[np.float64]]] = {arm: [] for arm in arms}
    for batch in read_batches(predictions, ("condition", name)):
        for arm, told in batches.items():
            of_arm = batch.filter(pc.equal(batch.column("condition"), arm)).column(name)
            told.append(of_arm.drop_null().to_numpy())
    seconds = {arm: np.concatenate(told) for arm, told in batches.items() if any(map(len, told))}
    return {arm: LatencyFacts(len(each), *map(float, np.quantile(each, (0.5, 0.95)))) for arm, each in seconds.items()}
