"""One invocation that works: take the lock, follow the plan, say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from promptrial.config.loading import environment
from promptrial.design.plan import Selection
from promptrial.design.trials import models_asked
from promptrial.engine import piloting
from promptrial.engine.facts import facts_of, phases, receipt_of
from promptrial.engine.loop import Engine
from promptrial.engine.opening import Opened, RunRequest, open_run
from promptrial.engine.question_files import check_subgroup_columns
from promptrial.engine.reusing import require_lenders
from promptrial.engine.serving import require_executor, require_reachable, require_understood
from promptrial.engine.session import Invocation, narrowed, priced_spec, providers_of, services_of, with_corrections
from promptrial.engine.starting import resume
from promptrial.errors import Detached, StopRequested
from promptrial.model import Trial
from promptrial.model.units import RUN, Unit
from promptrial.phases import submit
from promptrial.phases.base import Phase
from promptrial.phases.copied import copied
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.spending import require_prices
from promptrial.reporting.facts import TrialResult
from promptrial.runtime import collector, memory
from promptrial.runtime.events import EventLog
from promptrial.runtime.stop import StopToken, beside_the_work, stop_on_signals
from promptrial.store import atomic
from promptrial.store.atomic import Appender
from promptrial.store.jsonl import repair_tail
from promptrial.store.lock import BEAT_EVERY_S, RunLock
from promptrial.store.part_records import listed

__all__ = ["Finished", "follow"]


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that was followed to its end: what its reports say, trial by trial, as far as they are written."""

    opened: Opened
    results: tuple[TrialResult, ...]
    pilot_ended: bool = False
    """Whether the pilot of the run is answered, and nothing else is asked for now."""


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
        stop.resume_command = invocation.resume_command + stop.flags
        raise


def _followed(request: RunRequest, selection: Selection, invocation: Invocation, trial_filter: str | None) -> Finished:
    collector.collect_rarely()
    memory.keep_little()
    env = environment(invocation.env, Path.cwd())
    opened = open_run(request, env)
    selection = piloting.selected(narrowed(selection, opened, trial_filter), opened.pilot)
    require_understood(opened.loaded.experiment, opened.trials)
    require_executor(opened.loaded.experiment.execution.executor)
    if not opened.exists:  # a new run that would be refused leaves nothing behind
        check_subgroup_columns(opened.loaded)
        require_prices(priced_spec(request, opened, env, invocation), models_asked(opened.trials))
        if submit.PHASE.name in selection.phases and not opened.dry_run:
            wanted = [each for each in opened.trials if selection.wants(Unit(each.slug))]
            require_reachable(opened.loaded.experiment, wanted, env)
    require_lenders(priced_spec(request, opened, env, invocation), request.reuse)
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
        spec = priced_spec(request, opened, env, invocation)
        stop = StopToken(opened.run.sentinel_path, invocation.clock, invocation.stop_when)
        services = replace(services_of(opened, env, invocation, providers), stop=stop)
        providers.stop_asked = services.stop.is_set
        repair_tail(opened.run.log_path)
        with (
            Appender(opened.run.log_path, durable=False) as log,
            stop_on_signals(services.stop, invocation.say, invocation.resume_command),
            beside_the_work(services.stop, lock.beat, BEAT_EVERY_S),
        ):
            services.events.sink = log.append
            stale.say(services.events)
            services.events.event("begin", run_id=opened.run.run_id, config_hash=opened.configured.digest)
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
            ended = opened.is_pilot and all(fact.done for fact in facts_of(spec, services, piloting.LAST))
            opened.run.keep_digests()
            services.events.event("end")
        return Finished(opened, results, ended)


def _worked(opened: Opened, spec: RunSpec, services: Services, request: RunRequest, selection: Selection) -> RunSpec:
    """Resume or start the run and work through the selected phases; return what the run is then."""
    state = resume(opened, spec, services, begins=request.begins)
    spec = with_corrections(spec, tuple(listed(state.corrections)))
    if warning := copied(spec):
        services.events.warn(warning)
    _decide_by_hand(spec, services, request, selection)
    Engine(spec, services, state).run(selection)
    return spec


def _decide_by_hand(spec: RunSpec, services: Services, request: RunRequest, selection: Selection) -> None:
    """Record that people end trials to see their results, or ask more of those that were over, if they say so."""
    if not (request.unblind or request.past_stop):
        return
    from promptrial.phases.looking import decide_by_hand

    trials = [trial for trial in spec.trials if selection.wants(Unit(trial.slug))]
    decide_by_hand(spec, services, trials, "unblind" if request.unblind else "ask_more")


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
            events.say(f"an old {self.path.name} file was removed")


def _results(spec: RunSpec, services: Services) -> Iterator[TrialResult]:
    """Yield what the reports say about the trials that have one; of one that does not hold, say so instead."""
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
            services.events.warn(
                f"{trial.slug}: no summary, because its report is not valid ({why}); a resume fixes that"
            )
