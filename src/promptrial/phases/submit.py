"""Submit: give every part that has no job to its provider. It does not wait for answers."""

from __future__ import annotations

from promptrial.errors import TransientError
from promptrial.jobs.queue import QueueManager
from promptrial.model import ModelSpec
from promptrial.phases.base import Phase, Produced
from promptrial.phases.consent import require_leave_to_buy_again
from promptrial.phases.engines import engine_for
from promptrial.phases.recovery import recover_parts
from promptrial.phases.services import Services
from promptrial.phases.settings import queue_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import worklist

__all__ = ["PHASE"]


def _run(spec: RunSpec, services: Services) -> Produced:
    """Record engine and job of each part. Side effects: manifests, the job journals and, for hosted providers, jobs."""
    if spec.asked_by == "this":  # then requests that had to be built anew are what they were
        _recover(spec, services)
    work = worklist(spec, services, spec.active)
    require_leave_to_buy_again(spec, worklist(spec, services, spec.trials))
    engines = {}
    for trial in spec.active:
        services.stop.check()
        engines[trial.slug] = engine_for(spec, services, trial, work)
    for model in dict.fromkeys(trial.model for trial in spec.active):
        services.stop.check()
        _check(services, model)
    for trial in spec.active:
        services.stop.check()
        manifest, provider = services.manifest(trial.slug), services.provider(trial.model.provider)
        manifest.engine = engines[trial.slug]
        for condition, prompt in trial.prompts.items():
            manifest.prompts[condition] = {
                "sha256": prompt.sha256,
                "tokens": provider.count_tokens(trial.model, prompt.text),
            }
        services.save_manifest(trial.slug)  # before anything is asked for: whoever goes on must know of whom it was
    queue = QueueManager(
        work, services.clock, services.events, services.stop, services.checkpoint, queue_settings(spec)
    )
    with services.progress.task("submit", None) as task:
        queue.submit(task)
    return Produced({})


def _recover(spec: RunSpec, services: Services) -> None:
    """Take up what is here of parts that nothing could be said of before their requests were built."""
    for slug, found in recover_parts(spec, services, spec.active, same_requests=True).items():
        services.events.warn(
            f"{slug}: its requests are the same as before; the files of {found} parts found here are kept"
        )


def _check(services: Services, model: ModelSpec) -> None:
    """Let the provider refuse what can be known to fail.

    A fault that passes says nothing of whether the run can work; the calls that follow are retried.
    """
    try:
        services.provider(model.provider).check(model)
    except TransientError as error:
        services.events.warn(f"model {model.alias} could not be checked before its requests are sent: {error.message}")


PHASE = Phase(name="submit", reads=("build",), run_whole=_run, content_addressed=True)
