"""What a run can show, before it has asked or with what it has scored so far: its primary endpoints and margins.

No code of the user's runs: of a scorer in a file, what the configuration or the file's text does not say is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PYTHON, ScorerConfig
from promptrial.datasets.clusters import cluster_parts
from promptrial.design.power import Assumed, PlannedEndpoint, PlannedScores, PowerRow, margin_problem, power_rows
from promptrial.documents.scorers import Declaration
from promptrial.model import Item, Trial, ids
from promptrial.model.arms import Contrast, contrasts_of
from promptrial.phases.scorers import known_declaration, known_needs, package_scorer
from promptrial.phases.services import Services
from promptrial.phases.settings import was_sent
from promptrial.phases.spec import RunSpec
from promptrial.scoring.contract import item_tests
from promptrial.store.tables import read_batches

if TYPE_CHECKING:
    from promptrial.design.spread import Estimated

__all__ = ["PlannedPower", "planned_power", "planned_scores"]

_COLUMNS: Final = ("item_key", "condition", "temp", "n_samples")


@dataclass(frozen=True, slots=True)
class PlannedPower:
    """What the primary endpoints of all trials can show, and which margins none of them ever will.

    ``absent`` names the data sets whose items are not known; without them there are no rows.
    """

    rows: tuple[PowerRow, ...] = ()
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def planned_power(
    spec: RunSpec,
    services: Services,
    items: Sequence[Item],
    absent: Sequence[str] = (),
    assumed: Assumed | None = None,
) -> PlannedPower:
    """Return what the trials that a run was asked to work on can show with the items that are planned.

    Parameters
    ----------
    spec : RunSpec
    services : Services
        With the manifests of the trials.
    items : sequence of Item
        All that are planned, whether they are asked already or not.
    absent : sequence of str
        Data sets whose items are not among them because they are not here.
    assumed : Assumed, optional
        What is assumed of scores where there are none yet.

    Raises
    ------
    CorruptRecordError
        If a table of scores is damaged.
    """
    if absent:
        return PlannedPower(absent=tuple(absent))
    config = spec.config
    margins = config.stats.tost_margins
    scores = planned_scores(config, items, dict.fromkeys([*config.stats.primary, *margins]))
    rows: list[PowerRow] = []
    notes: dict[str, None] = {}
    for trial in spec.active or spec.trials:
        primary = planned_endpoints(trial, [scores[name] for name in config.stats.primary])
        found = _with_estimates(spec, services, trial, primary, items)
        rows += power_rows(found, config.stats.alpha, assumed or Assumed())
        notes |= dict.fromkeys(_margin_notes(config, trial, scores))
    return PlannedPower(tuple(rows), tuple(notes))


def planned_endpoints(trial: Trial, scores: Sequence[PlannedScores]) -> list[PlannedEndpoint]:
    """Return each measure at each temperature in each contrast of a trial."""
    return [
        PlannedEndpoint(
            trial=trial.slug,
            contrast=str(contrast),
            scores=each,
            temp=temp,
            replicates=trial.samples_per_item[repr(temp)],
        )
        for contrast in contrasts_of(trial.arms_run)
        for each in scores
        for temp in sorted(trial.temps)
    ]


def planned_scores(
    config: ExperimentConfig,
    items: Sequence[Item],
    metrics: Mapping[str, object] | Sequence[str],
    chosen: Callable[[Item], bool] | None = None,
) -> dict[str, PlannedScores]:
    """Return, by measure, the planned scores of the items it applies to; of the ``chosen`` ones alone, if given."""
    clusters = [(item, cluster_parts(item)) for item in items if chosen is None or chosen(item)]
    return {name: _planned(name, config.scorers_in_use[name], config, clusters) for name in metrics}


def _planned(
    name: str, entry: ScorerConfig, config: ExperimentConfig, clusters: Sequence[tuple[Item, Hashable]]
) -> PlannedScores:
    declared, applies = _known(name, entry, config)
    sizes: dict[Hashable, int] = {}
    for item, cluster in clusters:
        if applies(item):
            sizes[cluster] = sizes.get(cluster, 0) + 1
    if declared is None:
        return PlannedScores(metric=name, scale=None, sizes=tuple(sizes.values()))
    return PlannedScores(metric=name, scale=declared.scale, sizes=tuple(sizes.values()), score_range=declared.range)


def _known(
    name: str, entry: ScorerConfig, config: ExperimentConfig
) -> tuple[Declaration | None, Callable[[Item], bool]]:
    """Return what is known of a scorer's scores, and what tells the items that it applies to."""
    if entry.type != PYTHON:
        scorer = package_scorer(config, entry)
        return scorer.declared, scorer.applies
    return known_declaration(config, name), partial(_passes, item_tests(known_needs(config).get(name, ())))


def _passes(tests: Sequence[Callable[[Item], bool]], item: Item) -> bool:
    return all(test(item) for test in tests)


# --- what the scores that there are tell ------------------------------------------------------------------------------

_Scores = dict[tuple[str, str], dict[str, dict[str, float]]]
"""By arm and temperature, by measure, the score of each item that has an answer."""


def _with_estimates(
    spec: RunSpec, services: Services, trial: Trial, endpoints: Sequence[PlannedEndpoint], items: Sequence[Item]
) -> list[PlannedEndpoint]:
    scores = _scores(spec, services, trial, {endpoint.scores.metric for endpoint in endpoints})
    if not scores:
        return list(endpoints)
    clusters = {ids.item_key(item.dataset, item.id): cluster_parts(item) for item in items}
    contrasts = {str(contrast): contrast for contrast in contrasts_of(trial.arms_run)}
    return [
        replace(endpoint, estimated=_estimated(endpoint, contrasts[endpoint.contrast], scores, clusters))
        for endpoint in endpoints
    ]


def _scores(spec: RunSpec, services: Services, trial: Trial, metrics: AbstractSet[str]) -> _Scores:
    """Read the scores of answers to the prompts of now; none where *score* has not run, or not with these scorers.

    A table that is not as *score* has recorded it is damaged, and made again before anybody reads it.
    """
    path = spec.run.trial(trial.slug).results / "per_item_scores.parquet"
    if not _is_whole(spec, services, trial, path):
        return {}
    sent = services.manifest(trial.slug).prompts
    arms = {arm.name for arm in trial.arms if was_sent(sent.get(arm.name, {}), trial, arm)}
    found: _Scores = {}
    for batch in read_batches(path, (*_COLUMNS, *metrics)) if arms else ():
        keys, of_arms, temps, answers = (batch.column(name).to_pylist() for name in _COLUMNS)
        for metric in metrics & set(batch.schema.names):
            values = batch.column(metric).to_pylist()
            for key, arm, temp, n, value in zip(keys, of_arms, temps, answers, values, strict=True):
                if arm in arms and n and value is not None and not math.isnan(value):
                    found.setdefault((arm, temp), {}).setdefault(metric, {})[key] = value
    return found


def _is_whole(spec: RunSpec, services: Services, trial: Trial, path: Path) -> bool:
    manifest, relative = services.manifests.get(trial.slug), spec.run.relative(path)
    stage = None if manifest is None else manifest.stage_status.get("scored")
    file = None if stage is None else stage.artifacts.get(relative)
    return file is not None and not spec.run.file_problem(relative, file)


def _estimated(
    endpoint: PlannedEndpoint, contrast: Contrast, scores: _Scores, clusters: Mapping[str, Hashable]
) -> Estimated | None:
    from promptrial.design.spread import PairOfScores, estimated

    metric, temp = endpoint.scores.metric, repr(endpoint.temp)
    first, second = (scores.get((arm, temp), {}).get(metric, {}) for arm in contrast.sides)
    both = [key for key in first if key in second and key in clusters]
    scored = sum(key in clusters for key in {*first, *second})
    pairs = [PairOfScores(first[key], second[key], clusters[key]) for key in both]
    return estimated(pairs, scored, endpoint.scores.width)


# --- margins ----------------------------------------------------------------------------------------------------------


def _margin_notes(config: ExperimentConfig, trial: Trial, scores: Mapping[str, PlannedScores]) -> Iterator[str]:
    """Yield a sentence for each margin that can never be shown; the first of a family has to reach ``alpha / k``."""
    margins = config.stats.tost_margins
    endpoints = planned_endpoints(trial, [scores[name] for name in margins])
    for endpoint in endpoints:
        margin = margins[endpoint.scores.metric]
        problem = margin_problem(endpoint, margin, config.stats.alpha / len(endpoints))
        if problem is not None:
            yield (
                f"stats.tost_margins.{endpoint.scores.metric}: {endpoint.scores.items:,} items cannot show a margin of "
                f"{margin:g}, {problem}"
            )
