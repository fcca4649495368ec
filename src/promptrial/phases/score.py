"""Score: from predictions to one row per item, arm and temperature, its replicates averaged.

Predictions stand in request order, so items and answers are read side by side, and only one shard of items is held in
memory at a time. A request that was not answered has no score: it lowers ``n_samples`` and never enters a mean. A text
without a visible character is no answer either, also in predictions of an older version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from promptrial.datasets.base import cluster_id
from promptrial.documents import scorers as documents
from promptrial.documents.scorers import Declaration, ExtractCount, RecordedScorer
from promptrial.documents.subgroups import subgroup_column
from promptrial.model import Item, Part, Trial, ids
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Phase, Produced
from promptrial.phases.needs import check_recorded
from promptrial.phases.parsed import Rows
from promptrial.phases.predictions import ANSWER_COLUMNS, Answers, PredictionRow, parse_again, prediction_rows, rows_in
from promptrial.phases.prepared import ItemReader
from promptrial.phases.sample import parts_in_table_order
from promptrial.phases.scorers import RECORD, make_extracts, make_scorers, record_of, scorer_versions, worst_columns
from promptrial.phases.services import Services
from promptrial.phases.settings import chosen_rules, evaluation_rules, scoring_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import check_prepared_subgroups, levels_of
from promptrial.phases.waves import is_kept
from promptrial.runtime.progress import Task
from promptrial.scoring.aggregate import summarize_replicates
from promptrial.scoring.base import Gold, Panel, ScoringSettings, prepare_gold, worst_scores
from promptrial.scoring.contract import RESPONSE_COLUMNS, Response, Scorer
from promptrial.scoring.normalize import EvaluationRules
from promptrial.store import atomic
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.tables import Column, TableWriter

if TYPE_CHECKING:
    from promptrial.phases.score_parts import ScoredShard, ShardTask
    from promptrial.scoring.types.judge import Lookup

__all__ = [
    "PHASE",
    "READ",
    "Scored",
    "ShardScorer",
    "check_scorable",
    "score_columns",
    "score_part",
    "score_rows",
]

IDENTITY_COLUMNS: Final[tuple[Column, ...]] = (
    ("item_key", "text"),
    ("dataset", "category"),
    ("cluster", "text"),
    ("type", "category"),
    ("condition", "category"),
    ("temp", "category"),
    ("n_samples", "int"),
)
READ: Final = (*ANSWER_COLUMNS, *RESPONSE_COLUMNS)
"""The columns of the predictions that any scorer may need."""
_SCORED_TOGETHER: Final = 1_000
"""How many answers a scorer that takes many at once gets, but for the replicates of the last item."""


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
    def of(
        cls, spec: RunSpec, made: Mapping[str, Scorer], lookups: Mapping[str, Lookup] = MappingProxyType({})
    ) -> Self:
        """Lay them out as they were made; judges have the scores that ``lookups`` give."""
        from promptrial.phases.judge_scores import judged_scorer

        scorers = {name: judged_scorer(name, each, lookups) for name, each in made.items()}
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
        return ANSWER_COLUMNS + (RESPONSE_COLUMNS if whole else ())


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
    from promptrial.phases.judge_scores import judge_trial

    part = next(part for part in parts_in_table_order(spec, trial) if part.name == name)
    scorers = _Scorers.of(spec, make_scorers(spec, lambda: None), judge_trial(spec, trial).lookups)
    items = _kept(ItemReader(spec.run).take(part.start, part.stop), part.start, is_kept(spec.run, trial.slug))
    own = {(item.dataset, item.id, part.condition, repr(part.temp)) for item in items}
    rows = ((at, row) for at, row in enumerate(prediction_rows(spec, trial, scorers.read)) if row[:4] in own)
    at, row = next(rows, (0, None))
    answers = Answers(chain(() if row is None else (row,), (row for _, row in rows)), parse_again(spec), at)
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
    from promptrial.phases.judge_scores import judge_scores
    from promptrial.phases.score_parts import obstacle_to_sharing, score_in_workers
    from promptrial.phases.sharing import say_unused, why_one, workers_for

    results = spec.run.trial(trial.slug).results
    made = make_scorers(spec, services.stop.check)
    _check(spec, made)
    judged, lookups = judge_scores(spec, services, trial)
    scorers = _Scorers.of(spec, made, lookups)
    counts: _Counts = {name: {} for name, entry in spec.config.scorers_in_use.items() if entry.extract is not None}
    parts = parts_in_table_order(spec, trial)
    rows = sum(part.rows for part in parts)
    alone = why_one(spec, rows) or obstacle_to_sharing(spec.config)
    if alone:
        say_unused(spec, services, trial, "score", alone)
    with (
        TableWriter(results / "per_item_scores", scorers.columns) as table,
        services.progress.task("score", Unit(trial.slug), rows) as task,
    ):
        if alone:
            _score_here(spec, services, trial, scorers, table, counts, task)
        else:
            workers = workers_for(spec, rows)
            for shard in score_in_workers(spec, services, trial, parts, scorers.read, workers):
                table.append_made(shard.rows)
                for arm, answers, not_found in shard.counts:
                    _add(counts, arm, answers, not_found)
                task.advance(shard.requests)
    from promptrial.scoring.python_function import unsaid_truth  # plan can do without it

    for warning in (*_nothing_found(counts), *unsaid_truth(scorers.all)):
        services.events.warn(f"{trial.slug}: {warning}")
    return Produced(table.records() | _record(spec, results / RECORD, scorers.all, counts) | judged)


def _score_here(
    spec: RunSpec,
    services: Services,
    trial: Trial,
    scorers: _Scorers,
    table: TableWriter,
    counts: _Counts,
    task: Task,
) -> None:
    """Score all parts in this process."""
    answers = Answers(prediction_rows(spec, trial, scorers.read), parse_again(spec))
    reader, kept = ItemReader(spec.run), is_kept(spec.run, trial.slug)
    for _, shard in groupby(parts_in_table_order(spec, trial), key=lambda part: (part.start, part.stop)):
        arms = list(shard)
        items = _kept(reader.take(arms[0].start, arms[0].stop), arms[0].start, kept)
        subjects = _subjects(spec, items, scorers)
        for part in arms:
            services.stop.check()
            _score_part(part, subjects, answers, scorers, table)
            _add(counts, part.condition, *scorers.panel.take_counts())
            task.advance(part.rows)
    answers.check_empty()


class ShardScorer:
    """Scores shards of a trial in memory; any process can."""

    def __init__(self, spec: RunSpec, trial: Trial) -> None:
        self._spec = spec
        self._scorers = _Scorers.of(spec, make_scorers(spec, lambda: None))
        self._reader = ItemReader(spec.run)
        self._kept = is_kept(spec.run, trial.slug)

    def __call__(self, task: ShardTask) -> ScoredShard:
        """Return the scores of a shard."""
        from promptrial.phases.score_parts import HeldRows, ScoredShard

        start, stop = task.parts[0].start, task.parts[0].stop
        items = _kept(self._reader.take(start, stop), start, self._kept)
        subjects = _subjects(self._spec, items, self._scorers)
        table, counts = HeldRows([]), []
        for part, predictions in zip(task.parts, task.predictions, strict=True):
            rows = iter(()) if predictions is None else rows_in(predictions, self._scorers.read)
            answers = Answers(rows, parse_again(self._spec))
            _score_part(part, subjects, answers, self._scorers, table)
            answers.check_empty()
            counts.append((part.condition, *self._scorers.panel.take_counts()))
        return ScoredShard(table.made(self._scorers.columns), counts, sum(part.rows for part in task.parts))


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
                f"{name}: its extract found nothing in any answer of the {where}, so empty texts were scored; check "
                "the answers, and correct extract (docs/scorers.md#extract)"
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


def _kept(items: Sequence[Item], start: int, kept: Sequence[bool] | None) -> list[Item]:
    """Return those of the items from a position on that the results are of: of a trial that stopped early, not all."""
    return [item for at, item in enumerate(items, start) if kept is None or kept[at]]


def _subjects(spec: RunSpec, items: Sequence[Item], scorers: _Scorers) -> list[_Subject]:
    settings, rules = scoring_settings(spec.config), evaluation_rules(spec)
    return [_subject(item, rules, settings, scorers) for item in items]


def _subject(
    item: Item, rules: Mapping[str, EvaluationRules], settings: ScoringSettings, scorers: _Scorers
) -> _Subject:
    tail: tuple[float | str, ...] = *worst_scores(item, scorers.worst), *levels_of(item, scorers.subgroups)
    lead = (ids.item_key(item.dataset, item.id), item.dataset, cluster_id(item), item.type)
    return _Subject(item.dataset, item.id, lead, prepare_gold(item, rules[item.dataset], settings), tail)


def _score_part(part: Part, subjects: Sequence[_Subject], answers: Answers, scorers: _Scorers, table: Rows) -> None:
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
    subjects: Sequence[_Subject], answers: Answers, condition: str, temp: str
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


class Scored(NamedTuple):
    """Scores in memory: the rows of ``per_item_scores``, its columns, and what the scorers say of themselves."""

    rows: list[tuple[Any, ...]]
    columns: tuple[Column, ...]
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
    from promptrial.phases.score_parts import HeldRows

    scorers, table = _Scorers.of(spec, make_scorers(spec, lambda: None), lookups), HeldRows([])
    answers, reader = Answers(rows, parse_again(spec)), ItemReader(spec.run)
    for _, shard in groupby(parts_in_table_order(spec, trial), key=lambda part: (part.start, part.stop)):
        arms = list(shard)
        items = _kept(reader.take(arms[0].start, arms[0].stop), arms[0].start, kept)
        subjects = _subjects(spec, items, scorers)
        for part in arms:
            _score_part(part, subjects, answers, scorers, table)
    answers.check_empty()
    declared = {name: documents.as_found(each) for name, each in _recorded(spec, scorers).items()}
    return Scored(table.rows, scorers.columns, declared)


def _recorded(spec: RunSpec, scorers: _Scorers) -> dict[str, RecordedScorer]:
    """Return what would be recorded of the scorers."""
    return {each.name: each for each in record_of(spec.config, scorers.all, {}).scorers}


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
