"""Why a phase would run or be skipped, in sentences that name the trials, arms and files, and the command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from promptrial import registry
from promptrial.design.plan import Action, Fact, InputKind, select_phases
from promptrial.engine.facts import facts_of, inputs_of, receipt_of
from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import RunRequest
from promptrial.engine.previewing import preview
from promptrial.engine.session import Invocation, providers_of, services_of, spec_of
from promptrial.model.units import RUN
from promptrial.phases.base import Phase
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.versions import input_kind
from promptrial.phases.work import worklist
from promptrial.store.rundir import RunDir, changed_inputs

__all__ = ["explain_phases"]

_CHANGED: Final[dict[InputKind, str]] = {
    "program": "this version of the program makes it differently",
    "scorers": "the scorers have changed",
    "upstream": "its inputs have changed",
    "values": "its values in the configuration, or its questions, have changed",
}


def explain_phases(run: RunDir, phases: Collection[str], invocation: Invocation) -> list[str]:
    """Return why a resume of the run would run each of some phases or skip it; the first sentence on it says which.

    What a phase has made is listed where it is the only one.

    Raises
    ------
    PromptrialError
        If the run could not be resumed.
    """
    request = RunRequest(run.root.parent, run.run_id, resume=True, rebuild=True, plan_only=True)
    planned = preview(request, select_phases(None, None, None), invocation)
    opened, env = planned.opened, invocation.env
    spec, services = spec_of(request, opened), services_of(opened, env, invocation, providers_of(opened, env))
    load_manifests(spec, services, read_only=True)
    actions = [each for each in planned.actions if each.phase in phases]
    said: list[str] = []
    for each in actions:
        lines = _sentences(spec, services, registry.load("phase", each.phase), each)
        said += lines[:1] if each.verb == "skip" and len(actions) > 1 else lines
    would_run = any(each.verb != "skip" for each in actions)
    return [*said, *([f"  next: {spec.run.resume_command}"] if would_run else [])]


def _sentences(spec: RunSpec, services: Services, phase: Phase, action: Action) -> list[str]:
    facts = list(facts_of(spec, services, phase))
    if action.verb == "skip":
        return [f"{phase.name} would be skipped: {_why_skipped(action)}", *_made(spec, services, phase, facts)]
    details = [line for fact in facts if not fact.done for line in _undone(spec, services, phase, fact)]
    return [f"{phase.name} would run: {action.reason}", *details]


def _why_skipped(action: Action) -> str:
    return "its results exist and are up to date" if action.done else action.reason


def _made(spec: RunSpec, services: Services, phase: Phase, facts: list[Fact]) -> Iterator[str]:
    """Yield what a phase has made, unit by unit."""
    for fact in facts:
        receipt = receipt_of(spec, services, phase, fact.unit)
        if fact.done and receipt is not None and receipt.artifacts:
            names = sorted(receipt.artifacts)
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            yield f"  {_name(fact)}: {', '.join(names[:2])}{more}"


def _undone(spec: RunSpec, services: Services, phase: Phase, fact: Fact) -> Iterator[str]:
    """Yield what one unit lacks: parts by arm, inputs that changed, or the file that does not exist."""
    if fact.total is not None and phase.part_state is not None:
        yield from _parts_left(spec, services, phase, fact)
        return
    receipt = receipt_of(spec, services, phase, fact.unit)
    inputs = {} if receipt is None else inputs_of(spec, services, phase, fact.unit)
    changed = changed_inputs(receipt, inputs)
    if not changed:
        yield f"  {_name(fact)}: {fact.missing}"
    for name in changed:
        kind = input_kind(name)
        what = f"{name} is not the file that it was made from" if kind == "upstream" else f"{_CHANGED[kind]} ({name})"
        yield f"  {_name(fact)}: {what}"


def _parts_left(spec: RunSpec, services: Services, phase: Phase, fact: Fact) -> Iterator[str]:
    work = worklist(spec, services, tuple(trial for trial in spec.trials if trial.slug == fact.unit.trial))
    totals = Counter(each.part.condition for each in work)
    left = Counter(each.part.condition for each in work if not each.reached(phase.part_state or "downloaded"))
    lacks = "no job" if phase.part_state == "submitted" else "no answers"
    for arm, count in left.items():
        yield f"  {_name(fact)}, arm {arm}: {count} of {totals[arm]} parts have {lacks} yet"


def _name(fact: Fact) -> str:
    return "the whole run" if fact.unit == RUN else str(fact.unit)
