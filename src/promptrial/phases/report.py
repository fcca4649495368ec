"""Report: from statistics and costs to pages that a colleague can read. Reads and writes; words are ``reporting``'s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from promptrial import __version__
from promptrial.design.prompts import task_message
from promptrial.documents import cost_report, significance
from promptrial.documents.files import read_bytes
from promptrial.model import Trial
from promptrial.model.arms import ArmName
from promptrial.phases.base import Manifests, Phase, Produced, load_manifest
from promptrial.phases.copied import copied
from promptrial.phases.older import older_figures, older_scores_path
from promptrial.phases.parse import ParseReport
from promptrial.phases.prepared import ItemReader, item_keys
from promptrial.phases.sample import grown_late
from promptrial.phases.scorers import declared
from promptrial.phases.sent_sampling import unsent_in
from promptrial.phases.services import Services
from promptrial.phases.settings import evaluation_rules
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import shared_rows
from promptrial.reporting import markdown
from promptrial.reporting.facts import DatasetFacts, MessageExample, ParseFacts, RunFacts, TrialFacts, TrialResult
from promptrial.reporting.tables import PrimaryKey, primary_p_values
from promptrial.reporting.tables.words import wording
from promptrial.scoring.normalize import EvaluationRules
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord, TrialManifest, load

__all__ = ["PHASE", "trial_result"]

_Value = TypeVar("_Value")
_PAGE_BYTES: Final = 1 << 20
"""What a report has at most; how much it was made from says nothing of that."""


def trial_result(spec: RunSpec, services: Services, trial: Trial) -> TrialResult:
    """Read everything that there is to say of a finished trial."""
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
    )
    found = significance.decode(read_bytes(results / "significance.json"))
    costs = cost_report.decode(read_bytes(results / "costs.json"))
    return TrialResult(
        facts,
        msgspec.structs.replace(found, attrition=_in_order(found.attrition, trial)),
        msgspec.structs.replace(costs, conditions=_in_order(costs.conditions, trial)),
    )


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
    types = Counter(key.type for key in item_keys(spec.run))
    return RunFacts(
        run_id=spec.run.run_id,
        experiment=spec.as_written(spec.config.name, "name"),
        question=spec.as_written(spec.config.question, "question"),
        config_hash=spec.config_hash,
        package_version=__version__,
        datasets=tuple(_dataset_facts(name, source, rules[name]) for name, source in sources.items()),
        n_open=types["open"],
        n_closed=types["closed"],
        dry_run=spec.dry_run,
        grown_late=grown_late(spec),
        corrected=_corrected(spec),
        copied=copied(spec),
    )


def _corrected(spec: RunSpec) -> dict[str, int]:
    """Return, by data set, how many questions were corrected, counted anew for each correction."""
    found: Counter[str] = Counter()
    for correction in spec.corrections:
        found.update({name: source.questions for name, source in correction.sources.items() if source.questions})
    return dict(found)


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


def _run_trial(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    path = spec.run.trial(trial.slug).reports / "report.md"
    result = trial_result(spec, services, trial)
    with AtomicFile(path) as file, wording(result.facts.scorers):
        file.write(markdown.trial_report(result.facts, result.significance, result.costs).encode())
    return Produced({path: FileRecord(file.sha256(), file.size)})


def _run_whole(spec: RunSpec, services: Services) -> Produced:
    """Write the report of all trials, their primary tests corrected together."""
    results = [trial_result(spec, services, trial) for trial in spec.trials]
    path = spec.run.aggregate_report
    with AtomicFile(path) as file, wording(results[0].facts.scorers if results else {}):
        file.write(markdown.aggregate_report(_run_facts(spec), results, _adjusted(results)).encode())
    trials = [_describe(spec, trial) for trial in spec.trials]
    return Produced({path: FileRecord(file.sha256(), file.size)}, {"run_id": spec.run.run_id, "trials": trials})


def _adjusted(results: list[TrialResult]) -> dict[PrimaryKey, float | None]:
    """Correct the primary p-values of all trials together, by Holm's method; None where there was no test."""
    from promptrial.stats.multiplicity import holm

    raw = primary_p_values(results)
    tested = {key: p for key, p in raw.items() if p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {key: float(adjusted[key]) if key in adjusted else None for key in raw}


def _describe(spec: RunSpec, trial: Trial) -> dict[str, Any]:
    folder = spec.run.trial(trial.slug)
    return {
        "slug": trial.slug,
        "model_id": trial.model.shown_id,
        "prompt_set": trial.prompt_set,
        "temps": list(trial.temps),
        "results_dir": spec.run.relative(folder.results),
        "reports_dir": spec.run.relative(folder.reports),
        "report_path": spec.run.relative(folder.reports / "report.md"),
    }


def _settings(spec: RunSpec, manifests: Manifests, trial: Trial | None) -> object:
    config, shared, concerned = spec.config, shared_rows(spec), spec.trials if trial is None else (trial,)
    return {
        "name": config.name,
        "question": config.question,
        "config_hash": spec.config_hash,
        "version": __version__,
        "dry_run": spec.dry_run,
        "shared": [shared[each.slug] for each in concerned],
        "engines": {each.slug: _recorded(spec, manifests[each.slug], each) for each in concerned},
        **_grown_late(spec),
        **({"corrected": [_corrected(spec), spec.corrected_sources]} if spec.corrections else {}),
        **_copied(spec),
    }


def _grown_late(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says of growth: nothing where none came after statistics, and so none is reported."""
    late = [growth.after for growth in spec.growth if growth.statistics]
    return {"grown_late": msgspec.to_builtins(late)} if late else {}


def _copied(spec: RunSpec) -> dict[str, str]:
    """Return what a receipt says of a name or a question that is still the sample's: nothing where there is none."""
    warning = copied(spec)
    return {"copied": warning} if warning else {}


def _recorded(spec: RunSpec, manifest: TrialManifest, trial: Trial) -> object:
    """Return what the report takes from the trial's manifest, and from what an older tool left."""
    older = older_scores_path(spec.run.trial(trial.slug))
    tokens = {name: prompt.get("tokens") for name, prompt in manifest.prompts.items()}
    own = {name: manifest.engine_of(name) for name in trial.own_models}
    return [
        manifest.engine,
        tokens,
        *([own] if own else []),
        *([spec.run.record(older).sha256] if older.is_file() else []),
    ]


PHASE = Phase(
    name="report",
    reads=("prepare", "build", "submit", "parse", "stats", "costs"),
    settings=_settings,
    run_trial=_run_trial,
    run_whole=_run_whole,
    files=("*/reports/*", "aggregate_report.*", "multi_trial_manifest.*"),
    result=trial_result,
    manifest="multi_trial_manifest.json",
    space=lambda _spec, _size_read: _PAGE_BYTES,
)
