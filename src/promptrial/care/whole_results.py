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
        If a file is damaged or missing; names the command that repairs the run.
    """
    run = found.spec.run
    if not _is_made(found, trial, score.PHASE.stage):
        raise UsageError(f"run {run.run_id}: the answers of {trial.slug} are not scored yet", hint=wait_or_resume(run))
    _check_whole(run, prepare.PHASE.manifest)
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
    """Refuse to show ``report.html`` of a run unless it is as *report* left it.

    Raises
    ------
    CorruptRecordError
        As ``check_scores``.
    """
    _check_whole(run, report.PHASE.manifest)


def is_finished(found: ReadRun, trial: Trial) -> bool:
    """Whether the costs of a trial, which are made last, are on record."""
    return _is_made(found, trial, costs.PHASE.stage)


def _is_made(found: ReadRun, trial: Trial, stage: str) -> bool:
    manifest = found.services.manifests.get(trial.slug)
    record = None if manifest is None else manifest.stage_status.get(stage)
    return record is not None and record.status == "completed"


def _check_whole(run: RunDir, manifest: str) -> None:
    """Check what the receipt in a manifest of the whole run names; without one there is nothing to check by."""
    made = load_manifest(run.root / manifest)
    if made is not None:
        check_files(run, made.receipt.artifacts)


def _check(found: ReadRun, trial: Trial, *stages: str) -> None:
    known = found.services.manifest(trial.slug).stage_status
    for stage in stages:
        made = known[stage].artifacts if stage in known else {}
        check_files(found.spec.run, {path: file for path, file in made.items() if path.endswith(_READ)})
