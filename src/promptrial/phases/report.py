"""Report: from statistics and costs to pages that a colleague can read. Reads and writes; words are ``reporting``'s."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from promptrial import __version__
from promptrial.model import Trial
from promptrial.phases.base import Manifests, Phase, Produced
from promptrial.phases.copied import copied
from promptrial.phases.older import older_scores_path
from promptrial.phases.reused import reused_by
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.unused import of_spending
from promptrial.phases.work import shared_rows
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.records import TrialManifest

if TYPE_CHECKING:
    from promptrial.reporting.facts import OneControl, RunFacts, TrialResult, UnfinishedFacts
    from promptrial.reporting.tables import PrimaryKey

__all__ = ["PHASE", "run_page"]

_PAGE_BYTES: Final = 16 << 20
"""What the page of a run has at most, however much it was made from."""


def _sealed(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says about the sealed plan: nothing where there is none."""
    from promptrial.phases.sealed_plan import deviations

    sealed = spec.history.sealed
    return {} if sealed is None else {"seal": [sealed.sha256, list(deviations(spec))]}


def _run_trial(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    """Write the report of a trial, its details, and the plots that the report shows."""
    from promptrial.phases.power_curves import power_curves
    from promptrial.phases.report_facts import trial_result
    from promptrial.phases.what_changed import what_changed  # these a plan does without
    from promptrial.reporting.details import trial_details
    from promptrial.reporting.markdown import trial_plots, trial_report
    from promptrial.reporting.tables.words import wording

    folder = spec.run.trial(trial.slug).reports
    result = trial_result(spec, services, trial)
    with wording(result.facts.scorers):
        changed = what_changed(spec, result)
        power = power_curves(result.significance) if result.facts.compares else ()
        made = {
            "report.md": trial_report(result, changed),
            "details.md": trial_details(result.facts, result.significance, result.costs, power, result.agreement),
            **trial_plots(result, changed, power),
        }
    return Produced({folder / name: _write(folder / name, text) for name, text in made.items()})


def _run_whole(spec: RunSpec, services: Services) -> Produced:
    """Write the report of all trials, their primary tests corrected together, and the page with every item."""
    from promptrial.phases.one_control import of_one_control
    from promptrial.phases.report_facts import run_facts, trial_result
    from promptrial.reporting.markdown import aggregate_report
    from promptrial.reporting.tables.words import wording

    results = [trial_result(spec, services, trial) for trial in spec.trials]
    facts = run_facts(spec)
    with wording(results[0].facts.scorers if results else {}):
        together = of_one_control(spec, results)
        adjusted, by_max_t = _adjusted(results, together)
        page = aggregate_report(facts, results, adjusted, together, by_max_t=by_max_t)
        made = {spec.run.aggregate_report: page}
    made[spec.run.report_page] = _page(spec, facts, results)
    trials = [_describe(spec, trial) for trial in spec.trials]
    artifacts = {path: _write(path, text) for path, text in made.items()}
    return Produced(artifacts, {"run_id": spec.run.run_id, "trials": trials})


def run_page(
    spec: RunSpec,
    services: Services,
    *,
    texts: bool = True,
    unfinished: Callable[[Trial], UnfinishedFacts | None] = lambda _trial: None,
) -> str:
    """Return the page of a run, with or without its texts.

    ``unfinished`` returns what is said about a trial whose results are not those of the whole run as it is now.

    Raises
    ------
    FileNotFoundError
        If a phase before *report* is not done.
    """
    from promptrial.phases.report_facts import marked, run_facts, trial_result

    results = [marked(trial_result(spec, services, trial), unfinished(trial)) for trial in spec.trials]
    found = next((each.facts.run.unfinished for each in results if each.facts.run.unfinished is not None), None)
    return _page(spec, replace(run_facts(spec), unfinished=found), results, texts=texts)


def _page(spec: RunSpec, facts: RunFacts, results: list[TrialResult], *, texts: bool = True) -> str:
    from promptrial.phases.page import run_pages
    from promptrial.reporting.page.html import report_page
    from promptrial.reporting.tables.words import wording

    with wording(results[0].facts.scorers if results else {}):
        return report_page(facts, run_pages(spec, results, texts=texts))


def _write(path: Path, text: str) -> FileRecord:
    with AtomicFile(path) as file:
        file.write(text.encode())
    return FileRecord(file.sha256(), file.size)


def _adjusted(
    results: list[TrialResult], together: Sequence[OneControl]
) -> tuple[dict[PrimaryKey, float | None], bool]:
    """Correct the primary p-values of all trials together, and say whether by max-T; None where there was no test.

    Max-T does it where all contrasts share one control: those of a single trial, or of trials that asked it once.
    Holm's method does it otherwise.
    """
    from promptrial.reporting.tables import primary_p_values
    from promptrial.stats.adjusted_p_values import holm

    raw = primary_p_values(results)
    for group in together:
        if {*group.trials} == {result.facts.trial.slug for result in results}:
            return {key: group.adjusted.get(key) for key in raw}, True
    only = results[0].significance if len(results) == 1 else None
    if only is not None and only.simultaneous and only.looks is UNSET:
        rows, slug = only.simultaneous, results[0].facts.trial.slug
        own = {(slug, row.compared, row.metric, row.temp): row.p_step_down for row in rows}
        return {key: own.get(key) for key in raw}, True
    tested = {key: p for key, p in raw.items() if p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {key: float(adjusted[key]) if key in adjusted else None for key in raw}, False


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
        **({} if spec.history.pilot is None else {"pilot": spec.history.pilot}),
        **({"corrected": [spec.n_corrected, spec.corrected_sources]} if spec.corrections else {}),
        **_copied(spec),
        **_reused(spec, manifests, concerned),
        **_sealed(spec),
        **(_judged(concerned) | _spending(spec) if trial is None else {}),
    }


def _judged(trials: Iterable[Trial]) -> dict[str, int]:
    """Return what a receipt says about the page's reasons of judges: their version; nothing where no judge is asked."""
    return {"reasons": 1} if any(trial.judges for trial in trials) else {}


def _spending(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says about what the run has spent: nothing where none of it is on record."""
    spending = of_spending(spec)
    return {"spending": spending} if spending else {}


def _grown_late(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says about growth: nothing where none came after statistics, and so none is reported."""
    late = [growth.after for growth in spec.growth if growth.statistics]
    return {"grown_late": msgspec.to_builtins(late)} if late else {}


def _copied(spec: RunSpec) -> dict[str, str]:
    """Return what a receipt says about a name or a question that is still the sample's: nothing where there is none."""
    warning = copied(spec)
    return {"copied": warning} if warning else {}


def _reused(spec: RunSpec, manifests: Manifests, trials: Iterable[Trial]) -> dict[str, Any]:
    """Return what a receipt says about answers that were taken over from other runs: nothing where there are none."""
    found = {trial.slug: each for trial in trials if (each := reused_by(spec, manifests, trial))}
    return {"reused": msgspec.to_builtins(found)} if found else {}


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


def _result(spec: RunSpec, services: Services, trial: Trial) -> TrialResult:
    from promptrial.phases.report_facts import trial_result

    return trial_result(spec, services, trial)


PHASE = Phase(
    name="report",
    reads=("prepare", "build", "submit", "parse", "score", "stats", "costs"),
    settings=_settings,
    run_trial=_run_trial,
    run_whole=_run_whole,
    files=("*/reports/*", "aggregate_report.*", "report.html", "multi_trial_manifest.*"),
    result=_result,
    manifest="multi_trial_manifest.json",
    space=lambda _spec, size_read: min(_PAGE_BYTES, 2 * size_read),
    version=4,
)
