"""Score: from predictions to one row per item, arm and temperature, its replicates averaged.

Predictions stand in request order, so items and answers are read side by side, and only one shard of items is held in
memory at a time. A request that was not answered has no score: it lowers ``n_samples`` and never enters a mean. A text
without a visible character is no answer either, also in predictions of an older version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from promptrial.datasets.base import cluster_id
from promptrial.documents import scorers as documents
from promptrial.documents.scorers import ExtractCount
from promptrial.documents.subgroups import subgroup_column
from promptrial.errors import CorruptRecordError
from promptrial.model import Item, Part, Trial, ids
from promptrial.model.responses import is_blank
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Phase, Produced
from promptrial.phases.needs import check_recorded
from promptrial.phases.prepared import ItemReader
from promptrial.phases.sample import parts_in_table_order
from promptrial.phases.scorers import RECORD, make_extracts, make_scorers, record_of, scorer_versions, worst_columns
from promptrial.phases.services import Services
from promptrial.phases.settings import chosen_rules, evaluation_rules, scoring_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import check_prepared_subgroups, levels_of
from promptrial.scoring.aggregate import summarize_replicates
from promptrial.scoring.base import Gold, Panel, ScoringSettings, prepare_gold, worst_scores
from promptrial.scoring.contract import RESPONSE_COLUMNS, Response, Scorer
from promptrial.scoring.normalize import EvaluationRules
from promptrial.store import atomic
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord
from promptrial.store.tables import Column, TableWriter, read_batches

__all__ = ["PHASE", "check_scorable", "score_columns", "score_part"]

IDENTITY_COLUMNS: Final[tuple[Column, ...]] = (
    ("item_key", "text"),
    ("dataset", "category"),
    ("cluster", "text"),
    ("type", "category"),
    ("condition", "category"),
    ("temp", "category"),
    ("n_samples", "int"),
)
_READ: Final = ("dataset", "item_id", "condition", "temp", "response_text", "error")


_SCORED_TOGETHER: Final = 1_000
"""How many answers a scorer that takes many at once gets, but for the replicates of the last item."""

_Row = tuple[Any, ...]
"""A row of the predictions: ``_READ``, and ``RESPONSE_COLUMNS`` where a scorer needs them."""


@dataclass(frozen=True, slots=True)
class _Scorers:
    """The scorers of a run; ``worst`` are those whose worst score by item is a column of the table too.

    ``subgroups`` are the columns of the questions by which effects are reported.
    """

    all: dict[str, Scorer]
    worst: dict[str, Scorer]
    panel: Panel
    subgroups: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: RunSpec, check_stop: Callable[[], None]) -> Self:
        """Make them; ``check_stop`` raises if a stop was asked for."""
        scorers = make_scorers(spec, check_stop)
        worst = {name: scorers[name] for name in worst_columns(spec.config)}
        return cls(scorers, worst, Panel(scorers, make_extracts(spec.config)), spec.config.subgroups)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of ``per_item_scores``."""
        return score_columns(self.all, self.worst, self.subgroups)

    @property
    def read(self) -> tuple[str, ...]:
        """The columns of the predictions that they need."""
        whole = any("response" in scorer.declared.needs for scorer in self.all.values())
        return _READ + (RESPONSE_COLUMNS if whole else ())


class _Subject(NamedTuple):
    """An item ready to be scored against, with what its rows begin and end with."""

    dataset: str
    item_id: str
    lead: tuple[str, str, str, str]
    gold: Gold
    tail: tuple[float | str, ...]


def score_columns(
    scorers: Iterable[str], worst: Iterable[str] = (), subgroups: Iterable[str] = ()
) -> tuple[Column, ...]:
    """Return the columns of ``per_item_scores``, given the names of scorers and of subgroup columns.

    Identity, then mean and standard deviation by scorer, then the worst score by item of those in ``worst``, then the
    level of the item in each subgroup column.
    """
    scores = [name for scorer in scorers for name in (scorer, f"{scorer}_std")]
    floats = (*scores, *(f"{scorer}_worst" for scorer in worst))
    measured: tuple[Column, ...] = tuple((name, "float") for name in floats)
    levels: tuple[Column, ...] = tuple((subgroup_column(column), "category") for column in subgroups)
    return IDENTITY_COLUMNS + measured + levels


def score_part(spec: RunSpec, trial: Trial, name: str, stem: Path) -> dict[Path, FileRecord]:
    """Score one part into a table of its own, ``<stem>.parquet`` and ``<stem>.csv``, and return what was written.

    It needs nothing but the specification, so any process can do it. The rows are those that the phase itself writes of
    this part; those of all parts, in order, are its table.
    """
    part = next(part for part in parts_in_table_order(spec, trial) if part.name == name)
    scorers = _Scorers.of(spec, lambda: None)
    items = ItemReader(spec.run).take(part.start, part.stop)
    own = {(item.dataset, item.id, part.condition, repr(part.temp)) for item in items}
    answers = _Answers((row for row in _answers(spec, trial, scorers.read) if row[:4] in own), _again(spec))
    subjects = _subjects(spec, items, scorers)
    with TableWriter(stem, scorers.columns) as table:
        _score_part(part, subjects, answers, scorers, table)
        answers.check_empty()
    return table.records()


def check_scorable(spec: RunSpec, services: Services) -> None:
    """Check that the prepared items can be scored as the configuration says; nothing is written.

    Raises
    ------
    PromptrialError
        If a scorer cannot be made, or the items lack what a scorer needs, or a column of a subgroup.

    Side effects: runs the files of scorers that the configuration names.
    """
    _check(spec, make_scorers(spec, services.stop.check))


def _check(spec: RunSpec, scorers: Mapping[str, Scorer]) -> None:
    check_recorded(spec, {name: scorer.declared.needs for name, scorer in scorers.items()})
    check_prepared_subgroups(spec)


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    results = spec.run.trial(trial.slug).results
    scorers = _Scorers.of(spec, services.stop.check)
    _check(spec, scorers.all)
    answers = _Answers(_answers(spec, trial, scorers.read), _again(spec))
    counts: _Counts = {name: {} for name, entry in spec.config.scorers_in_use.items() if entry.extract is not None}
    parts = parts_in_table_order(spec, trial)
    reader = ItemReader(spec.run)
    with (
        TableWriter(results / "per_item_scores", scorers.columns) as table,
        services.progress.task("score", Unit(trial.slug), sum(part.rows for part in parts)) as task,
    ):
        for _, shard in groupby(parts, key=lambda part: (part.start, part.stop)):
            arms = list(shard)
            subjects = _subjects(spec, reader.take(arms[0].start, arms[0].stop), scorers)
            for part in arms:
                services.stop.check()
                _score_part(part, subjects, answers, scorers, table)
                _add(counts, part.condition, *scorers.panel.take_counts())
                task.advance(part.rows)
        answers.check_empty()
    from promptrial.scoring.python_function import unsaid_truth  # plan can do without it

    for warning in (*_nothing_found(counts), *unsaid_truth(scorers.all)):
        services.events.warn(f"{trial.slug}: {warning}")
    return Produced(table.records() | _record(spec, results / RECORD, scorers.all, counts))


_Counts = dict[str, dict[str, ExtractCount]]
"""By scorer with an `extract` and by arm, how often there was something to extract."""


def _add(counts: _Counts, arm: str, answers: int, not_found: Mapping[str, int]) -> None:
    for name, by_arm in counts.items():
        so_far = by_arm.get(arm, ExtractCount(answers=0, not_found=0))
        by_arm[arm] = ExtractCount(
            answers=so_far.answers + answers, not_found=so_far.not_found + not_found.get(name, 0)
        )


def _nothing_found(counts: _Counts) -> Iterator[str]:
    """Yield a sentence for each scorer with an arm in none of whose answers its ``extract`` found anything."""
    for name, by_arm in counts.items():
        arms = [arm for arm, count in by_arm.items() if 0 < count.answers == count.not_found]
        if arms:
            where = f"arm{'s' * (len(arms) > 1)} {' and '.join(arms)}"
            yield (
                f"{name}: its extract found nothing in any answer of the {where}, so its scores there are of empty "
                "texts; look at the answers, and correct extract (docs/scorers.md#extract)"
            )


def _record(spec: RunSpec, path: Path, scorers: Mapping[str, Scorer], counts: _Counts) -> dict[Path, FileRecord]:
    """Record what the columns mean, unless the default pack ran as it is; then there is no such file."""
    if not scorer_versions(spec.config):
        if path.exists():
            atomic.remove(path)
        return {}
    with AtomicFile(path) as file:
        file.write(documents.encode(record_of(spec.config, scorers, counts)))
    return {path: FileRecord(file.sha256(), file.size)}


def _again(spec: RunSpec) -> str:
    """Return the command that makes the predictions again."""
    return f"{spec.run.command('run')} --from_step parse"


def _subjects(spec: RunSpec, items: Sequence[Item], scorers: _Scorers) -> list[_Subject]:
    settings, rules = scoring_settings(spec.config), evaluation_rules(spec)
    return [_subject(item, rules, settings, scorers) for item in items]


def _subject(
    item: Item, rules: Mapping[str, EvaluationRules], settings: ScoringSettings, scorers: _Scorers
) -> _Subject:
    tail: tuple[float | str, ...] = *worst_scores(item, scorers.worst), *levels_of(item, scorers.subgroups)
    lead = (ids.item_key(item.dataset, item.id), item.dataset, cluster_id(item), item.type)
    return _Subject(item.dataset, item.id, lead, prepare_gold(item, rules[item.dataset], settings), tail)


def _score_part(
    part: Part, subjects: Sequence[_Subject], answers: _Answers, scorers: _Scorers, table: TableWriter
) -> None:
    temp = repr(part.temp)
    for batch in _batches(subjects, answers, part.condition, temp):
        scores = iter(
            scorers.panel.score_all([(subject.gold, response) for subject, given in batch for response in given])
        )
        for subject, given in batch:
            summary = summarize_replicates(list(islice(scores, len(given))), len(scorers.all))
            pairs = [value for pair in zip(summary.means, summary.stds, strict=True) for value in pair]
            table.append((*subject.lead, part.condition, temp, summary.n_samples, *pairs, *subject.tail))


def _batches(
    subjects: Sequence[_Subject], answers: _Answers, condition: str, temp: str
) -> Iterator[list[tuple[_Subject, list[Response]]]]:
    """Yield items with the responses to them, so many at a time as are scored together."""
    batch: list[tuple[_Subject, list[Response]]] = []
    n = 0
    for subject in subjects:
        responses = answers.take(subject.dataset, subject.item_id, condition, temp)
        batch.append((subject, responses))
        n += len(responses)
        if n >= _SCORED_TOGETHER:
            yield batch
            batch, n = [], 0
    if batch:
        yield batch


class _Answers:
    """The predictions, taken item by item in request order; ``again`` is the command that makes them again."""

    def __init__(self, rows: Iterator[_Row], again: str) -> None:
        self._rows = rows
        self._again = again
        self._next = next(rows, None)

    def take(self, *key: str) -> list[Response]:
        """Return the answers to an item (data set, id), arm and temperature, but for failed requests."""
        responses = []
        row = self._next
        while row is not None and row[:4] == key:
            text, error = row[4:6]
            if error is None and text is not None and not is_blank(text):
                responses.append(Response(text, *row[6:]))
            row = self._next = next(self._rows, None)
        return responses

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


def _answers(spec: RunSpec, trial: Trial, columns: tuple[str, ...]) -> Iterator[_Row]:
    path = spec.run.trial(trial.slug).results / "predictions.parquet"
    for batch in read_batches(path, columns):
        absent = {name for name in RESPONSE_COLUMNS if name not in batch.schema.names}  # no response has anything there
        lists = ([None] * len(batch) if name in absent else batch.column(name).to_pylist() for name in columns)
        yield from zip(*lists, strict=True)


def _subgroups(spec: RunSpec) -> dict[str, str]:
    """Return what a receipt says of subgroups: nothing without any."""
    names = list(spec.config.subgroups)
    return {"subgroups": json.dumps(names, ensure_ascii=False)} if names else {}


PHASE = Phase(
    name="score",
    reads=("prepare", "build", "parse"),
    settings=lambda spec, _manifests, _trial: {
        "scoring": spec.config.scoring.model_dump(mode="json"),
        "formats": {name: dataset.known_format for name, dataset in spec.config.datasets.items()},
        **chosen_rules(spec),
    },
    made_with=lambda spec: {
        **versions.added_columns(IDENTITY_COLUMNS, first=7),
        **scorer_versions(spec.config),
        **_subgroups(spec),
    },
    run_trial=_run,
)
