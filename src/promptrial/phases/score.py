"""Score: from predictions to one row per item, arm and temperature, its replicates averaged.

Predictions are in request order, so items and answers are read side by side, and few items are held in memory at a
time. A request that was not answered has no score: it lowers ``n_samples`` and never enters a mean. A text without a
visible character is not an answer either, also in predictions of an older version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from promptrial import registry
from promptrial.documents import scorers as documents
from promptrial.documents.scorers import ExtractCount
from promptrial.model import Trial
from promptrial.model.units import Unit
from promptrial.phases import versions
from promptrial.phases.base import Phase, Produced
from promptrial.phases.needs import check_recorded
from promptrial.phases.sample import parts_in_table_order
from promptrial.phases.score_bounds import check_bounds
from promptrial.phases.score_columns import IDENTITY_COLUMNS
from promptrial.phases.scorers import RECORD, make_scorers, record_of, scorer_versions
from promptrial.phases.services import Services
from promptrial.phases.settings import chosen_rules
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import check_prepared_subgroups
from promptrial.scoring.contract import Scorer
from promptrial.store import atomic
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.tables import TableWriter

__all__ = ["PHASE", "check_scorable"]


def check_scorable(spec: RunSpec, services: Services) -> None:
    """Check that the prepared items can be scored as the configuration says; nothing is written.

    Raises
    ------
    PromptrialError
        If a scorer cannot be made, a bound lies beyond its scale, or the items lack what a scorer needs, or a column
        of a subgroup.

    Side effects: runs the files of scorers that the configuration names.
    """
    _check(spec, make_scorers(spec, services.stop.check))


def _check(spec: RunSpec, scorers: Mapping[str, Scorer]) -> None:
    check_bounds(spec.config, {name: scorer.declared for name, scorer in scorers.items()})
    check_recorded(spec, {name: scorer.declared.needs for name, scorer in scorers.items()})
    check_prepared_subgroups(spec)


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    from promptrial.phases.judge_scores import judge_scores  # plan can do without all of this
    from promptrial.phases.score_parts import obstacle_to_sharing, score_in_workers
    from promptrial.phases.scored import scores_on_disk
    from promptrial.phases.shards import RunScorers
    from promptrial.phases.sharing import say_unused, why_one, workers_for
    from promptrial.scoring.base import forget_passages

    results = spec.run.trial(trial.slug).results
    own = make_scorers(spec, services.stop.check)
    _check(spec, own)
    judged, lookups = judge_scores(spec, services, trial)
    scorers = RunScorers.of(spec, own, lookups)
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
            for scores in scores_on_disk(spec, trial, scorers, services.stop.check):
                table.append_table(scores.table)
                _add(counts, scores.part.condition, scores.answers, scores.not_found)
                task.advance(scores.part.rows)
        else:
            workers = workers_for(spec, rows)
            for shard in score_in_workers(spec, services, trial, parts, scorers.read, workers):
                for made in shard.rows:
                    table.append_made(made)
                for arm, answers, not_found in shard.counts:
                    _add(counts, arm, answers, not_found)
                task.advance(shard.requests)
    if trial == spec.trials[-1]:
        forget_passages()  # no other trial has questions about them
    from promptrial.scoring.python_function import unsaid_truth  # plan can do without it

    for warning in (*_nothing_found(counts), *unsaid_truth(scorers.all)):
        services.events.warn(f"{trial.slug}: {warning}")
    return Produced(table.records() | _record(spec, results / RECORD, scorers.all, counts) | judged)


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


def _subgroups(spec: RunSpec) -> dict[str, str]:
    """Return what a receipt says about subgroups: nothing without any."""
    names = list(spec.config.subgroups)
    return {"subgroups": json.dumps(names, ensure_ascii=False)} if names else {}


def _counted(spec: RunSpec) -> dict[str, str]:
    """Return the version of how scores of judges are counted; earlier ones counted answers, and say nothing."""
    judges = any(entry.kind in registry.JUDGES for entry in spec.config.scorers_in_use.values())
    return {"counted by judges": "scores"} if judges else {}


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
        **_counted(spec),
    },
    run_trial=_run,
)
