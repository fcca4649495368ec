"""From an older run's parameters to a configuration of our own. Pure.

The older tool kept neither the prompts' texts nor the questions' sources: prompts are ``lost`` (known by digest alone),
and the data sets are the prepared ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptrial import registry
from promptrial.legacy.reading import LegacyRun, LegacyTrial
from promptrial.model.arms import PAIR

__all__ = ["converted"]

_LEAST_SAMPLES = {"bootstrap_samples": 1000, "permutation_samples": 999}


def converted(run: LegacyRun, name: str, datasets: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of an older run, as the values of a YAML file.

    Parameters
    ----------
    run : LegacyRun
    name : str
        The experiment's name in reports.
    datasets : sequence of str
        The names of the data sets that its items come from.
    """
    return {
        "name": name,
        "question": "",
        "provider": "fireworks",
        "models": {trial.alias: {"id": trial.model_id} for trial in run.trials},
        "prompt_sets": {trial.prompt_set: _prompt_set(trial) for trial in run.trials},
        "task_instructions": {kind: _lost(f"{kind} instruction") for kind in ("open_book", "closed_book")},
        "datasets": {
            dataset: {"format": dataset if dataset in registry.DATASETS else "custom", "path": "prepared"}
            for dataset in datasets
        },
        "temps": list(run.trials[0].temps),
        "samples_per_item": dict(run.trials[0].samples_per_item) or 1,
        "stop": list(run.config.get("stop") or []),
        "scoring": {"unsupported": _unsupported(run.config)},
        "stats": _stats(run.config),
        "pricing": _pricing(run),
        "trials": [_trial(trial) for trial in run.trials],
    }


def _prompt_set(trial: LegacyTrial) -> dict[str, Any]:
    return {name: _lost(f"{name} prompt of {trial.prompt_set}", trial.prompts.get(name, "")) for name in PAIR}


def _lost(what: str, sha256: str = "") -> dict[str, Any]:
    return {"path": f"the {what} is not recorded", "sha256": sha256, "lost": True}


def _trial(trial: LegacyTrial) -> dict[str, Any]:
    return {
        "model": trial.alias,
        "prompt_set": trial.prompt_set,
        "temps": list(trial.temps),
        "top_p": trial.top_p,
        "top_k": trial.top_k,
        "max_new_tokens": dict(trial.max_new_tokens),
    }


def _unsupported(config: Mapping[str, Any]) -> dict[str, Any]:
    old = config.get("unsupported") or {}
    strategy = old.get("strategy") if old.get("strategy") in {"overlap", "exact"} else "overlap"
    return {"strategy": strategy, "min_token_overlap": old.get("min_token_overlap", 0.6)}


def _stats(config: Mapping[str, Any]) -> dict[str, Any]:
    old = config.get("stats") or {}
    found: dict[str, Any] = {name: max(least, old.get(name, 10_000)) for name, least in _LEAST_SAMPLES.items()}
    given = (old.get("tost_margins") or {}).items()
    margins = {name: margin for name, margin in given if name in registry.DEFAULT_PACK}
    return found | {"random_seed": old.get("random_seed", 1337), "tost_margins": margins}


def _pricing(run: LegacyRun) -> dict[str, Any]:
    old = run.config.get("pricing") or {}
    if "input_per_million" not in old:
        return {}
    price = {name: old[name] for name in ("input_per_million", "output_per_million")}
    models = {trial.alias: price for trial in run.trials}
    return {"fireworks": {"batch_discount": old.get("batch_discount", 0.0), "models": models}}
