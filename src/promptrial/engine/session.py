"""One invocation from the outside: open the run, take the lock, follow the plan, say how it ended.

The command line calls these functions and prints what they return; nothing here parses flags or formats results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial import registry
from promptrial.config.loading import environment, filled_in
from promptrial.config.secrets import secret_values
from promptrial.costs.price_book import PriceBook
from promptrial.design.plan import Action, Selection
from promptrial.design.power import Assumed
from promptrial.design.trials import models_asked
from promptrial.engine import kept_prices, piloting
from promptrial.engine.checking import Checked, check_run, paid_prices
from promptrial.engine.facts import facts_of, phases, receipt_of
from promptrial.engine.growing import Outlook, outlook
from promptrial.engine.loop import Engine
from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import Opened, RunRequest, asked_by, open_run
from promptrial.engine.providers import Providers
from promptrial.engine.question_files import check_subgroup_columns
from promptrial.engine.reusing import lenders, require_lenders
from promptrial.engine.sealing import sealed_plan
from promptrial.engine.serving import require_executor, require_reachable, require_understood, served, unservable
from promptrial.engine.starting import look_at_questions, resume
from promptrial.errors import Detached, PromptrialError, StopRequested, UsageError
from promptrial.model import Trial
from promptrial.model.units import RUN, Unit
from promptrial.phases import build, prepare
from promptrial.phases.base import Phase
from promptrial.phases.copied import copied
from promptrial.phases.cutting import limit_notes
from promptrial.phases.drawn import DrawnNow, items_planned
from promptrial.phases.planned_looks import planned_looks
from promptrial.phases.planned_power import PlannedPower, planned_power
from promptrial.phases.quote import quote
from promptrial.phases.quoted import Quote
from promptrial.phases.reuse_ahead import reusable_ahead
from promptrial.phases.services import Ask, Services
from promptrial.phases.spec import RunSpec, SampleHistory, SpendingTerms, TrustedCode
from promptrial.runtime import collector, memory
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog, Level, Redactor
from promptrial.runtime.progress import NoProgress, Progress
from promptrial.runtime.stop import StopToken, beside_the_work, stop_on_signals
from promptrial.store import atomic, records
from promptrial.store.atomic import Appender
from promptrial.store.awaited import awaited_by
from promptrial.store.change_records import Correction
from promptrial.store.jsonl import repair_tail
from promptrial.store.lock import BEAT_EVERY_S, RunLock
from promptrial.store.part_records import listed

if TYPE_CHECKING:
    from promptrial.reporting.facts import TrialResult

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
    ask: Ask | None = None
    """How the user is asked before money is spent; None where nobody can be asked."""
    listen: Callable[[Mapping[str, object]], None] | None = None
    """Takes events of that level in the place of their sentences."""


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
    """What a run would be refused for; of one whose questions are drawn, only which models cannot be asked."""
    awaited: tuple[str, ...] = ()
    """What each job that waits for a person waits for."""
    limits: tuple[str, ...] = ()
    """What there is to say of the largest job that a provider takes."""
    served: tuple[str, ...] = ()
    """Where each model is asked that is not computed in this process."""
    prices: tuple[str, ...] = ()
    """What those of them cost that have a price."""
    quote: Quote | None = None
    """What will be asked, and what that takes and costs."""
    unquoted: str = ""
    """Why that is not known; empty if it is, or was not wanted."""
    drawn: DrawnNow | None = None
    """The items that the run has, or that would be drawn now; None as ``unquoted`` says."""
    power: PlannedPower | None = None
    """What these items can show."""
    looks: tuple[str, ...] = ()
    """When the trials are looked at while they run, and how much is asked on average."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that was followed to its end: what its reports say, trial by trial, as far as they are written."""

    opened: Opened
    results: tuple[TrialResult, ...]
    pilot_ended: bool = False
    """Whether the pilot of the run is answered, and nothing else is asked for now."""


def preview(
    request: RunRequest,
    selection: Selection,
    invocation: Invocation,
    trial_filter: str | None = None,
    *,
    quotes: bool = False,
    assumed: Assumed | None = None,
) -> Planned:
    """Return what a run would do; changes nothing on disk, and works before the run exists.

    With ``quotes``, also what that takes and costs, and what it can show; ``assumed`` is what is then assumed of scores
    where there are none.
    """
    env = environment(invocation.env, Path.cwd())
    opened = open_run(request, env)
    selection = piloting.selected(_narrowed(selection, opened, trial_filter), opened.pilot)
    spec = _priced_spec(request, opened, env, invocation)
    providers = providers_of(opened, env)
    services = services_of(opened, env, invocation, providers)
    require_lenders(spec, request.reuse)
    load_manifests(spec, services, read_only=True)
    state = opened.state or records.new_state(opened.run.run_id, opened.configured.digest)
    corrected = _as_corrected(spec, services, opened)
    actions = Engine(corrected, services, state).plan(selection)
    begins = any(action.phase == prepare.PHASE.name and not action.done for action in actions)
    checked = (
        check_run(opened.loaded, opened.trials, env, opened.configured.resolution, spec.prices, dry_run=opened.dry_run)
        if begins
        else _unaskable(opened, env, actions)
    )
    awaited = awaited_by(services.manifests.values())
    where = served(opened.loaded, models_asked(opened.trials), env, dry_run=opened.dry_run)
    planned = Planned(
        opened=opened,
        actions=actions,
        growth=outlook(spec, opened.state),
        copied=copied(spec),
        checked=checked,
        awaited=awaited,
        limits=tuple(limit_notes(spec)),
        served=where,
        prices=paid_prices(spec.prices, opened.trials),
    )
    active = tuple(trial for trial in spec.trials if selection.wants(Unit(trial.slug)))
    with closing(providers):  # a model may be loaded for its tokenizer
        return _quoted(planned, replace(corrected, active=active), services, assumed) if quotes else planned


def _unaskable(opened: Opened, env: Mapping[str, str], actions: Sequence[Action]) -> Checked | None:
    """Return why models cannot be asked, of a run whose questions are drawn; None if they can, or need not be."""
    if not any(action.phase in registry.PART_STATES and action.verb == "execute" for action in actions):
        return None
    problems = tuple(unservable(opened.loaded.experiment, opened.trials, env, dry_run=opened.dry_run))
    return Checked(problems=problems) if problems else None


def _quoted(planned: Planned, spec: RunSpec, services: Services, assumed: Assumed | None) -> Planned:
    """Return a plan with what will be asked and what that can show, or why it is not known."""
    prepared, built = (
        all(fact.done for fact in facts_of(spec, services, phase)) for phase in (prepare.PHASE, build.PHASE)
    )
    try:
        drawn = items_planned(spec, services, prepared=prepared)
        reusable = reusable_ahead(spec, services, drawn.items)
        found = quote(spec, services, drawn=drawn, built=prepared and built, reusable=reusable)
        power = planned_power(spec, services, drawn.items, drawn.absent, assumed)
    except PromptrialError as error:
        return replace(planned, unquoted=error.message)
    return replace(planned, quote=found, drawn=drawn, power=power, looks=tuple(planned_looks(spec, drawn.items)))


def _as_corrected(spec: RunSpec, services: Services, opened: Opened) -> RunSpec:
    """Return the run as its question files would correct it."""
    found = look_at_questions(spec, services, begins=opened.state is not None and opened.changes.growth is None)
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
        stop.resume_command = invocation.resume_command + stop.flags
        raise


def _followed(request: RunRequest, selection: Selection, invocation: Invocation, trial_filter: str | None) -> Finished:
    from promptrial.phases import submit
    from promptrial.phases.spending import require_prices

    collector.look_rarely()
    memory.keep_little()
    env = environment(invocation.env, Path.cwd())
    opened = open_run(request, env)
    selection = piloting.selected(_narrowed(selection, opened, trial_filter), opened.pilot)
    require_understood(opened.loaded.experiment, opened.trials)
    require_executor(opened.loaded.experiment.execution.executor)
    if not opened.exists:  # a new run that would be refused leaves nothing behind
        check_subgroup_columns(opened.loaded)
        require_prices(_priced_spec(request, opened, env, invocation), models_asked(opened.trials))
        if submit.PHASE.name in selection.phases and not opened.dry_run:
            wanted = [each for each in opened.trials if selection.wants(Unit(each.slug))]
            require_reachable(opened.loaded.experiment, wanted, env)
    require_lenders(_priced_spec(request, opened, env, invocation), request.reuse)
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
        spec = _priced_spec(request, opened, env, invocation)
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
    spec = _with_corrections(spec, tuple(listed(state.corrections)))
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
            services.events.warn(
                f"{trial.slug}: no summary, because its report is not valid ({why}); a resume fixes that"
            )


def _priced_spec(request: RunRequest, opened: Opened, env: Mapping[str, str], invocation: Invocation) -> RunSpec:
    """Return what the phases work on, with today's prices of models that have none on record yet."""
    prices = kept_prices.book_of(opened, env, invocation.clock.now(), renew=request.force)
    return spec_of(request, opened, prices)


def spec_of(request: RunRequest, opened: Opened, prices: PriceBook | None = None) -> RunSpec:
    """Return what the phases of an opened run work on; its prices are those on record, if none are given.

    Raises
    ------
    CorruptRecordError
        If the prices on record are lost or damaged.
    """
    return RunSpec(
        run=opened.run,
        config=opened.loaded.experiment,
        config_folder=opened.loaded.folder,
        config_hash=opened.configured.digest,
        trials=opened.trials,
        written=opened.loaded.placeholders,
        dry_run=opened.dry_run,
        asked_by=asked_by(opened),
        code=TrustedCode(opened.trusted_code, opened.configured.config_file),
        history=_history(opened),
        terms=_terms_of(request, opened, prices),
    )


def _history(opened: Opened) -> SampleHistory:
    state, origin, growth = opened.state, opened.origin, opened.growth
    return SampleHistory(
        growth,
        () if origin is None else tuple(listed(origin.corrections)),
        sealed_plan(state, origin, growth, (*opened.changes.drift, *opened.changes.rescored)),
        None if opened.pilot is None else opened.pilot.items,
    )


def _terms_of(request: RunRequest, opened: Opened, prices: PriceBook | None) -> SpendingTerms:
    return SpendingTerms(
        prices=prices or kept_prices.book_on_record(opened),
        rebuy=request.rebuy,
        yes=request.yes,
        caps=opened.caps,
        reuse=lenders(request.reuse, opened.run, opened.state, opened.origin),
        consents=() if opened.origin is None else tuple(listed(opened.origin.consents)),
        unattended=request.unattended,
    )


def providers_of(opened: Opened, env: Mapping[str, str], *, dry_run: bool = False) -> Providers:
    """Return the adapters of an opened run; with ``dry_run``, an emulator in its folder answers for hosted ones."""
    root = opened.run.root
    loaded = opened.loaded
    return Providers(env, loaded.experiment.providers, root if dry_run else None, root, loaded.folder)


def services_of(opened: Opened, env: Mapping[str, str], invocation: Invocation, providers: Providers) -> Services:
    """Return what the phases of an opened run work with; no manifest is loaded yet.

    A stop of the run does not stop them: a command that only looks at a run has to work while one is asked for.
    """
    loaded = opened.loaded
    secrets = secret_values(loaded.experiment.providers, loaded.placeholders, env)
    redactor = Redactor(env, filled_in(loaded.placeholders, env), secrets)
    return Services(
        clock=invocation.clock,
        stop=StopToken(clock=invocation.clock, when=invocation.stop_when),
        events=EventLog(invocation.clock.now, redactor, invocation.say, invocation.level, listen=invocation.listen),
        provider=providers,
        env=env,
        progress=invocation.progress,
        ask=invocation.ask,
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
