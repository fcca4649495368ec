"""Stats: from the score table to ``significance.json``, and from labels to ``agreement.json``.

Reads and writes; the arithmetic is ``promptrial.stats``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from promptrial.documents import label_sheets, significance
from promptrial.documents.aa import AAResult
from promptrial.documents.missing import ArmAttrition
from promptrial.documents.scorers import ROLES, Declaration, with_role
from promptrial.documents.subgroups import subgroup_of
from promptrial.model import Item, Trial, ids
from promptrial.model.arms import ArmName, compared_arms
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Manifests, Phase, Produced
from promptrial.phases.prepared import all_items
from promptrial.phases.score_bounds import check_bounds
from promptrial.phases.score_columns import scored_column
from promptrial.phases.scorers import declared, judges_in, scorer_versions
from promptrial.phases.services import Services
from promptrial.phases.settings import stats_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import is_kept
from promptrial.store import atomic
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.records import load
from promptrial.store.rundir import RunDir, digest_of
from promptrial.store.tables import StoredColumns, codes_of, values_of
from promptrial.store.texts import Texts

if TYPE_CHECKING:
    import pyarrow as pa

    from promptrial.documents.significance import Significance, StatsSettings
    from promptrial.stats.pairing import ScoreTable

__all__ = ["AGREEMENT", "PHASE", "PlannedItems", "WorstScores", "planned_items", "read_scores", "table_of"]

AGREEMENT: Final = "agreement.json"
"""How far measures agree with people, and judges with each other; there only if anything is known of that."""
_TYPES: Final = ("open", "closed")
_CATEGORIES: Final = ("dataset", "type", "cluster", "condition", "temp")


@dataclass(frozen=True, slots=True)
class WorstScores(Mapping[str, Any]):
    """By scorer, an array of the scores that missing answers of the items have where they count as failures.

    NaN is where the scorer does not apply. An array is made when it is asked for: there are few kinds of items.

    Parameters
    ----------
    kinds : ndarray of int, shape (n_items,)
    of_kinds : mapping of str to ndarray of float, shape (n_kinds,)
    of_items : mapping of str to ndarray of float, shape (n_items,)
        Of the scorers that do not go by the kind of the item.
    """

    kinds: Any
    of_kinds: Mapping[str, Any]
    of_items: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - an array
        return self.of_items[name] if name in self.of_items else self.of_kinds[name][self.kinds]

    def __contains__(self, name: object) -> bool:
        return name in self.of_items or name in self.of_kinds

    def __iter__(self) -> Iterator[str]:
        return iter({**self.of_kinds, **self.of_items})

    def __len__(self) -> int:
        return len({**self.of_kinds, **self.of_items})


@dataclass(frozen=True, slots=True)
class PlannedItems:
    """The items of a run, in order, as the statistics need to know them before any answer is seen.

    ``unanswerable`` is an array that says which items have no answer.
    """

    keys: Texts
    worst: WorstScores
    unanswerable: Any


def planned_items(run: RunDir, kept: Sequence[bool] | None = None) -> PlannedItems:
    """Read what the statistics need to know of every planned item; the score table has it for scorers of no pack.

    ``kept`` says by position of which items: of a trial that stopped early, not of all.
    """
    import numpy as np

    from promptrial.scoring.base import load_scorers
    from promptrial.scoring.panel import worst_scores

    scorers = load_scorers()
    codes, worst = dict[tuple[bool, ...], int](), list[tuple[float, ...]]()
    kinds, unanswerable = bytearray(), bytearray()

    def keys() -> Iterator[str]:
        for position, item in enumerate(all_items(run)):
            if kept is not None and not kept[position]:
                continue
            kind = _kind(item)
            if kind not in codes:
                codes[kind] = len(codes)
                worst.append(worst_scores(item, scorers))
            kinds.append(codes[kind])
            unanswerable.append(item.is_unanswerable)
            yield ids.item_key(item.dataset, item.id)

    named = Texts.of(keys())
    of_kinds = np.array(worst, dtype=np.float64).reshape(-1, len(scorers))
    by_scorer = {name: of_kinds[:, at] for at, name in enumerate(scorers)}
    return PlannedItems(
        named, WorstScores(np.frombuffer(kinds, np.uint8), by_scorer), np.frombuffer(unanswerable, np.bool_)
    )


def _kind(item: Item) -> tuple[bool, ...]:
    """Return all of an item that the worst scores of the default pack depend on."""
    return bool(item.answers), item.is_unanswerable, item.context is not None, bool(item.choices)


def read_scores(
    path: Path, planned: PlannedItems, samples_per_item: Mapping[str, int], arms: Sequence[ArmName]
) -> ScoreTable:
    """Read ``per_item_scores.parquet`` into the columns that the statistics take.

    Parameters
    ----------
    path : Path
    planned : PlannedItems
    samples_per_item : mapping of str to int
        Temperature, as Python writes it -> the answers that were planned for each item of each arm.
    arms : sequence of str
        The arms of the trial, in order.
    """
    scorers = declared(path.parent)
    return table_of(StoredColumns(path, _CATEGORIES), scorers, planned, samples_per_item, arms)


def table_of(
    table: pa.Table | StoredColumns,
    scorers: Mapping[str, Declaration],
    planned: PlannedItems,
    samples_per_item: Mapping[str, int],
    arms: Sequence[ArmName],
) -> ScoreTable:
    """Return the columns that the statistics take of a table of scores; ``scorers`` are its scorers, in order."""
    import numpy as np

    from promptrial.stats.score_table import ScoreTable, nothing

    def codes(name: str, names: Texts | None = None) -> tuple[Any, Texts]:
        column = table.column(name)
        known = Texts(values_of(column)) if names is None else names
        return _narrow(codes_of(column, known.array), len(known)), known

    def floats(name: str) -> Any:  # noqa: ANN401 - a float array
        column = table.column(name)
        if column.null_count == len(column):
            return nothing(len(column))
        return column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)

    def worst_of(name: str) -> Any:  # noqa: ANN401 - likewise
        worst = np.full(len(planned.keys), np.nan)
        worst[item] = floats(f"{name}_worst")
        return worst

    item = codes("item_key", planned.keys)[0]
    arm, arm_names = codes("condition", Texts.of(compared_arms(arms)))
    dataset, dataset_names = codes("dataset")
    cluster, cluster_names = codes("cluster")
    temp, temps = codes("temp")
    subgroups = {column: codes(name) for name in table.column_names if (column := subgroup_of(name)) is not None}
    own = {name: worst_of(name) for name in scorers if f"{name}_worst" in table.column_names}
    counted = {name: column for name in scorers if (column := scored_column(name)) in table.column_names}
    return ScoreTable(
        item_keys=planned.keys,
        dataset_names=list(dataset_names),
        type_names=_TYPES,
        item=item,
        dataset=dataset,
        cluster=cluster,
        cluster_names=cluster_names,
        type=codes("type", Texts.of(_TYPES))[0],
        arm=arm,
        arm_names=list(arm_names),
        temp=_temperatures(temps, temp),
        n_samples=table.column("n_samples").to_numpy().astype(np.int32),
        metrics={name: floats(name) for name in scorers},
        deviations={name: floats(f"{name}_std") for name in scorers},
        planned_samples={
            (code, float(each)): n for code in range(len(arm_names)) for each, n in samples_per_item.items()
        },
        scored={name: table.column(column).to_numpy().astype(np.int32) for name, column in counted.items()},
        worst=replace(planned.worst, of_items=own),
        roles={role: name for role in ROLES if (name := with_role(scorers, role)) is not None},
        unanswerable=planned.unanswerable,
        subgroups={column: (list(names), of_rows) for column, (of_rows, names) in subgroups.items()},
    )


def _narrow(codes: Any, n: int) -> Any:  # noqa: ANN401 - arrays of int
    """Return codes of n names, or -1, in as few bytes as hold them."""
    import numpy as np

    return codes.astype(np.min_scalar_type(-max(n, 1)))


def _temperatures(names: Sequence[str], codes: Any) -> Any:  # noqa: ANN401 - arrays
    """Return the temperature of each row; one of all rows takes no memory."""
    import numpy as np

    values = np.array([float(name) for name in names], dtype=np.float64)
    return np.broadcast_to(values[0], len(codes)) if len(values) == 1 else values[codes]


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    from promptrial.phases.drift import drift_of
    from promptrial.phases.looks_taken import looks_document
    from promptrial.phases.sharing import threads_for
    from promptrial.stats.analysis import analyse
    from promptrial.stats.under_looks import under_looks

    results = spec.run.trial(trial.slug).results
    with services.progress.task("stats", Unit(trial.slug), 1) as task:
        scores, planned = results / "per_item_scores.parquet", planned_items(spec.run, is_kept(spec.run, trial.slug))
        table = read_scores(scores, planned, trial.samples_per_item, trial.arms_run)
        stats, scorers = spec.config.stats, declared(results)
        check_bounds(spec.config, scorers)
        settings = stats_settings(spec.config, scorers)
        looks = looks_document(spec, trial)
        document = analyse(
            table,
            settings,
            _attrition(results),
            trend=stats.trend,
            pooled=stats.pooled,
            looked_at=None if looks is None else looks.metric,
            threads=threads_for(spec, int(table.n_samples.sum())),
        )
        task.advance()
    if trial.second_asks and services.manifest(trial.slug).older is msgspec.UNSET:  # what an older tool has made stays
        document = msgspec.structs.replace(document, aa=_against_itself(table, trial, settings, services.stop.check))
    if drift := drift_of(spec, trial, table, settings):
        document = msgspec.structs.replace(document, drift=drift)
    if looks is not None:
        document = under_looks(document, looks)
    if spec.dry_run:
        document = msgspec.structs.replace(document, dry_run=True)
    made = {"significance.json": significance.encode(document), AGREEMENT: _agreement(spec, trial, document)}
    return Produced(dict(_written(results / name, data) for name, data in made.items() if data is not None))


def _agreement(spec: RunSpec, trial: Trial, document: Significance) -> bytes | None:
    """Return how far measures agree with people, and judges with each other; None where there is nothing of either.

    Side effects: removes what earlier labels have left.
    """
    from promptrial.documents import labels
    from promptrial.phases.agreement import agreement_of
    from promptrial.phases.labelled import labels_in, prepared_ids
    from promptrial.phases.side_by_side import SideBySide

    results = spec.run.trial(trial.slug).results
    judges = judges_in(results)
    sheets = [entry.sheet for entry in spec.config.labels]
    found = None
    if sheets or len(judges) > 1:
        sides = SideBySide(spec.run, trial, spec.config.stats.primary)
        others = prepared_ids(spec.run, [each for each in spec.trials if each is not trial]) if sheets else set()
        found = agreement_of(sides, document, list(labels_in(sheets, sides, others)), judges)
    if found is None and (results / AGREEMENT).exists():
        atomic.remove(results / AGREEMENT)
    return None if found is None else labels.encode(found)


def _written(path: Path, data: bytes) -> tuple[Path, FileRecord]:
    with AtomicFile(path) as file:
        file.write(data)
    return path, FileRecord(file.sha256(), file.size)


def _against_itself(
    table: ScoreTable, trial: Trial, settings: StatsSettings, check_stop: Callable[[], None]
) -> tuple[AAResult, ...]:
    """Return what an A/A check of each arm that asks what control asks shows."""
    from promptrial.phases.self_check import result_of, second_ask
    from promptrial.stats.against_itself import splits_for

    asked = (second_ask(table, other, settings, settings.primary) for other in trial.second_asks)
    n_splits = splits_for(len(table.item_keys))
    return tuple(result_of(each, settings, n_splits, check_stop) for each in asked)


def _attrition(results: Path) -> dict[ArmName, ArmAttrition]:
    from promptrial.phases.parsed import ParseReport
    from promptrial.stats.attrition import arm_attrition

    report = load(results / "parse_report.json", ParseReport)
    return {
        name: arm_attrition(
            arm.expected, arm.answered, {**arm.errors, "missing": arm.missing}, arm.empty, arm.truncated
        )
        for name, arm in report.arms.items()
    }


def _settings(spec: RunSpec, _manifests: Manifests, trial: Trial | None) -> object:
    from promptrial.phases.looks_taken import looks_document

    stats = spec.config.stats
    declared_alone = versions.declared(trend=bool(stats.trend), pooled=stats.pooled)
    found = {**stats.model_dump(mode="json"), **declared_alone, **versions.subgroups(spec.config.subgroups)}
    if trial is None:
        return found
    looks = looks_document(spec, trial)
    said = {} if looks is None else {"looks": msgspec.to_builtins(looks), **versions.under_looks()}
    return {
        **found,
        **versions.several_arms(trial.arms_run),
        **said,
        **_labelled(spec, trial),
        **_rechecked(spec, trial),
    }


def _rechecked(spec: RunSpec, trial: Trial) -> dict[str, str]:
    """Return what a receipt says about answers that were asked again: nothing where there are none."""
    from promptrial.store.recheck_records import read_rechecked

    record = read_rechecked(spec.run.trial(trial.slug).results)
    return {} if record is None else {"rechecked": digest_of(msgspec.to_builtins(record))}


def _labelled(spec: RunSpec, trial: Trial) -> dict[str, str]:
    """Return what a receipt says about people's labels: nothing where there are none."""
    sheets = [entry.sheet for entry in spec.config.labels]
    if not sheets:
        return {}
    return {"labels": label_sheets.digest(sheets), **versions.beside_labels(trial.arms_run, spec.config.stats.missing)}


PHASE = Phase(
    name="stats",
    reads=("prepare", "parse", "score"),
    settings=_settings,
    made_with=lambda spec: {
        **versions.statistics(),
        **versions.schema(significance.SCHEMA_VERSION, first=2),
        **scorer_versions(spec.config),
    },
    run_trial=_run,
)
