"""Trials of a run whose control is the same requests, asked once: all their treatments together. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from promptrial.documents.significance import Significance
from promptrial.model import Trial
from promptrial.model.arms import ArmName, contrasts_of
from promptrial.phases.scorers import declared
from promptrial.phases.settings import stats_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.stats import planned_items, read_scores
from promptrial.reporting.facts import OneControl, TrialResult

if TYPE_CHECKING:
    from promptrial.stats.score_table import ScoreTable

__all__ = ["control_groups", "of_one_control", "trial_names"]


def of_one_control(spec: RunSpec, results: Sequence[TrialResult]) -> list[OneControl]:
    """Return what the trials that share a control show together, a group at a time.

    Only a control whose answers are the same is shared: the same requests of the same model, asked once
    (``execution.share_identical_arms``). Trials that are looked at while they run are not put together: they may stop
    at different sizes, and max-T assumes one that is fixed in advance.
    """
    if spec.config.stopping.on or not spec.config.execution.share_identical_arms:
        return []
    by_slug = {result.facts.trial.slug: result for result in results}
    return [_together(spec, [by_slug[trial.slug] for trial in group]) for group in control_groups(spec.trials)]


def control_groups(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Yield the trials with the same control, where there are several."""
    left = [trial for trial in trials if contrasts_of(trial.arms_run)]
    while left:
        group = [trial for trial in left if _asked(trial) == _asked(left[0])]
        left = [trial for trial in left if trial not in group]
        if len(group) > 1:
            yield group


def _asked(trial: Trial) -> tuple[object, ...]:
    """Return what the requests of a control depend on."""
    arm = trial.arm(_shared(trial))
    limits = (trial.top_p, trial.top_k, trial.max_new_tokens, trial.stop, trial.seed)
    return arm.model, arm.prompt.text, arm.templates, trial.temps, trial.samples_per_item, limits


def _shared(trial: Trial) -> ArmName:
    return contrasts_of(trial.arms_run)[0].sides[0]


def _together(spec: RunSpec, results: Sequence[TrialResult]) -> OneControl:
    from promptrial.stats.analysis import decided_pairing
    from promptrial.stats.one_control import with_one_control
    from promptrial.stats.several import several_arms

    names = trial_names([result.facts.trial for result in results])
    table = with_one_control({names[each.facts.trial.slug]: _scores(spec, each.facts.trial) for each in results})
    first = results[0].facts.trial
    settings = stats_settings(spec.config, declared(spec.run.trial(first.slug).results))
    found = several_arms(table, settings, decided_pairing(table, settings))
    assert found is not None  # noqa: S101 - there are at least two treatments
    adjusted = {
        (result.facts.trial.slug, contrast, metric, temp): p
        for result in results
        for contrast in result.significance.compared
        for (merged, metric, temp), p in found.adjusted.items()
        if merged.sides[1] == f"{names[result.facts.trial.slug]}: {contrast.sides[1]}"
    }
    shared = _shared(first)
    labels = {shared: results[0].facts.arm_labels[shared]} | {
        f"{names[result.facts.trial.slug]}: {arm}": f"{label} ({names[result.facts.trial.slug]})"
        for result in results
        for arm, label in result.facts.arm_labels.items()
        if arm != shared
    }
    document = Significance(
        schema_version=2,
        settings=settings,
        attrition={},
        endpoints=(),
        tests=(),
        families=(),
        estimates=(),
        selective=(),
        simultaneous=found.simultaneous,
        rankings=found.rankings,
    )
    return OneControl(tuple(result.facts.trial.slug for result in results), document, labels, adjusted)


def trial_names(trials: Sequence[Trial]) -> dict[str, str]:
    """Return what the trials of a group are called, by slug: after their prompt sets, unless several have the same."""
    sets = {trial.prompt_set for trial in trials}
    return {trial.slug: trial.prompt_set if len(sets) == len(trials) else trial.slug for trial in trials}


def _scores(spec: RunSpec, trial: Trial) -> ScoreTable:
    path = spec.run.trial(trial.slug).results / "per_item_scores.parquet"
    return read_scores(path, planned_items(spec.run), trial.samples_per_item, trial.arms_run)
