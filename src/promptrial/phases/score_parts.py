"""Scoring shard by shard in worker processes: the bytes are those that one process would write.

A shard is some items in all arms. A worker gets its predictions, and reads the items itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from promptrial import registry
from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PYTHON
from promptrial.model import Part, Trial, ids
from promptrial.phases.predictions import check_none_left, parse_again
from promptrial.phases.prepared import item_keys
from promptrial.phases.services import Services
from promptrial.phases.sharing import warn_of
from promptrial.phases.spec import RunSpec
from promptrial.runtime.workers import Workers, in_order
from promptrial.store.tables import MadeRows, read_batches

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ScoredShard", "ShardTask", "obstacle_to_sharing", "score_in_workers"]

_HERE_ALONE: Final = frozenset({PYTHON, "command"}) | registry.JUDGES
"""Types of scorers that run code of the user's, start programs or ask models: they run once, in this process."""


def obstacle_to_sharing(config: ExperimentConfig) -> str:
    """Return why one process has to score; empty if scores depend on nothing but settings, items and answers."""
    for name, entry in config.scorers_in_use.items():
        if registry.scorer_type(entry.type) in _HERE_ALONE:
            return f"scorer {name} runs code of yours, a program or a judge, which happens once and in this process"
    return ""


class ShardTask(NamedTuple):
    """The parts of a shard, one for each arm and temperature, and the predictions of each."""

    parts: list[Part]
    predictions: list[pa.Table | None]


class ScoredShard(NamedTuple):
    """The scores of each part of a shard, its arm and what ``Panel.take_counts`` says, and how many requests it has."""

    rows: Sequence[MadeRows]
    counts: Sequence[tuple[str, int, Mapping[str, int]]]
    requests: int


def score_in_workers(
    spec: RunSpec, services: Services, trial: Trial, parts: Sequence[Part], columns: tuple[str, ...], workers: Workers
) -> Iterator[ScoredShard]:
    """Yield the scores of each shard, in the order of the table.

    Parameters
    ----------
    spec : RunSpec
    services : Services
    trial : Trial
    parts : sequence of Part
        In the order of the table.
    columns : tuple of str
        Those of the predictions that scorers need.
    workers : Workers

    Raises
    ------
    CorruptRecordError
        If predictions are out of order, or belong to no item of the run.
    """
    from promptrial.phases.scored import ShardScorer

    predictions = _Predictions(spec.run.trial(trial.slug).results / "predictions.parquet", columns)
    shards = (list(shard) for _, shard in groupby(parts, key=lambda part: (part.start, part.stop)))
    tasks = _tasks(spec, shards, predictions)
    make = partial(ShardScorer, spec.without_secrets(), trial)
    yield from in_order(make, tasks, workers, services.stop.check, partial(warn_of, services, trial))
    check_none_left(predictions.left(), parse_again(spec))


def _tasks(spec: RunSpec, shards: Iterator[list[Part]], predictions: _Predictions) -> Iterator[ShardTask]:
    keys = [ids.item_key(key.dataset, key.id) for key in item_keys(spec.run)]
    for parts in shards:  # once for each temperature
        own = keys[parts[0].start : parts[0].stop]
        yield ShardTask(parts, [predictions.take(part, own) for part in parts])


class _Predictions:
    """The predictions of a trial, taken part by part in their order."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._batches = read_batches(path, columns)
        self._next = next(self._batches, None)

    def take(self, part: Part, items: Sequence[str]) -> pa.Table | None:
        """Return the rows that follow, as far as they are of a part, None for none; ``items`` are its items' keys."""
        import pyarrow as pa

        taken: list[pa.RecordBatch] = []
        own, wanted = pa.array(items), part.rows
        while self._next is not None and wanted:
            n = _rows_of(self._next.slice(0, wanted), part, own)
            if n == 0:
                break
            taken.append(self._next.slice(0, n))
            wanted -= n
            rest = self._next.slice(n)
            self._next = rest if len(rest) else next(self._batches, None)
        return pa.Table.from_batches(taken) if taken else None

    def left(self) -> tuple[str, ...] | None:
        """Return data set, item, arm and temperature of the first row that was not taken; None if there is none."""
        if self._next is None:
            return None
        return tuple(column[0].as_py() for column in self._next.slice(0, 1).columns[:4])


def _rows_of(batch: pa.RecordBatch, part: Part, items: pa.Array) -> int:
    """Return how many rows at the start of a batch are of a part."""
    import numpy as np
    import pyarrow.compute as pc

    keys = pc.binary_join_element_wise(batch.column("dataset"), batch.column("item_id"), "|")
    is_own = (
        pc.is_in(keys, value_set=items).to_numpy(zero_copy_only=False)
        & pc.equal(batch.column("condition"), part.condition).to_numpy(zero_copy_only=False)
        & pc.equal(batch.column("temp"), repr(part.temp)).to_numpy(zero_copy_only=False)
    )
    return len(is_own) if is_own.all() else int(np.argmin(is_own))
