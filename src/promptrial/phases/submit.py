"""Submit: give every part that has no job to its provider. It does not wait for answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from promptrial.errors import TransientError
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec, Trial
from promptrial.model.units import RUN
from promptrial.phases.base import Phase, Produced
from promptrial.phases.buying_again import require_leave_to_buy_again
from promptrial.phases.engines import engine_for
from promptrial.phases.recovery import asked_parts, recover_parts
from promptrial.phases.services import Services
from promptrial.phases.settings import asked_with
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import open_work, planned_work
from promptrial.store import breadcrumbs
from promptrial.store.records import TrialManifest

if TYPE_CHECKING:
    from promptrial.jobs.recording import Recorder

__all__ = ["PHASE"]


def _run(spec: RunSpec, services: Services) -> Produced:
    """Record engine and job of each part. Side effects: manifests, the job journals and, for hosted providers, jobs."""
    from promptrial.jobs.recording import Recorder  # all of these a plan does without
    from promptrial.phases.confirmation import require_consent
    from promptrial.phases.queues import queue_of
    from promptrial.phases.reuse import take_over
    from promptrial.phases.spending import budget_of

    recorder = Recorder(services.clock, services.events, services.part_done)
    parts = asked_parts(spec, services, spec.active)
    _find_again(services, recorder, parts)
    _recover(spec, services, parts)
    active, everything = {trial.slug for trial in spec.active}, planned_work(spec, services, spec.trials)
    work = [each for each in open_work(spec, everything) if each.folder.slug in active]
    require_leave_to_buy_again(spec, everything)
    budget = budget_of(spec, services, everything)
    engines = {}
    for trial in spec.active:
        for model in trial.models:
            services.stop.check()
            engines[trial.slug, model] = engine_for(spec, services, trial, model, work)
    for model in dict.fromkeys(model for trial in spec.active for model in trial.models):
        services.stop.check()
        _check(services, model)
    _put_earlier_aside(services, recorder, work)
    _recover(spec, services, parts)
    for trial in spec.active:
        services.stop.check()
        _describe(services, trial, {model: engines[trial.slug, model] for model in trial.models})
    take_over(spec, services, work, engines)
    require_consent(spec, services, everything)
    with (
        queue_of(spec, services, work, budget) as queue,
        services.progress.task("submit", RUN, None) as task,
    ):
        queue.submit(task)
    return Produced({})


def _put_earlier_aside(services: Services, recorder: Recorder, parts: Iterable[PartWork]) -> None:
    """Let folder and record of each part that is paid for be those of its present requests, if it has had others.

    Only when no part of an arm is on record with an earlier prompt, its trial may have the present one on record: a
    resume could not tell otherwise, after a kill, which of the two was paid for.
    """
    from promptrial.jobs.answers import make_ready

    for part in parts:
        if part.paid and part.record.request_sha256 not in {None, part.request_sha256}:
            services.stop.check()
            make_ready(part, recorder)


def _describe(services: Services, trial: Trial, engines: Mapping[ModelSpec, dict[str, Any]]) -> None:
    """Record engines and prompts of a trial. Side effects: saves its manifest, before anything is asked for.

    The tokens of an arm that is not run, and would be by another model, are not counted: that model is not asked.
    """
    manifest = services.manifest(trial.slug)
    if trial.model in engines:
        manifest.engine = engines[trial.model]
    for arm in trial.arms:
        own = manifest.own(arm.name)
        if own is not None and arm.model in engines:
            own.engine = engines[arm.model]
        counts = own is None or arm.model in engines
        tokens = services.provider(arm.model.provider).count_tokens(arm.model, arm.prompt.text) if counts else None
        manifest.prompts[arm.name] = {
            "sha256": arm.prompt.sha256,
            "tokens": tokens,
            "asked_with": asked_with(trial, arm),
        }
    services.save_manifest(trial.slug)  # a resume must know which engine was asked


def _find_again(services: Services, recorder: Recorder, parts: Iterable[PartWork]) -> None:
    """Make the folder of each part without a record hold answers to its present requests, if it says what it holds."""
    from promptrial.jobs.answers import find_again

    for part in parts:
        if part.record.request_sha256 is None:
            services.stop.check()
            find_again(part, recorder)


def _recover(spec: RunSpec, services: Services, parts: Iterable[PartWork]) -> None:
    """Take up what is here of parts that nothing could be said about before their requests were built."""
    for slug, found in recover_parts(spec, parts).items():
        services.events.warn(f"{slug}: its requests are unchanged; the files of {found} parts found on disk are kept")


def _check(services: Services, model: ModelSpec) -> None:
    """Let the provider refuse what can be known to fail.

    A fault that passes says nothing of whether the run can work; the calls that follow are retried.
    """
    try:
        services.provider(model.provider).check(model)
    except TransientError as error:
        services.events.warn(f"model {model.alias} could not be checked before sending its requests: {error.message}")


def _lacking(_spec: RunSpec, manifest: TrialManifest, trial: Trial) -> str:
    """Return what is not recorded of a trial besides its jobs: the engine, and these prompts."""
    known = {name: prompt.get("sha256") for name, prompt in manifest.prompts.items() if "tokens" in prompt}
    asked = all(manifest.engine_of(name) for name in trial.conditions)
    same = all(known.get(name) == prompt.sha256 for name, prompt in trial.prompts.items())
    return "" if asked and same else "the engine and these prompts were not recorded"


PHASE = Phase(
    name="submit",
    reads=("build",),
    run_whole=_run,
    lacking=_lacking,
    files=(f"*{breadcrumbs.JOB_FILE}", f"*{breadcrumbs.OUTPUT_FILE}"),
)
