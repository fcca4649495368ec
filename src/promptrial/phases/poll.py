"""Poll: bring the results of every job home, part by part, each row durable as it arrives."""

from __future__ import annotations

from promptrial import registry
from promptrial.errors import PhaseFailedError
from promptrial.phases.base import Context, Phase, Produced
from promptrial.phases.settings import queue_settings
from promptrial.phases.work import worklist
from promptrial.queue import PartWork, QueueManager

__all__ = ["PHASE"]


def _run(context: Context) -> Produced:
    work = worklist(context, context.active)
    queue = QueueManager(work, context.clock, context.events, context.stop, context.checkpoint, queue_settings(context))
    _check_engines(context, work)
    with context.progress.task("poll", sum(item.part.rows for item in work), queue.finished()) as task:
        queue.collect(task)
    return Produced({})


def _check_engines(context: Context, work: list[PartWork]) -> None:
    """Refuse to mix the answers of two engines in one trial.

    Raises
    ------
    PhaseFailedError
        If an engine that parts still wait for is not the one that the trial was submitted to.
    """
    for slug in dict.fromkeys(item.folder.slug for item in work if not item.downloaded and not item.twin_is_home):
        recorded, model = context.manifest(slug).engine, context.trial(slug).model
        now = context.provider(model.provider).fingerprint(model)
        changed = sorted(key for key in {*recorded, *now} if recorded.get(key) != now.get(key))
        if changed:
            raise PhaseFailedError(
                f"{slug}: the engine is not the one that this trial was begun with: "
                + "; ".join(f"{key}: {recorded.get(key)} -> {now.get(key)}" for key in changed),
                hint="bring back the engine that it was begun with, or start a new run",
            )


PHASE = Phase(
    name="poll", reads=("build", "submit"), run_whole=_run, stage=registry.STAGES["poll"], content_addressed=True
)
