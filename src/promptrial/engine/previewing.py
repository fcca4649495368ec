"""What a run would do, without a change on disk: the plan, what it takes and costs, and what it can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from promptrial import registry
from promptrial.config.loading import environment
from promptrial.design.plan import Action, Fact, Selection, decide
from promptrial.design.power import Assumed
from promptrial.design.trials import models_asked
from promptrial.engine import piloting
from promptrial.engine.checking import Checked, check_run, paid_prices
from promptrial.engine.facts import all_facts, phases
from promptrial.engine.growing import Outlook, outlook
from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import Opened, RunRequest, open_run
from promptrial.engine.reusing import require_lenders
from promptrial.engine.serving import served, unservable
from promptrial.engine.session import Invocation, narrowed, priced_spec, providers_of, services_of, with_corrections
from promptrial.engine.starting import look_at_questions
from promptrial.errors import PromptrialError
from promptrial.jobs.work import PartWork
from promptrial.model.units import Unit
from promptrial.phases import build, prepare
from promptrial.phases.copied import copied
from promptrial.phases.cutting import limit_notes
from promptrial.phases.drawn import DrawnNow, items_planned
from promptrial.phases.planned_looks import planned_looks
from promptrial.phases.planned_power import PlannedPower, planned_power
from promptrial.phases.quote import quote
from promptrial.phases.quoted import Quote
from promptrial.phases.reuse_ahead import reusable_ahead
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import planned_work
from promptrial.store.awaited import awaited_by
from promptrial.store.change_records import Correction

__all__ = ["Planned", "preview"]


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
    """What there is to say about the largest job that a provider takes."""
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
    selection = piloting.selected(narrowed(selection, opened, trial_filter), opened.pilot)
    spec = priced_spec(request, opened, env, invocation)
    providers = providers_of(opened, env)
    services = services_of(opened, env, invocation, providers)
    require_lenders(spec, request.reuse)
    load_manifests(spec, services, read_only=True)
    corrected = _as_corrected(spec, services, opened)
    spec.run.look_once()
    work = planned_work(corrected, services, corrected.trials)
    facts = all_facts(corrected, services, work)
    actions = decide([phase.planned for phase in phases()], selection, facts)
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
        spec = replace(corrected, active=active)
        return _quoted(planned, spec, services, facts, work, assumed) if quotes else planned


def _unaskable(opened: Opened, env: Mapping[str, str], actions: Sequence[Action]) -> Checked | None:
    """Return why models cannot be asked, of a run whose questions are drawn; None if they can, or need not be."""
    if not any(action.phase in registry.PART_STATES and action.verb == "execute" for action in actions):
        return None
    problems = tuple(unservable(opened.loaded.experiment, opened.trials, env, dry_run=opened.dry_run))
    return Checked(problems=problems) if problems else None


def _quoted(
    planned: Planned,
    spec: RunSpec,
    services: Services,
    facts: Sequence[Fact],
    work: Sequence[PartWork],
    assumed: Assumed | None,
) -> Planned:
    """Return a plan with what will be asked and what that can show, or why it is not known; facts and work are all."""
    prepared, built = (
        all(fact.done for fact in facts if fact.phase == phase.name) for phase in (prepare.PHASE, build.PHASE)
    )
    try:
        drawn = items_planned(spec, services, prepared=prepared)
        reusable = reusable_ahead(spec, services, drawn.items)
        found = quote(spec, services, drawn=drawn, work=work if prepared and built else None, reusable=reusable)
        power = planned_power(spec, services, drawn.items, drawn.absent, assumed)
    except PromptrialError as error:
        return replace(planned, unquoted=error.message)
    return replace(planned, quote=found, drawn=drawn, power=power, looks=tuple(planned_looks(spec, drawn.items)))


def _as_corrected(spec: RunSpec, services: Services, opened: Opened) -> RunSpec:
    """Return the run as its question files would correct it."""
    found = look_at_questions(spec, services, begins=opened.state is not None and opened.changes.growth is None)
    if not found.sources:
        return spec
    return with_corrections(spec, (*spec.corrections, Correction(at="", sources=dict(found.sources))))
