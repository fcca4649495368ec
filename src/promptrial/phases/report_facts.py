"""What reports are told of a run and its trials: everything on record of them, read and put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, TypeVar

import msgspec

from promptrial import __version__
from promptrial.design.prompts import task_message
from promptrial.documents import cost_report, judges, labels, significance
from promptrial.documents.files import read_bytes
from promptrial.model import Trial
from promptrial.model.arms import ArmName
from promptrial.phases.copied import copied
from promptrial.phases.latency import latencies
from promptrial.phases.older import older_figures
from promptrial.phases.parsed import ParseReport
from promptrial.phases.prepared import ItemReader, item_counts
from promptrial.phases.reused import reused_by
from promptrial.phases.sample import grown_late
from promptrial.phases.scorers import declared, judges_in
from promptrial.phases.sealed_plan import deviations
from promptrial.phases.sent_sampling import unsent_in
from promptrial.phases.services import Services
from promptrial.phases.settings import evaluation_rules
from promptrial.phases.spec import RunSpec
from promptrial.phases.stats import AGREEMENT
from promptrial.phases.unused import spending_of
from promptrial.phases.work import shared_rows
from promptrial.reporting.facts import (
    DatasetFacts,
    MessageExample,
    ParseFacts,
    RunFacts,
    SealFacts,
    TrialFacts,
    TrialResult,
    UnfinishedFacts,
)
from promptrial.scoring.normalize import EvaluationRules
from promptrial.store.manifests import load_manifest
from promptrial.store.records import load

__all__ = ["marked", "run_facts", "trial_result"]

_Value = TypeVar("_Value")


def trial_result(spec: RunSpec, services: Services, trial: Trial) -> TrialResult:
    """Read everything that there is to say about a finished trial."""
    results = spec.run.trial(trial.slug).results
    parsed = load(results / "parse_report.json", ParseReport)
    manifest = services.manifest(trial.slug)
    facts = TrialFacts(
        run=_run_facts(spec),
        trial=replace(trial, stop=spec.stop_as_written(trial)),
        prompt_tokens={name: manifest.prompts.get(name, {}).get("tokens") for name in trial.conditions},
        engine=manifest.engine,
        own_engines={name: manifest.engine_of(name) for name in trial.own_models},
        parse=ParseFacts(
            duplicates_ignored=parsed.duplicates_ignored,
            unknown_ids=parsed.unknown_ids,
            malformed_lines=parsed.malformed_lines,
            missing={name: parsed.arms[name].missing for name in trial.arms_run},
            with_reasoning={name: parsed.arms[name].with_reasoning for name in trial.arms_run},
        ),
        shared_requests=shared_rows(spec)[trial.slug],
        older=older_figures(spec.run.trial(trial.slug)),
        scorers=declared(results),
        examples=tuple(_examples(spec, trial)),
        unsent=unsent_in(spec.config, trial),
        prompt_names=_prompt_names(spec, trial),
        reused=reused_by(spec, services.manifests, trial),
        latency=latencies(results / "predictions.parquet", trial.arms_run),
        judges=judges_in(results),
        judged=tuple(judges.decode(read_bytes(results / judges.FILE)).judges) if trial.judges else (),
    )
    found = significance.decode(read_bytes(results / "significance.json"))
    costs = cost_report.decode(read_bytes(results / "costs.json"))
    return TrialResult(
        facts,
        msgspec.structs.replace(found, attrition=_in_order(found.attrition, trial)),
        msgspec.structs.replace(costs, conditions=_in_order(costs.conditions, trial)),
        labels.decode(read_bytes(results / AGREEMENT)) if (results / AGREEMENT).exists() else None,
    )


def _prompt_names(spec: RunSpec, trial: Trial) -> dict[ArmName, str]:
    """Return the names of the files of prompts, by arm; none where two are the same, or one comes from a variable."""
    if any(at[:2] == ("prompt_sets", trial.prompt_set) for at in spec.written):
        return {}
    arms = spec.config.prompt_sets[trial.prompt_set].arms
    paths = {name: arm.prompt.path for name, arm in arms.items() if arm.prompt.path}
    names = {name: PurePosixPath(path.replace("\\", "/")).name for name, path in paths.items()}
    return names if len({*names.values()}) == len(names) else {}


def _in_order(by_arm: Mapping[ArmName, _Value], trial: Trial) -> dict[ArmName, _Value]:
    """Return what a document holds by arm in the order of results; in a file, keys are sorted."""
    return {name: by_arm[name] for name in trial.arms_run if name in by_arm}


def _examples(spec: RunSpec, trial: Trial) -> Iterator[MessageExample]:
    """Yield the first item of each kind as it was sent; *prepare* says which these are, since there are examples."""
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    positions: dict[str, int] = prepared.facts.get("examples", {}) if prepared else {}
    for item in ItemReader(spec.run).at(sorted(positions.values())):
        by_arm = {name: task_message(item, trial.arm(name).templates) for name in trial.arms_run}
        yield MessageExample(item.kind, item.id, item.dataset, item.messages, by_arm)


def _run_facts(spec: RunSpec) -> RunFacts:
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    sources: dict[str, Any] = prepared.facts["sources"] if prepared else {}
    rules = evaluation_rules(spec)
    items = item_counts(spec.run)
    return RunFacts(
        run_id=spec.run.run_id,
        experiment=spec.as_written(spec.config.name, "name"),
        question=spec.as_written(spec.config.question, "question"),
        config_hash=spec.config_hash,
        package_version=__version__,
        datasets=tuple(_dataset_facts(name, source, rules[name]) for name, source in sources.items()),
        n_open=items.open,
        n_closed=items.closed,
        n_grouped=items.grouped,
        dry_run=spec.dry_run,
        grown_late=grown_late(spec),
        corrected=spec.n_corrected,
        copied=copied(spec),
        seal=_seal(spec),
        pilot=spec.history.pilot,
    )


def _seal(spec: RunSpec) -> SealFacts | None:
    sealed = spec.history.sealed
    return None if sealed is None else SealFacts(sealed.sha256, deviations(spec))


def _dataset_facts(name: str, source: dict[str, Any], rules: EvaluationRules) -> DatasetFacts:
    version = f"SHA-256 {source['sha256']}" if "sha256" in source else f"commit {source['commit']}"
    return DatasetFacts(
        name,
        source["format"],
        source["items"],
        source.get("path") or source["hub"],
        version,
        str(rules),
        source.get("without_gold", 0),
        source.get("with_choices", 0),
    )


def marked(result: TrialResult, unfinished: UnfinishedFacts | None) -> TrialResult:
    """Return a result that says whether it is of the whole run as it is now."""
    facts = replace(result.facts, run=replace(result.facts.run, unfinished=unfinished))
    return replace(result, facts=facts)


def run_facts(spec: RunSpec) -> RunFacts:
    """Return what there is to say about a run as a whole, with what it has spent."""
    return replace(_run_facts(spec), spending=spending_of(spec))
