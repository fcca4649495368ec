"""The analysis plan of a run as its configuration and its questions make it now, and as it was sealed. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from promptrial import registry
from promptrial.config.effective import with_placeholders
from promptrial.config.schema import ExperimentConfig
from promptrial.config.stopping import DEFAULT_LOOKS
from promptrial.design.trials import asked_of
from promptrial.documents.analysis_plan import PLAN_FILE, AnalysisPlan, decode, differences
from promptrial.documents.files import read_bytes
from promptrial.errors import CorruptRecordError
from promptrial.model import Arm, Trial
from promptrial.model.arms import contrasts_of
from promptrial.phases import versions
from promptrial.phases.looks_taken import look_deviations
from promptrial.phases.scorers import described_scorers
from promptrial.phases.settings import evaluation_rules
from promptrial.phases.spec import RunSpec, SealedPlan
from promptrial.store.manifests import load_manifest
from promptrial.store.rundir import digest_of

__all__ = ["analysis_plan", "deviations"]

_FAMILY: Final = (
    "the primary endpoints of all contrasts of a trial are one family, corrected by {method}; those of all trials "
    "together are another one in the report of the whole run"
)
_HOLM: Final = "Holm's method"
_MAX_T: Final = "max-T over joint sign flips (Holm's method where there is one contrast)"
_STOPPING: Final = "every planned item is asked; nothing is analysed before the end"


def analysis_plan(spec: RunSpec) -> AnalysisPlan:
    """Return how a run that is prepared will be analysed.

    Raises
    ------
    CorruptRecordError
        If no whole record says which questions it has.
    """
    config = spec.config
    sections = {name: getattr(config, name).model_dump(mode="json") for name in ("stats", "scoring")}
    written = with_placeholders({**sections, "scorers": _scorers(spec)}, spec.written)
    return AnalysisPlan(
        run_id=spec.run.run_id,
        question=spec.as_written(config.question, "question"),
        sample=_sample(spec),
        trials={trial.slug: _trial(spec, trial) for trial in spec.trials},
        scorers=written["scorers"],
        analysis={
            **written["stats"],
            "missing": config.stats.missing,
            "family": _FAMILY.format(method=_MAX_T if _several_arms(spec) else _HOLM),
            "subgroups": list(config.subgroups),
            "methods": {name: registry.STATISTIC_VERSIONS.get(name, 1) for name in registry.STATISTICS},
        },
        exclusions={"unscorable": config.unscorable, **written["scoring"]},
        stopping=_stopping(config),
    )


def _stopping(config: ExperimentConfig) -> str:
    """Return in a sentence when the run may end before everything is asked."""
    rule = config.stopping
    if not rule.on:
        return _STOPPING
    waves = f"{rule.looks or DEFAULT_LOOKS} waves"
    if rule.waves is not None:
        waves = f"waves of {', '.join(map(str, rule.waves))} items and the rest"
    why = ["a difference is shown"] if rule.efficacy else []
    why += [] if rule.futility is None else [f"no difference as large as {rule.futility:g} is left"]
    return (
        f"{config.stopping_endpoint} is looked at after each of {waves} under the rule {rule.rule}, at level "
        f"{config.stats.alpha:g} for all looks and contrasts together; a trial ends once {' or '.join(why)}"
    )


def _several_arms(spec: RunSpec) -> bool:
    return any(versions.several_arms(trial.arms_run) for trial in spec.trials)


def deviations(spec: RunSpec) -> tuple[str, ...]:
    """Return in what a sealed run deviates from its plan, one line each; nothing where it was never sealed.

    That is what differs now, what was changed since and perhaps changed back, and a plan that is not the sealed one.
    """
    return tuple(_deviations(spec, spec.history.sealed)) if spec.history.sealed is not None else ()


def _deviations(spec: RunSpec, sealed: SealedPlan) -> Iterator[str]:
    path = spec.run.root / PLAN_FILE
    try:
        data = read_bytes(path)
        plan = decode(data)
    except (OSError, ValueError, RecursionError) as error:
        yield f"{PLAN_FILE} cannot be read, so the run cannot be compared with it: {_why(error)}"
    else:
        digest = hashlib.sha256(data).hexdigest()
        if digest != sealed.sha256:
            yield f"{PLAN_FILE} is not the one that was sealed: its SHA-256 is {digest}, sealed was {sealed.sha256}"
        try:
            yield from differences(plan, analysis_plan(spec))
        except CorruptRecordError as error:
            yield f"the questions of the run are not recorded: {error.message}"
    yield from sealed.changes
    for trial in spec.trials:
        yield from look_deviations(spec, trial.slug)
    for run_id in _lenders(spec):
        yield f"answers of run {run_id} are reused (--reuse): they were not requested under this plan"
    for correction in spec.corrections[sealed.corrections :]:
        for name, source in correction.sources.items():
            yield f"datasets.{name}: {source.questions} questions were corrected after sealing"


def _lenders(spec: RunSpec) -> Iterator[str]:
    """Yield the runs whose answers may be taken over, and those whose answers were, as far as records say it."""
    names = dict.fromkeys(each.run_id for each in spec.terms.reuse)
    for trial in spec.trials:
        try:
            manifest = spec.run.trial(trial.slug).load_manifest()
        except CorruptRecordError:  # which is said where its answers are read
            continue
        for part in () if manifest is None else manifest.parts.values():
            names |= dict.fromkeys(source.run_id for reused in part.reused for source in reused.sources)
    yield from names


def _why(error: Exception) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


def _scorers(spec: RunSpec) -> dict[str, Any]:
    """Return the scorers with their settings beside what they are made of, as the configuration has them."""
    found = described_scorers(spec.config)
    return {name: {**each.pop("settings"), **each} for name, each in found.items()}


def _sample(spec: RunSpec) -> dict[str, Any]:
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    if prepared is None:
        raise CorruptRecordError(
            f"{spec.run.prepared / 'manifest.json'}: missing or damaged", hint=spec.run.resume_command
        )
    rules = evaluation_rules(spec)
    return {
        "items": prepared.facts["items"],
        "seed": spec.config.seed,
        "files": {path: file.sha256 for path, file in sorted(prepared.receipt.artifacts.items())},
        "datasets": {
            name: {
                "items": source["items"],
                "content": source.get("sha256") or source.get("commit"),
                "format": source["format"],
                "rules": str(rules[name]),
                "tokens": spec.config.datasets[name].tokens if name in spec.config.datasets else None,
            }
            for name, source in prepared.facts["sources"].items()
        },
    }


def _trial(spec: RunSpec, trial: Trial) -> dict[str, Any]:
    return {
        "arms": {name: _arm(trial.arm(name)) for name in trial.arms_run},
        "contrasts": [str(each) for each in contrasts_of(trial.conditions)],
        "temperatures": list(trial.temps),
        "answers_per_item": dict(trial.samples_per_item),
        "top_p": trial.top_p,
        "top_k": trial.top_k,
        "max_new_tokens": dict(trial.max_new_tokens),
        "stop": list(spec.stop_as_written(trial)),
    }


def _arm(arm: Arm) -> dict[str, Any]:
    return {
        "prompt": arm.prompt.sha256,
        "task_instructions": digest_of(arm.templates.recorded()),
        "model": arm.model.shown_id,
        "provider": arm.model.provider,
        "model_settings": digest_of(msgspec.to_builtins(asked_of(arm.model))),
    }
