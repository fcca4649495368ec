"""One invocation from the outside: open the run, take the lock, follow the plan, say how it ended.

The command line calls these functions and prints what they return; nothing here parses flags or formats results.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from promptrial.config.loading import environment, filled_in
from promptrial.config.secrets import secret_values
from promptrial.design.plan import Action, Selection
from promptrial.design.trials import models_asked
from promptrial.engine.checking import Checked, check_run
from promptrial.engine.facts import facts_of, phases, receipt_of
from promptrial.engine.growing import Outlook, outlook
from promptrial.engine.loop import Engine
from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import Opened, RunRequest, asked_by, open_run
from promptrial.engine.providers import Providers
from promptrial.engine.question_files import check_subgroup_columns
from promptrial.engine.serving import require_reachable, require_understood, served
from promptrial.engine.starting import look_at_questions, resume
from promptrial.errors import Detached, StopRequested, UsageError
from promptrial.jobs.recording import awaited_by
from promptrial.model import Trial
from promptrial.model.units import RUN, Unit
from promptrial.phases import prepare, submit
from promptrial.phases.base import Phase
from promptrial.phases.copied import copied
from promptrial.phases.cutting import limit_notes
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec, SampleHistory, TrustedCode
from promptrial.reporting.facts import TrialResult
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog, Level, Redactor
from promptrial.runtime.progress import NoProgress, Progress
from promptrial.runtime.stop import StopToken, beside_the_work, stop_on_signals
from promptrial.store import atomic, records
from promptrial.store.atomic import Appender
from promptrial.store.jsonl import repair_tail
from promptrial.store.lock import BEAT_EVERY_S, RunLock
from promptrial.store.records import Correction, listed

__all__ = ["Finished", "Invocation", "Planned", "follow", "preview", "providers_of", "services_of", "spec_of"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What comes from the process: environment, clock, where sentences go, how progress looks."""

    env: Mapping[str, str]
    clock: Clock
    say: Callable[[str], None]
    level: Level = "info"
    progress: Progress = NoProgress()  # noqa: RUF009 - it holds no state
    stop_when: Callable[[], bool] | None = None
    """Asked wherever the run looks whether to stop."""
    resume_command: str = ""
    """The command that resumes the run, if it is stopped."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run as it was found, and what each phase would do."""

    opened: Opened
    actions: tuple[Action, ...]
    growth: Outlook | None = None
    """What the sample will gain by a growth whose requests are not written yet."""
    copied: str = ""
    """A warning if the configuration still has the name or the question of the sample."""
    checked: Checked | None = None
    """What a run would be refused for; None where its questions are drawn already."""
    awaited: tuple[str, ...] = ()
    """What each job that waits for a person waits for."""
    limits: tuple[str, ...] = ()
    """What there is to say of the largest job that a provider takes."""
    served: tuple[str, ...] = ()
    """Where each model is asked that is not computed in this process."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that was followed to its end: what its reports say, trial by trial, as far as they are written."""

    opened: Opened
    results: tuple[TrialResult, ...]


def preview(
    request: RunRequest, selection: Selection, invocation: Invocation, trial_filter: str | None = None
) -> Planned:
    """Return what a run would do; changes nothing on disk, and works before the run exists."""
    env = environment(invocation.env, Path.cwd())
    opened = open_run(request, env)
    selection = _narrowed(selection, opened, trial_filter)
    spec, services = spec_of(request, opened), services_of(opened, env, invocation, providers_of(opened, env))
    load_manifests(spec, services, read_only=True)
    state = opened.state or records.new_state(opened.run.run_id, opened.config_hash)
    actions = Engine(_as_corrected(spec, services, opened), services, state).plan(selection)
    begins = any(action.phase == prepare.PHASE.name and not action.done for action in actions)
    checked = (
        check_run(opened.loaded, opened.trials, env, opened.resolution, dry_run=opened.dry_run) if begins else None
    )
    awaited = awaited_by(services.manifests.values())
    where = served(opened.loaded, models_asked(opened.trials), env, dry_run=opened.dry_run)
    return Planned(
        opened, actions, outlook(spec, opened.state), copied(spec), checked, awaited, tuple(limit_notes(spec)), where
    )


def _as_corrected(spec: RunSpec, services: Services, opened: Opened) -> RunSpec:
    """Return the run as its question files would correct it."""
    found = look_at_questions(spec, services, begins=opened.state is not None and not opened.grows)
    if not found.sources:
        return spec
    return _with_corrections(spec, (*spec.corrections, Correction(at="", sources=dict(found.sources))))


def _with_corrections(spec: RunSpec, corrections: tuple[Correction, ...]) -> RunSpec:
    return replace(spec, history=spec.history._replace(corrections=corrections))


def follow(
    request: RunRequest, selection: Selection, invocation: Invocation, trial_filter: str | None = None
) -> Finished:
    """Run the selected phases to their end, and return what there is to say.

    Raises
    ------
    StopRequested
        If the run was asked to stop; it can be resumed.
    PromptrialError
        For everything that goes wrong; ``exit_code`` says how the program ends.
    """
    try:
        return _followed(request, selection, invocation, trial_filter)
    except StopRequested as stop:  # also one that came while another, softer one was being dealt with
        stop.resume_command = invocation.resume_command
        raise


def _followed(request: RunRequest, selection: Selection, invocation: Invocation, trial_filter: str | None) -> Finished:
    # Phases make millions of small values and no cycles; the default threshold spends an eighth of the time looking.
    gc.set_threshold(500_000, 20, 50)
    env = environment(invocation.env, Path.cwd())
    opened = open_run(request, env)
    selection = _narrowed(selection, opened, trial_filter)
    require_understood(opened.loaded.experiment, opened.trials)
    if opened.state is None and not opened.lost:  # a new run that would be refused leaves nothing behind
        check_subgroup_columns(opened.loaded)
        if submit.PHASE.name in selection.phases and not opened.dry_run:
            wanted = [each for each in opened.trials if selection.wants(Unit(each.slug))]
            require_reachable(opened.loaded.experiment, wanted, env)
    stale = _StaleSentinel(opened.run.sentinel_path)
    with RunLock(
        opened.run.lock_path,
        since=invocation.clock.now(),
        clock=invocation.clock,
        on_acquired=stale.remove,
        stop_command=opened.run.command("stop"),
    ) as lock:
        opened.run.check_links()
        opened = open_run(request, env)  # again: another process may have worked on it until the lock was ours
        providers = providers_of(opened, env, dry_run=opened.dry_run)
        spec, services = spec_of(request, opened), services_of(opened, env, invocation, providers)
        providers.stop_asked = services.stop.is_set
        repair_tail(opened.run.log_path)
        with (
            Appender(opened.run.log_path, durable=False) as log,
            stop_on_signals(services.stop, invocation.say, invocation.resume_command),
            beside_the_work(services.stop, lock.beat, BEAT_EVERY_S),
        ):
            services.events.sink = log.append
            stale.say(services.events)
            services.events.event("begin", run_id=opened.run.run_id, config_hash=opened.config_hash)
            try:
                spec = _worked(opened, spec, services, request, selection)
            except BaseException as error:  # the process edge: recorded and raised on
                with suppress(OSError):  # a full disk may be what went wrong
                    services.events.event("end", "error", error=f"{type(error).__name__}: {error}")
                if not isinstance(error, Detached):  # then nothing is waited for: the process ends as it is
                    providers.close()
                raise
            providers.close()
            results = tuple(_results(spec, services))
            services.events.event("end")
        return Finished(opened, results)


def _worked(opened: Opened, spec: RunSpec, services: Services, request: RunRequest, selection: Selection) -> RunSpec:
    """Resume or start the run and work through the selected phases; return what the run is then."""
    state = resume(opened, spec, services, begins=request.begins)
    spec = _with_corrections(spec, tuple(listed(state.corrections)))
    if warning := copied(spec):
        services.events.warn(warning)
    Engine(spec, services, state).run(selection)
    return spec


@dataclass(slots=True)
class _StaleSentinel:
    """A request to stop that was left from before this process held the run; it must never stop a later one."""

    path: Path
    removed: bool = False

    def remove(self) -> None:
        if self.path.exists():
            atomic.remove(self.path)
            self.removed = True

    def say(self, events: EventLog) -> None:
        if self.removed:
            events.say(f"a {self.path.name} left from before was removed")


def _results(spec: RunSpec, services: Services) -> Iterator[TrialResult]:
    """Yield what the reports say of the trials that have one; of one that does not hold, say so instead."""
    for phase in phases():
        if phase.result is not None:
            yield from _results_of(spec, services, phase, phase.result)


def _results_of(
    spec: RunSpec, services: Services, phase: Phase, result: Callable[[RunSpec, Services, Trial], TrialResult]
) -> Iterator[TrialResult]:
    made = [each for each in phases() if each.name in {*phase.reads, phase.name}]
    facts = [fact for each in made for fact in facts_of(spec, services, each)]
    facts = [fact for fact in facts if fact.phase != phase.name or fact.unit != RUN]
    for trial in spec.trials:
        unit = Unit(trial.slug)
        if receipt_of(spec, services, phase, unit) is None:
            continue
        lacking = next((fact for fact in facts if fact.unit.overlaps(unit) and not fact.done), None)
        if lacking is None:
            yield result(spec, services, trial)
        else:
            why = f"{lacking.phase}: {lacking.missing}"
            services.events.warn(f"{trial.slug}: no summary, for its report does not hold ({why}); a resume fixes that")


def spec_of(request: RunRequest, opened: Opened) -> RunSpec:
    """Return what the phases of an opened run work on."""
    return RunSpec(
        run=opened.run,
        config=opened.loaded.experiment,
        config_folder=opened.loaded.folder,
        config_hash=opened.config_hash,
        trials=opened.trials,
        written=opened.loaded.placeholders,
        dry_run=opened.dry_run,
        rebuy=request.rebuy,
        asked_by=asked_by(opened),
        code=TrustedCode(opened.trusted_code, opened.config_file),
        history=SampleHistory(opened.growth, () if opened.origin is None else tuple(listed(opened.origin.corrections))),
    )


def providers_of(opened: Opened, env: Mapping[str, str], *, dry_run: bool = False) -> Providers:
    """Return the adapters of an opened run; with ``dry_run``, an emulator in its folder answers for hosted ones."""
    root = opened.run.root
    loaded = opened.loaded
    return Providers(env, loaded.experiment.providers, root if dry_run else None, root, loaded.folder)


def services_of(opened: Opened, env: Mapping[str, str], invocation: Invocation, providers: Providers) -> Services:
    """Return what the phases of an opened run work with; no manifest is loaded yet."""
    loaded = opened.loaded
    secrets = secret_values(loaded.experiment.providers, loaded.placeholders, env)
    redactor = Redactor(env, filled_in(loaded.placeholders, env), secrets)
    return Services(
        clock=invocation.clock,
        stop=StopToken(opened.run.sentinel_path, invocation.clock, invocation.stop_when),
        events=EventLog(invocation.clock.now, redactor, invocation.say, invocation.level),
        provider=providers,
        env=env,
        progress=invocation.progress,
    )


def _narrowed(selection: Selection, opened: Opened, pattern: str | None) -> Selection:
    """Narrow a selection to the trials whose slugs contain the text of ``--trial_filter``."""
    if pattern is None:
        return selection
    found = frozenset(trial.slug for trial in opened.trials if pattern in trial.slug)
    if not found:
        names = ", ".join(trial.slug for trial in opened.trials)
        raise UsageError(f"--trial_filter {pattern!r} matches no trial; trials: {names}")
    return replace(selection, trials=found)
