"""From the configuration's sections to the settings that the pure core takes. No decisions, only translation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from promptrial.config.schema import ExperimentConfig
from promptrial.design.trials import asked_of
from promptrial.documents.scorers import Declaration
from promptrial.model import Arm, Trial
from promptrial.phases.spec import RunSpec
from promptrial.scoring.normalize import EvaluationRules, rules_for
from promptrial.store.manifests import load_manifest
from promptrial.store.rundir import digest_of

if TYPE_CHECKING:
    from promptrial.documents.significance import StatsSettings
    from promptrial.jobs.settings import QueueSettings
    from promptrial.scoring.base import ScoringSettings

__all__ = [
    "asked_with",
    "chosen_rules",
    "evaluation_rules",
    "queue_settings",
    "scoring_settings",
    "stats_settings",
    "was_sent",
]


def scoring_settings(config: ExperimentConfig) -> ScoringSettings:
    """Return how items and answers are prepared for scoring."""
    from promptrial.scoring.base import ScoringSettings

    return ScoringSettings(extra_refusals=config.scoring.extra_refusals)


def asked_with(trial: Trial, arm: Arm) -> str:
    """Return the digest of what the requests of an arm depend on besides its prompt and the items.

    That is its model, its templates and the stop sequences; everything else is in the name of the trial.
    """
    model = asked_of(arm.model)
    return digest_of({"model": model, "templates": arm.templates.recorded(), "stop": list(trial.stop)})


def was_sent(entry: Mapping[str, Any], trial: Trial, arm: Arm) -> bool:
    """Whether an entry of a trial's manifest says that an arm was asked with this prompt, and like this.

    Only *submit* records token counts: an entry without them was made for a lost manifest, and says what is wanted now.
    One of an earlier version does not say what the arm was asked with.
    """
    wanted = asked_with(trial, arm)
    return "tokens" in entry and entry.get("sha256") == arm.prompt.sha256 and entry.get("asked_with", wanted) == wanted


def evaluation_rules(spec: RunSpec) -> dict[str, EvaluationRules]:
    """Return the rules of each data set: those chosen, else those of its file, else those of its format."""
    recorded = _recorded_rules(spec)
    return {
        name: rules_for(dataset.known_format, dataset.rules or recorded.get(name), dataset.tokens)
        for name, dataset in spec.config.datasets.items()
    }


def chosen_rules(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says about rules: nothing where every data set has those of its format."""
    recorded = _recorded_rules(spec)
    datasets = spec.config.datasets.items()
    rules = {name: chosen for name, dataset in datasets if (chosen := dataset.rules or recorded.get(name))}
    tokens = {name: dataset.tokens for name, dataset in datasets if dataset.tokens}
    return {key: chosen for key, chosen in (("rules", rules), ("tokens", tokens)) if chosen}


def _recorded_rules(spec: RunSpec) -> dict[str, str]:
    manifest = load_manifest(spec.run.prepared / "manifest.json")
    sources: dict[str, Any] = manifest.facts.get("sources", {}) if manifest is not None else {}
    return {name: source["rules"] for name, source in sources.items() if "rules" in source}


def stats_settings(config: ExperimentConfig, scorers: Mapping[str, Declaration]) -> StatsSettings:
    """Return how effects are tested; what the scores of each scorer are is as it declares them."""
    from promptrial.documents.significance import StatsSettings

    fields = {field.name for field in dataclasses.fields(StatsSettings)}
    return StatsSettings(
        **{name: value for name, value in config.stats if name in fields},
        graded=tuple(name for name, each in scorers.items() if each.scale == "continuous"),
        wanted={name: each.direction for name, each in scorers.items() if each.direction is not None},
        ranges={name: each.range for name, each in scorers.items()},
    )


_DRY_POLL_S: Final = 0.02
_DRY_OUTAGE_S: Final = 20.0
"""An emulator's clock moves on with each call, so waiting gains nothing."""


def queue_settings(spec: RunSpec) -> QueueSettings:
    """Return how patient the queue is; in a dry run it has no reason to be."""
    from promptrial.jobs.settings import QueueSettings

    execution = spec.config.execution
    settings = QueueSettings(**dict(execution), rebuy=spec.rebuy)
    if not spec.dry_run:
        return settings
    return settings.model_copy(
        update={
            "poll_interval_s": _DRY_POLL_S,
            "longest_poll_interval_s": _DRY_POLL_S,
            "settle_s": 10 * _DRY_POLL_S,
            "quota_wait_s": 10 * _DRY_POLL_S,
            "first_retry_s": _DRY_POLL_S,
            "outage_s": min(execution.outage_s, _DRY_OUTAGE_S),
        }
    )
