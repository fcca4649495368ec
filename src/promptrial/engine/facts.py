"""What stands on disk, phase by phase, as facts for ``plan.decide``. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from promptrial import registry
from promptrial.design.plan import Fact
from promptrial.jobs.work import PartWork
from promptrial.model import Trial
from promptrial.phases.base import Phase, load_manifest
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import part_names, worklist
from promptrial.store.records import FileRecord, Receipt
from promptrial.store.rundir import digest_of

__all__ = ["all_facts", "artifacts_of", "facts_of", "inputs_of", "phases", "receipt_of"]


def phases() -> tuple[Phase, ...]:
    """Return the phases of the registry, in order."""
    return tuple(registry.load("phase", name) for name in registry.PHASES)


def all_facts(spec: RunSpec, services: Services) -> list[Fact]:
    """Return the facts of every phase."""
    return [fact for phase in phases() for fact in facts_of(spec, services, phase)]


def facts_of(spec: RunSpec, services: Services, phase: Phase) -> Iterator[Fact]:
    """Yield the facts of one phase: one for each trial, then one for the whole run, as it works on them."""
    if phase.content_addressed:
        by_trial: dict[str, list[PartWork]] = {trial.slug: [] for trial in spec.trials}
        for work in worklist(spec, services, spec.trials):
            by_trial[work.folder.slug].append(work)
        yield from (_part_fact(spec, services, phase, trial, by_trial[trial.slug]) for trial in spec.trials)
        return
    trials = spec.trials if phase.run_trial is not None else ()
    whole = (None,) if phase.run_whole is not None else ()
    for trial in (*trials, *whole):
        receipt, inputs = receipt_of(spec, services, phase, trial), inputs_of(spec, services, phase, trial)
        missing = spec.run.problem(receipt, inputs)
        changed = receipt is None or receipt.inputs != inputs
        yield Fact(phase.name, trial.slug if trial else None, missing, changed=changed)


def receipt_of(spec: RunSpec, services: Services, phase: Phase, trial: Trial | None) -> Receipt | None:
    """Return the receipt that a phase left, or None if it never finished (or its record is damaged)."""
    if phase.content_addressed:
        return _part_receipt(spec, services, spec.trials if trial is None else (trial,))
    if trial is None:
        manifest = load_manifest(spec.run.root / phase.manifest)
        return manifest.receipt if manifest else None
    stage = services.manifest(trial.slug).stage_status.get(phase.stage)
    return stage.receipt if stage is not None and stage.status == "completed" else None


def inputs_of(spec: RunSpec, services: Services, phase: Phase, trial: Trial | None) -> dict[str, str]:
    """Return the digests of what a phase would be made from now: plan values, and artifacts of what it reads.

    A trial reads what was made for it, and what was made for the whole run; the whole run reads everything.
    """
    inputs = {"plan": digest_of(phase.settings(spec, services.manifests, trial))}
    for name in phase.reads:
        files = artifacts_of(spec, services, registry.load("phase", name), trial)
        inputs[name] = digest_of({path: file.sha256 for path, file in files.items()})
    return inputs


def artifacts_of(spec: RunSpec, services: Services, upstream: Phase, trial: Trial | None) -> dict[str, FileRecord]:
    """Return what a phase has made that concerns a trial (what was made for it or for the whole run), or any trial."""
    units: tuple[Trial | None, ...] = (None,)
    if upstream.run_trial is not None or upstream.content_addressed:
        units = (trial,) if trial is not None else spec.trials
    found: dict[str, FileRecord] = {}
    for unit in units:
        receipt = receipt_of(spec, services, upstream, unit)
        found |= receipt.artifacts if receipt else {}
    if trial is None:
        return found
    others = tuple(f"batch_inputs/{other.slug}/" for other in spec.trials if other.slug != trial.slug)
    return {path: file for path, file in found.items() if not path.startswith(others)}


def _part_receipt(spec: RunSpec, services: Services, trials: tuple[Trial, ...]) -> Receipt:
    records = {}
    for slug, name in part_names(spec, trials):
        known = services.manifest(slug).parts.get(name)
        if known is not None and known.results is not None:
            records[f"{slug}/results/{name}/results.jsonl"] = known.results
    return Receipt(records, {})


def _part_fact(spec: RunSpec, services: Services, phase: Phase, trial: Trial, work: list[PartWork]) -> Fact:
    if not work:  # of what was begun, nothing may be left once the same requests are built again
        begun = any(services.manifest(each.slug).parts for each in spec.trials)
        return Fact(phase.name, trial.slug, "requests not built yet", unsettled=begun)
    left = sum(not (item.submitted if phase.name == "submit" else item.downloaded) for item in work)
    missing = "" if left == 0 else f"{left} of {len(work)} parts left"
    if phase.name == "submit" and not missing and not _described(services, trial):
        return Fact(phase.name, trial.slug, "the engine and these prompts are not on record")
    return Fact(phase.name, trial.slug, missing, left, len(work))


def _described(services: Services, trial: Trial) -> bool:
    """Return whether the manifest holds what submit writes there besides the jobs: the engine, and these prompts."""
    manifest = services.manifest(trial.slug)
    known = {name: prompt.get("sha256") for name, prompt in manifest.prompts.items() if "tokens" in prompt}
    asked = all(manifest.engine_of(name) for name in trial.conditions)
    return asked and all(known.get(name) == prompt.sha256 for name, prompt in trial.prompts.items())
