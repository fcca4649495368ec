"""The A/A check of a finished run: the control of each trial against itself, and what gates say about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from promptrial.care.opened import ReadRun
from promptrial.care.unfinished import unfinished_warnings
from promptrial.care.whole_results import check_scores
from promptrial.comparison.false_alarms import gate_alarms
from promptrial.comparison.gates import Gate, resolved
from promptrial.documents.aa import AACheck, AATrial
from promptrial.documents.significance import StatsSettings
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.model.arms import compared_arms
from promptrial.phases.replicates import replicates_asked
from promptrial.phases.scorers import declared, made_by
from promptrial.phases.self_check import SelfAsked, result_of, second_ask
from promptrial.phases.settings import stats_settings
from promptrial.phases.stats import planned_items, read_scores
from promptrial.phases.waves import is_kept

__all__ = ["aa_check"]


def aa_check(
    found: ReadRun, trials: Sequence[Trial], gates: Sequence[Gate], n_splits: int, alpha: float | None = None
) -> AACheck:
    """Split the control's answers of each trial into two sides, many times.

    Parameters
    ----------
    found : ReadRun
    trials : sequence of Trial
    gates : sequence of Gate
    n_splits : int
    alpha : float, optional
        The level of tests and gates; that of the run if not given.

    Raises
    ------
    UsageError
        If answers are not scored yet, no trial has two answers to split, or a gate names what there is not.
    CorruptRecordError
        If answers or scores are not as they were left.

    Side effects: runs the files of scorers that the configuration names.
    """
    rows = [_warned(found, trial, _trial(found, trial, gates, n_splits, alpha)) for trial in trials]
    if all(row.result is None for row in rows):
        raise UsageError(f"run {found.spec.run.run_id} cannot be checked: {rows[0].reason}", hint="see docs/aa.md")
    return AACheck(schema_version=1, run_id=found.spec.run.run_id, dry_run=found.spec.dry_run, trials=tuple(rows))


def _trial(found: ReadRun, trial: Trial, gates: Sequence[Gate], n_splits: int, alpha: float | None) -> AATrial:
    check_scores(found, trial)
    scorers = declared(found.spec.run.trial(trial.slug).results)
    settings = stats_settings(found.spec.config, scorers)
    settings = settings if alpha is None else replace(settings, alpha=alpha)
    types = {name: str(each["type"]) for name, each in made_by(found.spec.run.trial(trial.slug).results).items()}
    meant = [resolved(gate, {name: each.range for name, each in scorers.items()}, types) for gate in gates]
    asked = _asked(found, trial, settings, dict.fromkeys([*settings.primary, *(gate.metric for gate in meant)]))
    if asked is None:
        return AATrial(trial=trial.slug, result=None, gates=(), reason=_why_not(trial))
    decided = tuple(
        gate_alarms(gate, each, asked.table, settings, settings.alpha, n_splits)
        for gate in meant
        for (metric, _), each in asked.asked.items()
        if metric == gate.metric
    )
    return AATrial(trial=trial.slug, result=result_of(asked, settings, n_splits), gates=decided)


def _warned(found: ReadRun, trial: Trial, row: AATrial) -> AATrial:
    warnings = tuple(each.document() for each in unfinished_warnings(found, trial, "scores"))
    return msgspec.structs.replace(row, warnings=warnings)


def _why_not(trial: Trial) -> str:
    arm = compared_arms(trial.arms_run)[0]
    if arm not in trial.arms_run:
        return f"its arm {arm} was not asked"
    return (
        f"{arm} has one answer to each item, so there is nothing to split; ask it twice with `promptrial run "
        "--aa`, or for several answers with samples_per_item"
    )


def _asked(found: ReadRun, trial: Trial, settings: StatsSettings, metrics: Iterable[str]) -> SelfAsked | None:
    """Return the two asks where an arm asks what control asks, else the replicates of the control; None without any."""
    spec = found.spec
    if not trial.second_asks:
        return replicates_asked(spec, trial, settings, metrics)
    path = spec.run.trial(trial.slug).results / "per_item_scores.parquet"
    planned = planned_items(spec.run, is_kept(spec.run, trial.slug))
    table = read_scores(path, planned, trial.samples_per_item, trial.arms_run)
    return second_ask(table, trial.second_asks[0], settings, metrics)
