"""Score: from predictions to one row per item, arm and temperature, its replicates averaged.

Predictions stand in request order, so items and answers are read side by side, and only one shard of items is held in
memory at a time. A request that was not answered has no score: it lowers ``n_samples`` and never enters a mean. A text
without a visible character is no answer either, whoever wrote the predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from promptrial import registry
from promptrial.datasets.base import cluster_id
from promptrial.errors import CorruptRecordError
from promptrial.model import Item, Part, Trial, ids
from promptrial.model.responses import is_blank
from promptrial.phases.base import Phase, Produced
from promptrial.phases.prepared import ItemReader
from promptrial.phases.services import Services
from promptrial.phases.settings import chosen_rules, evaluation_rules, scoring_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import parts_of
from promptrial.scoring.aggregate import summarize_replicates
from promptrial.scoring.base import Gold, Scorer, ScoringSettings, load_scorers, prepare_gold, score_answer
from promptrial.scoring.normalize import EvaluationRules
from promptrial.store.records import FileRecord
from promptrial.store.tables import Column, TableWriter, read_batches

__all__ = ["PHASE", "score_columns", "score_part"]

_READ: Final = ("dataset", "item_id", "condition", "temp", "response_text", "error")


_Row = tuple[str, str, str, str, str | None, str | None]
"""A row of the predictions, in the order of ``_READ``."""


class _Subject(NamedTuple):
    """An item ready to be scored against, with what its rows begin with."""

    dataset: str
    item_id: str
    lead: tuple[str, str, str, str]
    gold: Gold


def score_columns(scorers: Sequence[Scorer]) -> tuple[Column, ...]:
    """Return the columns of ``per_item_scores``: identity, then mean and standard deviation by scorer."""
    identity: tuple[Column, ...] = (
        ("item_key", "text"),
        ("dataset", "category"),
        ("cluster", "text"),
        ("type", "category"),
        ("condition", "category"),
        ("temp", "category"),
        ("n_samples", "int"),
    )
    return identity + tuple((name, "float") for scorer in scorers for name in (scorer.name, f"{scorer.name}_std"))


def score_part(spec: RunSpec, trial: Trial, name: str, stem: Path) -> dict[Path, FileRecord]:
    """Score one part into a table of its own, ``<stem>.parquet`` and ``<stem>.csv``, and return what was written.

    It needs nothing but the specification, so any process can do it. The rows are those that the phase itself writes of
    this part; those of all parts, in order, are its table.
    """
    part = next(part for part in parts_of(spec, trial) if part.name == name)
    scorers = load_scorers()
    items = ItemReader(spec.run).take(part.start, part.stop)
    own = {(item.dataset, item.id, part.condition, repr(part.temp)) for item in items}
    answers = _Answers((row for row in _answers(spec, trial) if row[:4] in own), _again(spec))
    subjects = _subjects(spec, items)
    with TableWriter(stem, score_columns(scorers)) as table:
        _score_part(part, subjects, answers, scorers, table)
        answers.check_empty()
    return table.records()


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    results = spec.run.trial(trial.slug).results
    scorers = load_scorers()
    answers = _Answers(_answers(spec, trial), _again(spec))
    parts = parts_of(spec, trial)
    reader = ItemReader(spec.run)
    with (
        TableWriter(results / "per_item_scores", score_columns(scorers)) as table,
        services.progress.task(f"score {trial.slug}", sum(part.rows for part in parts)) as task,
    ):
        for _, shard in groupby(parts, key=lambda part: (part.start, part.stop)):
            arms = list(shard)
            subjects = _subjects(spec, reader.take(arms[0].start, arms[0].stop))
            for part in arms:
                services.stop.check()
                _score_part(part, subjects, answers, scorers, table)
                task.advance(part.rows)
        answers.check_empty()
    return Produced(table.records())


def _again(spec: RunSpec) -> str:
    """Return the command that makes the predictions again."""
    return f"{spec.run.command('run')} --from_step parse"


def _subjects(spec: RunSpec, items: Sequence[Item]) -> list[_Subject]:
    settings, rules = scoring_settings(spec.config), evaluation_rules(spec)
    return [_subject(item, rules, settings) for item in items]


def _subject(item: Item, rules: Mapping[str, EvaluationRules], settings: ScoringSettings) -> _Subject:
    lead = (ids.item_key(item.dataset, item.id), item.dataset, cluster_id(item), item.type)
    return _Subject(item.dataset, item.id, lead, prepare_gold(item, rules[item.dataset], settings))


def _score_part(
    part: Part, subjects: Sequence[_Subject], answers: _Answers, scorers: Sequence[Scorer], table: TableWriter
) -> None:
    temp = repr(part.temp)
    for subject in subjects:
        texts = answers.take(subject.dataset, subject.item_id, part.condition, temp)
        scores = [score_answer(subject.gold, text, scorers) for text in texts]
        summary = summarize_replicates(scores, len(scorers))
        pairs = [value for pair in zip(summary.means, summary.stds, strict=True) for value in pair]
        table.append((*subject.lead, part.condition, temp, summary.n_samples, *pairs))


class _Answers:
    """The predictions, taken item by item in request order; ``again`` is the command that makes them again."""

    def __init__(self, rows: Iterator[_Row], again: str) -> None:
        self._rows = rows
        self._again = again
        self._next = next(rows, None)

    def take(self, *key: str) -> list[str]:
        """Return the texts of the answers to an item (data set, id), arm and temperature, but for failed requests."""
        texts = []
        row = self._next
        while row is not None and row[:4] == key:
            text, error = row[4:]
            if error is None and text is not None and not is_blank(text):
                texts.append(text)
            row = self._next = next(self._rows, None)
        return texts

    def check_empty(self) -> None:
        """Refuse predictions that belong to no item of the run.

        Raises
        ------
        CorruptRecordError
            Naming the first one left over.
        """
        if self._next is not None:
            raise CorruptRecordError(
                f"predictions.parquet: {'|'.join(self._next[:4])} is out of order or of no item in this run",
                hint=f"parse again: {self._again}",
            )


def _answers(spec: RunSpec, trial: Trial) -> Iterator[_Row]:
    path = spec.run.trial(trial.slug).results / "predictions.parquet"
    for batch in read_batches(path, _READ):
        yield from zip(*(batch.column(name).to_pylist() for name in _READ), strict=True)


PHASE = Phase(
    name="score",
    stage=registry.STAGES["score"],
    reads=("prepare", "build", "parse"),
    settings=lambda spec, _manifests, _trial: {
        "scoring": spec.config.scoring.model_dump(mode="json"),
        "formats": {name: dataset.format for name, dataset in spec.config.datasets.items()},
        **chosen_rules(spec),
    },
    run_trial=_run,
)
