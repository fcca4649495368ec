"""Poll: bring the results of every job home, part by part, each row durable as it arrives."""

from __future__ import annotations

from promptrial.jobs.queue import QueueManager
from promptrial.model.units import RUN
from promptrial.phases.base import Phase, Produced
from promptrial.phases.engines import engine_for
from promptrial.phases.services import Services
from promptrial.phases.settings import queue_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import worklist

__all__ = ["PHASE"]


def _run(spec: RunSpec, services: Services) -> Produced:
    active, everything = {trial.slug for trial in spec.active}, worklist(spec, services, spec.trials)
    work = [each for each in everything if each.folder.slug in active]
    queue = QueueManager(
        work,
        services.clock,
        services.events,
        services.stop,
        services.part_done,
        queue_settings(spec),
        [each for each in everything if each.folder.slug not in active],
    )
    for trial in spec.active:
        for model in trial.models:
            engine_for(spec, services, trial, model, work)
    with services.progress.task("poll", RUN, sum(item.part.rows for item in work), queue.finished()) as task:
        queue.collect(task)
    return Produced({})


PHASE = Phase(name="poll", reads=("build", "submit"), run_whole=_run, files=("*/results/*/*",))
