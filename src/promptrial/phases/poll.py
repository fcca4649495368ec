"""Poll: see every job to its end and bring its results home, part by part, each row durable as it arrives."""

from __future__ import annotations

from promptrial.phases.base import Context, Phase, Produced
from promptrial.phases.work import worklist
from promptrial.queue import QueueManager

__all__ = ["PHASE"]


def _run(context: Context) -> Produced:
    work = worklist(context, context.active)
    total = sum(item.part.rows for item in work)
    done = sum(item.part.rows for item in work if item.downloaded)
    with context.progress.task("poll", total, done) as task:
        QueueManager(work, context.clock, context.events, context.stop).collect(task)
    return Produced({})


PHASE = Phase(name="poll", reads=("build", "submit"), run_whole=_run, stage="downloaded", content_addressed=True)
