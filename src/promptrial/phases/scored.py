"""Trials scored: part after part from the predictions on disk, in a worker, or from predictions in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from promptrial.documents import scorers as documents
from promptrial.documents.scorers import Declaration, RecordedScorer
from promptrial.model import Part, Trial
from promptrial.phases.predictions import (
    ANSWER_COLUMNS,
    Answers,
    PredictionRow,
    TrialAnswers,
    answers_in,
    check_none_left,
    held_answers,
    parse_again,
    stored_answers,
)
from promptrial.phases.sample import parts_in_table_order
from promptrial.phases.score_parts import ScoredShard, ShardTask
from promptrial.phases.scorers import make_scorers, record_of
from promptrial.phases.shards import PartScores, RunScorers, ShardReader, score_shard
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import is_kept
from promptrial.scoring.contract import RESPONSE_COLUMNS
from promptrial.store.tables import Column, made_of, table_of_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from promptrial.scoring.types.judge import Lookup

__all__ = ["READ", "Scored", "ShardScorer", "score_rows", "scores_on_disk"]

READ: Final = (*ANSWER_COLUMNS, *RESPONSE_COLUMNS)
"""The columns of the predictions that any scorer may need."""


def scores_on_disk(
    spec: RunSpec, trial: Trial, scorers: RunScorers, check_stop: Callable[[], None]
) -> Iterator[PartScores]:
    """Yield the scores of each part of a trial, in the order of the table."""
    parts = parts_in_table_order(spec, trial)
    answers = stored_answers(spec, trial, scorers.read, {(part.condition, repr(part.temp)) for part in parts})
    reader = ShardReader(spec, is_kept(spec.run, trial.slug), most_replicates(trial))
    yield from _scored(spec, parts, reader, answers, scorers, check_stop)


def _scored(
    spec: RunSpec,
    parts: Sequence[Part],
    reader: ShardReader,
    answers: TrialAnswers,
    scorers: RunScorers,
    check_stop: Callable[[], None],
) -> Iterator[PartScores]:
    """Yield the scores of each part."""
    for _, shard in groupby(parts, key=lambda part: (part.start, part.stop)):
        own = list(shard)
        batches = reader.batches(own[0].start, own[0].stop)
        yield from score_shard(
            spec, own, batches, lambda part: answers.of(part.condition, repr(part.temp)), scorers, check_stop
        )
    answers.check_empty()


class ShardScorer:
    """Scores shards of a trial in memory; any process can."""

    def __init__(self, spec: RunSpec, trial: Trial) -> None:
        self._spec = spec
        self._scorers = RunScorers.of(spec, make_scorers(spec, lambda: None))
        self._reader = ShardReader(spec, is_kept(spec.run, trial.slug), most_replicates(trial))

    def __call__(self, task: ShardTask) -> ScoredShard:
        """Return the scores of a shard."""
        parts, columns = task.parts, self._scorers.read
        answers = {
            part.name: Answers(
                iter(()) if table is None else answers_in(table, columns, range(len(table))),
                part.condition,
                repr(part.temp),
            )
            for part, table in zip(parts, task.predictions, strict=True)
        }
        batches = self._reader.batches(parts[0].start, parts[0].stop)
        scores = score_shard(self._spec, parts, batches, lambda part: answers[part.name], self._scorers, lambda: None)
        for each in answers.values():
            check_none_left(each.left and each.left[1], parse_again(self._spec))
        return ScoredShard(
            [made_of(each.table) for each in scores],
            [(each.part.condition, each.answers, each.not_found) for each in scores],
            sum(part.rows for part in parts),
        )


def most_replicates(trial: Trial) -> int:
    """Return how many answers of an arm there may be to an item."""
    return max(trial.samples_per_item.values())


class Scored(NamedTuple):
    """Scores in memory: the table ``per_item_scores``, and what the scorers say about themselves."""

    table: pa.Table
    declared: dict[str, Declaration]


def score_rows(
    spec: RunSpec,
    trial: Trial,
    rows: Iterator[PredictionRow],
    kept: Sequence[bool] | None,
    lookups: Mapping[str, Lookup] = MappingProxyType({}),
) -> Scored:
    """Score predictions that are held in memory as the phase scores those on disk.

    Parameters
    ----------
    spec : RunSpec
    trial : Trial
    rows : iterator of tuples
        The predictions in request order: the columns of ``READ``.
    kept : sequence of bool, optional
        Which prepared items they are of; all if not given.
    lookups : mapping, optional
        By judge, what returns the score of a row, counted from 0 in ``rows``; without it no answer has one.

    Side effects: runs the files of scorers that the configuration names.
    """
    scorers = RunScorers.of(spec, make_scorers(spec, lambda: None), lookups)
    reader = ShardReader(spec, kept, most_replicates(trial))
    answers, parts = held_answers(list(rows), parse_again(spec)), parts_in_table_order(spec, trial)
    tables = [each.table for each in _scored(spec, parts, reader, answers, scorers, lambda: None)]
    declared = {name: documents.as_found(each) for name, each in _recorded(spec, scorers).items()}
    return Scored(_joined(scorers.columns, tables), declared)


def _joined(columns: tuple[Column, ...], tables: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables([table_of_columns(columns, [()] * len(columns)), *tables])


def _recorded(spec: RunSpec, scorers: RunScorers) -> dict[str, RecordedScorer]:
    """Return what would be recorded of the scorers."""
    return {each.name: each for each in record_of(spec.config, scorers.all, {}).scorers}
