"""What time does to jobs: the next state, rows that are answered, output data sets that appear, jobs that are gone."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from promptrial_emulator.answering import report_failure
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.fireworks.model import Dataset, Fireworks, Job
from promptrial_emulator.fireworks.outputs import Order, Outcome, answer_rows
from promptrial_emulator.fireworks.schedule import TERMINAL, has_output, share_of_rows
from promptrial_emulator.stages import Stage, current

__all__ = ["settle_job"]

_RUNNING: Final = "JOB_STATE_RUNNING"
_FAILED: Final = "JOB_STATE_FAILED"


def settle_job(fireworks: Fireworks, job: Job, now: float) -> None:
    """Let a job become what it is at a time, and keep it so."""
    if job.deleted_at is not None:
        if now >= job.deleted_at + fireworks.core.settings.stage_s:
            fireworks.jobs.remove(job.id)
        return
    stage = current(job.schedule, now)
    before = job.state
    _move(fireworks, job, stage)
    if job.state != before:
        fireworks.jobs.put(job)


def _move(fireworks: Fireworks, job: Job, stage: Stage) -> None:
    ends = stage.state in TERMINAL
    wanted = has_output(job.schedule[-1].state, job.injected)
    if wanted and (ends or stage.state == _RUNNING):
        fireworks.core.answering.begin(job.serial, partial(answer_rows, _order(fireworks, job)))
    if not ends:
        job.state, job.updated = stage.state, stage.at
        return
    try:
        outcome = fireworks.core.answering.result(job.serial) if wanted else None
    except Exception as error:  # noqa: BLE001 - one job that cannot be answered must not fail the calls of all others
        report_failure(f"job {job.id}", error)
        job.problem = str(error)
        _end(job, Stage(stage.at, _FAILED))
        return
    if wanted and outcome is None:
        job.state = _RUNNING
        return
    if outcome is not None:
        _hand_over(fireworks, job, outcome, stage.at)
    _end(job, stage)


def _end(job: Job, stage: Stage) -> None:
    job.state = stage.state
    job.updated = job.ended_at = stage.at
    if stage.state == _FAILED:
        fault = job.injected.get("F10")
        job.message = job.problem or (fault.options["message"] if fault else "")


def _hand_over(fireworks: Fireworks, job: Job, outcome: Outcome, at: float) -> None:
    """Make the output data set; of files, not of bytes, as these already exist."""
    job.outcome = outcome
    fault = job.injected.get("F15", "example_count")
    fireworks.datasets.put(
        Dataset(
            id=job.output,
            serial=job.serial,
            created=at,
            visible_from=at,
            ready_at=at,
            example_count=outcome.succeeded + (fault.options["offset"] if fault else 0),
            spec={},
            files=outcome.files,
            source_job=job.id,
            continues=job.continues,
        )
    )


def _order(fireworks: Fireworks, job: Job) -> Order:
    spec: dict[str, Any] = job.spec
    faults: Injected = job.injected
    return Order(
        model=spec["model"],
        system_prompt=spec.get("systemPrompt", ""),
        parameters=spec.get("inferenceParameters", {}),
        inputs=[fireworks.core.path(path) for path in job.inputs],
        earlier=[fireworks.core.path(path) for path in job.earlier],
        share=share_of_rows(job.schedule, faults),
        seed=fireworks.core.settings.seed,
        faults=faults,
        folder=fireworks.core.files,
        prefix=f"job-{job.serial}",
    )
