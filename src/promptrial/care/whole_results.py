"""Whether the results of a trial are on record, and still as their phases left them. Reads files, changes nothing."""

from __future__ import annotations

from typing import Final

from promptrial.care.opened import ReadRun
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.phases import costs, parse, prepare, report, score, stats
from promptrial.store.left_files import check_files
from promptrial.store.manifests import load_manifest
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.rundir import RunDir

__all__ = ["check_effects", "check_finished", "check_page", "check_scores", "is_finished"]

_READ: Final = (".json", ".parquet")
"""Of what a phase makes, these are read again; other formats are for people and other programs."""


def check_scores(found: ReadRun, trial: Trial) -> None:
    """Refuse to show the items of a trial unless they are scored, and items, answers and scores are as they were left.

    Raises
    ------
    UsageError
        If its answers are not scored yet.
    CorruptRecordError
        If a file is damaged or missing; names the command that fixes the run.
    """
    run = found.spec.run
    if not _is_made(found, trial, score.PHASE.stage):
        raise UsageError(f"run {run.run_id}: the answers of {trial.slug} are not scored yet", hint=wait_or_resume(run))
    prepared = load_manifest(run.root / prepare.PHASE.manifest)
    if prepared is not None:
        check_files(run, prepared.receipt.artifacts)
    _check(found, trial, parse.PHASE.stage, score.PHASE.stage)


def check_effects(found: ReadRun, trial: Trial) -> None:
    """Refuse to show what a trial shows unless it is analysed too, and its statistics are as they were left.

    Raises
    ------
    UsageError
        If it has no statistics yet.
    CorruptRecordError
        As ``check_scores``.
    """
    check_scores(found, trial)
    run = found.spec.run
    if not _is_made(found, trial, stats.PHASE.stage):
        raise UsageError(f"run {run.run_id}: {trial.slug} has no results yet", hint=wait_or_resume(run))
    _check(found, trial, stats.PHASE.stage)


def check_finished(found: ReadRun, trial: Trial) -> None:
    """Refuse to show a trial as finished unless its costs are there too, and all of it is as it was left.

    Raises
    ------
    UsageError
        If the run is not finished.
    CorruptRecordError
        As ``check_scores``.
    """
    run = found.spec.run
    for phase in (score.PHASE, stats.PHASE, costs.PHASE):
        if not _is_made(found, trial, phase.stage):
            raise UsageError(
                f"run {run.run_id} is not finished: {phase.name} is not done for {trial.slug}",
                hint=wait_or_resume(run),
            )
    check_effects(found, trial)
    _check(found, trial, costs.PHASE.stage)


def check_page(run: RunDir) -> None:
    """Refuse to show ``report.html`` of a run unless it is as *report* left it; without its record it is not known.

    Raises
    ------
    CorruptRecordError
        As ``check_scores``.
    """
    made = load_manifest(run.root / report.PHASE.manifest)
    name = run.relative(run.report_page)
    if made is not None and name in made.receipt.artifacts:
        check_files(run, {name: made.receipt.artifacts[name]})


def is_finished(found: ReadRun, trial: Trial) -> bool:
    """Whether the costs of a trial, which are made last, are on record."""
    return _is_made(found, trial, costs.PHASE.stage)


def _is_made(found: ReadRun, trial: Trial, stage: str) -> bool:
    manifest = found.services.manifests.get(trial.slug)
    record = None if manifest is None else manifest.stage_status.get(stage)
    return record is not None and record.status == "completed"


def _check(found: ReadRun, trial: Trial, *stages: str) -> None:
    known = found.services.manifest(trial.slug).stage_status
    for stage in stages:
        made = known[stage].artifacts if stage in known else {}
        check_files(found.spec.run, {path: file for path, file in made.items() if path.endswith(_READ)})
