"""Poll: bring the results of every job home, part by part, each row durable as it arrives."""

from __future__ import annotations

from promptrial import registry
from promptrial.jobs.queue import QueueManager
from promptrial.phases.base import Context, Phase, Produced
from promptrial.phases.engines import engine_for
from promptrial.phases.settings import queue_settings
from promptrial.phases.work import worklist

__all__ = ["PHASE"]


def _run(context: Context) -> Produced:
    active, everything = {trial.slug for trial in context.active}, worklist(context, context.trials)
    work = [each for each in everything if each.folder.slug in active]
    queue = QueueManager(
        work,
        context.clock,
        context.events,
        context.stop,
        context.checkpoint,
        queue_settings(context),
        [each for each in everything if each.folder.slug not in active],
    )
    for trial in context.active:
        engine_for(context, trial, work)
    with context.progress.task("poll", sum(item.part.rows for item in work), queue.finished()) as task:
        queue.collect(task)
    return Produced({})


PHASE = Phase(
    name="poll", reads=("build", "submit"), run_whole=_run, stage=registry.STAGES["poll"], content_addressed=True
)
