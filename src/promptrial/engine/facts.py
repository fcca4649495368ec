"""What stands on disk, phase by phase, as facts for ``plan.decide``. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from promptrial import registry
from promptrial.model import Trial
from promptrial.phases.base import Context, Phase, load_manifest
from promptrial.phases.work import worklist
from promptrial.plan import Fact
from promptrial.store.records import Receipt
from promptrial.store.rundir import digest_of

__all__ = ["all_facts", "facts_of", "inputs_of", "phases", "receipt_of"]


def phases() -> tuple[Phase, ...]:
    """Return the phases of the registry, in order."""
    return tuple(registry.load("phase", name) for name in registry.PHASES)


def all_facts(context: Context) -> list[Fact]:
    """Return the facts of every phase."""
    return [fact for phase in phases() for fact in facts_of(context, phase)]


def facts_of(context: Context, phase: Phase) -> Iterator[Fact]:
    """Yield the facts of one phase: one for the run, or one for each trial."""
    if phase.content_addressed:
        yield _part_fact(context, phase)
        return
    for trial in _units(context, phase):
        receipt = receipt_of(context, phase, trial)
        missing = context.run.problem(receipt, inputs_of(context, phase, trial))
        yield Fact(phase.name, trial.slug if trial else None, missing)


def receipt_of(context: Context, phase: Phase, trial: Trial | None) -> Receipt | None:
    """Return the receipt that a phase left, or None if it never finished (or its record is damaged)."""
    if phase.content_addressed:
        return _part_receipt(context, trial)
    if trial is not None:
        manifest = context.manifests.get(trial.slug)
        stage = manifest.stage_status.get(phase.stage) if manifest else None
        return stage.receipt if stage is not None and stage.status == "completed" else None
    if phase.scope == "trial":
        return None
    manifest_file = load_manifest(context.run.root / phase.stage / "manifest.json")
    return manifest_file.receipt if manifest_file else None


def inputs_of(context: Context, phase: Phase, trial: Trial | None) -> dict[str, str]:
    """Return the digests of what a phase would be made from now: plan values, and artifacts of what it reads."""
    inputs = {"plan": digest_of(phase.settings(context, trial))}
    for name in phase.reads:
        upstream: Phase = registry.load("phase", name)
        receipt = receipt_of(
            context, upstream, trial if upstream.scope == "trial" or upstream.content_addressed else None
        )
        prefix = f"batch_inputs/{trial.slug}/" if trial is not None and name == "build" else ""
        files = {path: file.sha256 for path, file in (receipt.artifacts if receipt else {}).items()}
        inputs[name] = digest_of({path: sha for path, sha in files.items() if path.startswith(prefix)})
    return inputs


def _units(context: Context, phase: Phase) -> tuple[Trial | None, ...]:
    return context.trials if phase.scope == "trial" else (None,)


def _part_receipt(context: Context, trial: Trial | None) -> Receipt | None:
    trials = context.trials if trial is None else (trial,)
    records = {
        context.run.relative(context.run.trial(t.slug).part_results(name)): part.results
        for t in trials
        if t.slug in context.manifests
        for name, part in context.manifest(t.slug).parts.items()
        if part.results is not None
    }
    return Receipt(records, {})


def _part_fact(context: Context, phase: Phase) -> Fact:
    work = worklist(context)
    if not work:
        return Fact(phase.name, None, "requests not built yet")
    left = sum(not (item.submitted if phase.name == "submit" else item.downloaded) for item in work)
    missing = "" if left == 0 else f"{left} of {len(work)} parts left"
    return Fact(phase.name, None, missing, left, len(work))
