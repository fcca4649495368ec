"""Submit: give every part that has no job to its provider. It does not wait for answers."""

from __future__ import annotations

from promptrial.errors import TransientError
from promptrial.phases.base import Context, Phase, Produced
from promptrial.phases.settings import queue_settings
from promptrial.phases.work import worklist
from promptrial.queue import QueueManager

__all__ = ["PHASE"]


def _run(context: Context) -> Produced:
    """Record engine and job of each part. Side effects: the job journals and, for hosted providers, jobs."""
    for trial in context.active:
        context.stop.check()
        provider = context.provider(trial.model.provider)
        try:
            provider.check(trial.model)
        except (
            TransientError
        ) as error:  # it says nothing of whether the run can work; the calls that follow are retried
            context.events.warn(f"{trial.slug} could not be checked before its requests are sent: {error.message}")
        context.manifest(trial.slug).engine = dict(provider.fingerprint(trial.model))
        prompts = context.manifest(trial.slug).prompts
        for condition, prompt in trial.prompts.items():
            prompts[condition] = {
                "sha256": prompt.sha256,
                "tokens": provider.count_tokens(trial.model, prompt.text),
            }
    work = worklist(context, context.active)
    queue = QueueManager(work, context.clock, context.events, context.stop, context.checkpoint, queue_settings(context))
    with context.progress.task("submit", None) as task:
        queue.submit(task)
    return Produced({})


PHASE = Phase(name="submit", reads=("build",), run_whole=_run, content_addressed=True)
