"""Poll: bring the answers home: of jobs a whole download at a time, of others row by row; look at a running trial."""

from __future__ import annotations

from promptrial.model import Trial
from promptrial.model.units import RUN
from promptrial.phases.base import Phase, Produced
from promptrial.phases.engines import engine_for
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.waves import open_waves, over
from promptrial.phases.work import open_work, planned_work
from promptrial.store.records import TrialManifest

__all__ = ["PHASE"]


def _run(spec: RunSpec, services: Services) -> Produced:
    from promptrial.phases.confirmation import require_consent
    from promptrial.phases.queues import queue_of  # which a plan does without
    from promptrial.phases.spending import budget_of

    active, everything = {trial.slug for trial in spec.active}, planned_work(spec, services, spec.trials)
    require_consent(spec, services, everything)  # for what is to be bought again: all else was agreed to by *submit*
    parts = [each for each in open_work(spec, everything) if each.folder.slug in active]
    others = [each for each in everything if each.folder.slug not in active]
    rows = sum(part.part.rows for part in parts)
    with queue_of(spec, services, parts, budget_of(spec, services, everything), others) as queue:
        for trial in spec.active:
            for model in trial.models:
                engine_for(spec, services, trial, model, parts)
        with services.progress.task("poll", RUN, rows, queue.finished()) as task:
            queue.collect(task)
    for trial in spec.active:
        if not over(spec, trial.slug):
            from promptrial.phases.looking import take_look  # which loads the statistics

            take_look(spec, services, trial)
    return Produced({})


def _lacking(spec: RunSpec, _manifest: TrialManifest, trial: Trial) -> str:
    """Return that a look has to be taken, though the answers of all waves that may be asked are there."""
    if over(spec, trial.slug):
        return ""
    return f"the look after wave {open_waves(spec, trial.slug)} is not taken"


PHASE = Phase(
    name="poll",
    reads=("build", "submit"),
    run_whole=_run,
    lacking=_lacking,
    files=("*/results/*/*",),
)
