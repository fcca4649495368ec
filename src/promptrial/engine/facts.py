"""What is on disk, phase by phase, as facts for ``plan.decide``. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from promptrial import registry
from promptrial.design.plan import Fact, FactsOf
from promptrial.jobs.work import PartWork
from promptrial.model.units import RUN, Unit
from promptrial.phases.base import Phase
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.versions import input_kind
from promptrial.phases.work import open_work, part_names, planned_work
from promptrial.registry import PartState
from promptrial.store.manifests import load_manifest
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Receipt
from promptrial.store.rundir import changed_inputs, digest_of

__all__ = ["all_facts", "artifacts_of", "facts_now", "facts_of", "inputs_of", "phases", "receipt_of", "upstream_of"]


def phases() -> tuple[Phase, ...]:
    """Return the phases of the registry, in order."""
    return tuple(registry.load("phase", name) for name in registry.PHASES)


def all_facts(spec: RunSpec, services: Services, work: Sequence[PartWork] | None = None) -> list[Fact]:
    """Return the facts of every phase; ``work`` is what ``planned_work`` returns for all trials, if that is known."""
    work = planned_work(spec, services, spec.trials) if work is None else work
    return [fact for phase in phases() for fact in facts_of(spec, services, phase, work)]


def facts_now(spec: RunSpec, services: Services) -> FactsOf:
    """Return what gives the facts of a phase by its name, read from disk when they are first asked for."""

    @cache
    def read(name: str) -> list[Fact]:
        return list(facts_of(spec, services, registry.load("phase", name)))

    return read


def facts_of(spec: RunSpec, services: Services, phase: Phase, work: Sequence[PartWork] | None = None) -> Iterator[Fact]:
    """Yield the facts of one phase, unit by unit, in the order in which it works on them; ``work`` as above."""
    if phase.part_state is not None:
        work = planned_work(spec, services, spec.trials) if work is None else work
        yield from _part_facts(spec, services, phase, open_work(spec, work), phase.part_state)
        return
    code = phase.code(spec)  # the same for every unit
    for unit in phase.units(spec):
        receipt, inputs = receipt_of(spec, services, phase, unit), inputs_of(spec, services, phase, unit, code)
        missing = spec.run.problem(receipt, inputs)
        changed = receipt is None or receipt.inputs != inputs
        differs = frozenset(map(input_kind, changed_inputs(receipt, inputs)))
        yield Fact(phase.name, unit, missing, changed=changed, differs=differs)


def receipt_of(spec: RunSpec, services: Services, phase: Phase, unit: Unit) -> Receipt | None:
    """Return the receipt that a phase left, or None if it never finished (or its record is damaged)."""
    if phase.content_addressed:
        return _part_receipt(spec, services, unit)
    if unit.trial is None:
        manifest = load_manifest(spec.run.root / phase.manifest)
        return manifest.receipt if manifest else None
    stage = services.manifest(unit.trial).stage_status.get(phase.stage)
    return stage.receipt if stage is not None and stage.status == "completed" else None


def inputs_of(
    spec: RunSpec, services: Services, phase: Phase, unit: Unit, code: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the digests of what a phase would be made from now: plan values, versions, artifacts of what it reads.

    A trial reads what was made for it, and what was made for the whole run; the whole run reads everything.
    ``code`` is what the phase says about its versions for every unit; it is asked if that is not given.
    """
    trial = None if unit.trial is None else spec.trial(unit.trial)
    inputs = {
        "plan": digest_of(phase.settings(spec, services.manifests, trial)),
        **(phase.code(spec) if code is None else code),
    }
    return inputs | upstream_of(spec, services, phase, unit)


def upstream_of(spec: RunSpec, services: Services, phase: Phase, unit: Unit) -> dict[str, str]:
    """Return the digests of what a phase would read now, by the phase that made it."""
    found = {}
    for name in phase.reads:
        files = artifacts_of(spec, services, registry.load("phase", name), unit)
        found[name] = digest_of({path: file.sha256 for path, file in files.items()})
    return found


def artifacts_of(spec: RunSpec, services: Services, upstream: Phase, unit: Unit) -> dict[str, FileRecord]:
    """Return what a phase has made that concerns a unit: for its trials, if it works on trials, else for the run."""
    found: dict[str, FileRecord] = {}
    for made_for in [each for each in upstream.units(spec) if each != RUN] or [RUN]:
        if made_for.overlaps(unit):
            receipt = receipt_of(spec, services, upstream, made_for)
            found |= receipt.artifacts if receipt else {}
    others = tuple(_requests_of(trial.slug) for trial in spec.trials if not Unit(trial.slug).overlaps(unit))
    return {path: file for path, file in found.items() if not path.startswith(others)} if others else found


def _requests_of(slug: str) -> str:
    """Return what the paths of a trial's requests begin with: they are made for the whole run."""
    return f"batch_inputs/{slug}/"


def _part_receipt(spec: RunSpec, services: Services, unit: Unit) -> Receipt:
    records = {}
    trials = tuple(trial for trial in spec.trials if Unit(trial.slug).overlaps(unit))
    for slug, name in part_names(spec, trials):
        known = services.manifest(slug).parts.get(name)
        if known is not None and known.results is not None:
            records[f"{slug}/results/{name}/results.jsonl"] = known.results
    return Receipt(records, {})


def _part_facts(
    spec: RunSpec, services: Services, phase: Phase, work: Iterable[PartWork], state: PartState
) -> Iterator[Fact]:
    by_trial: dict[str, list[PartWork]] = {trial.slug: [] for trial in spec.trials}
    for part in work:
        by_trial[part.folder.slug].append(part)
    begun = any(services.manifest(slug).parts for slug in by_trial)
    for slug, parts in by_trial.items():
        unit, left = Unit(slug), sum(not part.reached(state) for part in parts)
        if not parts:  # of what was started, nothing may be left once the same requests are built again
            yield Fact(phase.name, unit, "requests not built yet", unsettled=begun)
        elif not left and (lacking := phase.lacking(spec, services.manifest(slug), spec.trial(slug))):
            yield Fact(phase.name, unit, lacking)
        else:
            yield Fact(phase.name, unit, f"{left} of {len(parts)} parts left" if left else "", left, len(parts))
