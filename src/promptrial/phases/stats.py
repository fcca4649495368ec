"""Stats: from the score table to ``significance.json``. Reads and writes; the arithmetic is ``promptrial.stats``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptrial.documents import significance
from promptrial.documents.missing import ArmAttrition
from promptrial.documents.scorers import ROLES, with_role
from promptrial.documents.subgroups import subgroup_of
from promptrial.model import Trial, ids
from promptrial.model.arms import ArmName, compared_arms
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Phase, Produced
from promptrial.phases.parse import ParseReport
from promptrial.phases.prepared import all_items
from promptrial.phases.scorers import declared, scorer_versions
from promptrial.phases.services import Services
from promptrial.phases.settings import stats_settings
from promptrial.phases.spec import RunSpec
from promptrial.scoring.base import load_scorers, worst_scores
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord, load
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    from promptrial.stats.pairing import ScoreTable

__all__ = ["PHASE", "PlannedItems", "planned_items", "read_scores"]

_TYPES: Final = ("open", "closed")


@dataclass(frozen=True, slots=True)
class PlannedItems:
    """The items of a run, in order, as the statistics need to know them before any answer is seen.

    ``worst`` holds by scorer and item the score of a missing answer that counts as a failure, NaN where the scorer does
    not apply. ``unanswerable`` says which items have no answer.
    """

    keys: list[str]
    worst: dict[str, list[float]]
    unanswerable: list[bool]


def planned_items(run: RunDir) -> PlannedItems:
    """Read what the statistics need to know of every planned item; the score table has it for scorers of no pack."""
    scorers = load_scorers()
    planned = PlannedItems([], {name: [] for name in scorers}, [])
    for item in all_items(run):
        planned.keys.append(ids.item_key(item.dataset, item.id))
        planned.unanswerable.append(item.is_unanswerable)
        for name, worst in zip(scorers, worst_scores(item, scorers), strict=True):
            planned.worst[name].append(worst)
    return planned


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
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from promptrial.stats.pairing import ScoreTable

    table = pq.read_table(path, memory_map=False)

    def codes(name: str, names: Sequence[str] | None = None) -> tuple[Any, list[str]]:
        column = table.column(name).combine_chunks()
        known = pc.unique(column) if names is None else pa.array(names)
        return pc.index_in(column, known).to_numpy(zero_copy_only=False).astype(np.int64), known.to_pylist()

    def floats(name: str) -> Any:  # noqa: ANN401 - a float array
        return table.column(name).to_numpy(zero_copy_only=False).astype(np.float64)

    def worst_of(name: str) -> Any:  # noqa: ANN401 - likewise
        if f"{name}_worst" not in table.column_names:
            return np.array(planned.worst[name], dtype=np.float64)
        worst = np.full(len(planned.keys), np.nan)
        worst[item] = floats(f"{name}_worst")
        return worst

    scorers = declared(path.parent)
    item = codes("item_key", planned.keys)[0]
    arm, arm_names = codes("condition", compared_arms(arms))
    dataset, dataset_names = codes("dataset")
    cluster, cluster_names = codes("cluster")
    subgroups = {column: codes(name) for name in table.column_names if (column := subgroup_of(name)) is not None}
    return ScoreTable(
        item_keys=planned.keys,
        dataset_names=dataset_names,
        type_names=_TYPES,
        item=item,
        dataset=dataset,
        cluster=cluster,
        cluster_names=cluster_names,
        type=codes("type", _TYPES)[0],
        arm=arm,
        arm_names=arm_names,
        temp=pc.cast(table.column("temp"), pa.float64()).to_numpy(),
        n_samples=table.column("n_samples").to_numpy().astype(np.int64),
        metrics={name: floats(name) for name in scorers},
        deviations={name: floats(f"{name}_std") for name in scorers},
        planned_samples={
            (code, float(temp)): n for code in range(len(arm_names)) for temp, n in samples_per_item.items()
        },
        worst={name: worst_of(name) for name in scorers},
        roles={role: name for role in ROLES if (name := with_role(scorers, role)) is not None},
        unanswerable=np.array(planned.unanswerable, dtype=np.bool_),
        subgroups={column: (names, of_rows) for column, (of_rows, names) in subgroups.items()},
    )


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    from promptrial.stats.analysis import analyse

    results = spec.run.trial(trial.slug).results
    with services.progress.task("stats", Unit(trial.slug), 1) as task:
        scores, planned = results / "per_item_scores.parquet", planned_items(spec.run)
        table = read_scores(scores, planned, trial.samples_per_item, trial.arms_run)
        document = analyse(table, stats_settings(spec.config, declared(results)), _attrition(results))
        task.advance()
    path = results / "significance.json"
    with AtomicFile(path) as file:
        file.write(significance.encode(document))
    return Produced({path: FileRecord(file.sha256(), file.size)})


def _attrition(results: Path) -> dict[ArmName, ArmAttrition]:
    from promptrial.stats.attrition import arm_attrition

    report = load(results / "parse_report.json", ParseReport)
    return {
        name: arm_attrition(
            arm.expected, arm.answered, {**arm.errors, "missing": arm.missing}, arm.empty, arm.truncated
        )
        for name, arm in report.arms.items()
    }


PHASE = Phase(
    name="stats",
    reads=("prepare", "parse", "score"),
    settings=lambda spec, _manifests, _trial: spec.config.stats.model_dump(mode="json"),
    made_with=lambda spec: {
        **versions.statistics(),
        **versions.schema(significance.SCHEMA_VERSION, first=2),
        **scorer_versions(spec.config),
    },
    run_trial=_run,
)
