"""The trials that a configuration asks for, each with its arms as values. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from promptrial.config.arms import TaskInstructions
from promptrial.config.instances import instance_of
from promptrial.config.models import ModelConfig
from promptrial.config.sampling import MaxNewTokens, TrialConfig
from promptrial.config.schema import ExperimentConfig
from promptrial.errors import ConfigError
from promptrial.model import Arm, ModelSpec, Prompt, TaskTemplates, Trial
from promptrial.model.arms import ArmName
from promptrial.model.templates import DEFAULT_TEXTS

__all__ = [
    "asked_of",
    "described_model",
    "model_specs",
    "models_asked",
    "models_used",
    "own_of",
    "templates_of",
    "trials_of",
]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def trials_of(
    config: ExperimentConfig, written: Mapping[tuple[str | int, ...], str] | None = None, folder: str = ""
) -> tuple[Trial, ...]:
    """Return the trials that a configuration asks for, in a fixed order; ``folder`` is where it is.

    Raises
    ------
    ConfigError
        If two trials would have the same slug.
    """
    trials = tuple(_trial(config, spec, written or {}, folder) for spec in _trial_specs(config))
    slugs = [trial.slug for trial in trials]
    repeated = {slug for slug in slugs if slugs.count(slug) > 1}
    if repeated:
        raise ConfigError(
            f"two trials have one name: {', '.join(sorted(repeated))}; a trial is named by model, prompt set, top_p, "
            "top_k and max_new_tokens, so make these different, or list several temps in one trial"
        )
    return trials


def models_used(trials: Iterable[Trial]) -> set[str]:
    """Return the aliases of the models that trials, arms of theirs and judges name."""
    return {
        model.alias for trial in trials for model in (trial.model, *(arm.model for arm in trial.arms), *trial.judges)
    }


def models_asked(trials: Iterable[Trial]) -> tuple[ModelSpec, ...]:
    """Return the models of the arms that are run and of judges, each once, in the order of the trials."""
    return tuple(dict.fromkeys(model for trial in trials for model in (*trial.models, *trial.judges)))


def model_specs(
    config: ExperimentConfig, written: Mapping[tuple[str | int, ...], str] | None = None, folder: str = ""
) -> dict[str, ModelSpec]:
    """Return all models of a configuration by their aliases, those that no trial uses too."""
    return {alias: _model_spec(config, alias, written or {}, folder) for alias in config.models}


def own_of(arm: Arm, trial: Trial, common: TaskTemplates) -> dict[str, Any]:
    """Return what an arm has of its own: its model, and templates other than those in common."""
    own: dict[str, Any] = {} if arm.model == trial.model else {"model": described_model(arm.model)}
    return own if arm.templates == common else {**own, "templates": arm.templates.recorded()}


def described_model(model: ModelSpec) -> dict[str, Any]:
    """Return what a model is, without the folder that its configuration happens to be in."""
    values = asdict(model)
    for name in ("folder", "adapter", "options"):
        del values[name]
    if model.adapter != model.provider:
        values["adapter"] = model.adapter
    if given := model.options.given():
        values["options"] = given
    return values


def asked_of(model: ModelSpec) -> list[Any]:
    """Return what of a model is part of what is asked: where, which one, and what else its requests say."""
    given = model.options.given()
    return [model.provider, model.id, model.path, *([given] if given else [])]


def _trial_specs(config: ExperimentConfig) -> Iterator[TrialConfig]:
    if config.trials is not None:
        yield from config.trials
        return
    sweep = config.sweep
    axes: tuple[Sequence[str], Sequence[str], Sequence[float], Sequence[int], Sequence[MaxNewTokens]] = (
        sweep.models or config.models_asked_by_default,
        sweep.prompt_sets or tuple(config.prompt_sets),
        sweep.top_p or (config.top_p,),
        sweep.top_k or (config.top_k,),
        sweep.max_new_tokens or (config.max_new_tokens,),
    )
    for model, prompt_set, top_p, top_k, max_new_tokens in itertools.product(*axes):
        yield TrialConfig(model=model, prompt_set=prompt_set, top_p=top_p, top_k=top_k, max_new_tokens=max_new_tokens)


def _trial(
    config: ExperimentConfig, spec: TrialConfig, written: Mapping[tuple[str | int, ...], str], folder: str
) -> Trial:
    temps = spec.temps or config.temps
    top_p = config.top_p if spec.top_p is None else spec.top_p
    top_k = config.top_k if spec.top_k is None else spec.top_k
    limits = spec.max_new_tokens or config.max_new_tokens
    slug = _UNSAFE.sub(
        "-",
        f"{spec.model}-{spec.prompt_set}-tp{repr(top_p).removesuffix('.0')}-tk{top_k}-mx{limits.open_book}-{limits.closed_book}",
    )
    arms = _arms(config, spec, written, folder)
    return Trial(
        slug=slug,
        model=_model_spec(config, spec.model, written, folder),
        prompt_set=spec.prompt_set,
        arms=arms,
        temps=temps,
        samples_per_item={repr(temp): config.replicates(temp) for temp in temps},
        top_p=top_p,
        top_k=top_k,
        max_new_tokens={"open": limits.open_book, "closed": limits.closed_book},
        stop=config.stop,
        seed=config.seed,
        conditions=_chosen(config, spec.prompt_set, [arm.name for arm in arms]),
        judges=tuple(_model_spec(config, alias, written, folder) for alias in sorted({*config.judge_models.values()})),
    )


def _chosen(config: ExperimentConfig, prompt_set: str, names: Sequence[ArmName]) -> tuple[ArmName, ...]:
    """Return the arms of a prompt set that are to be run."""
    chosen = tuple(names if config.conditions is None else (name for name in config.conditions if name in names))
    if not chosen:
        raise ConfigError(
            f"the prompt set {prompt_set} has no arm {' or '.join(config.conditions or ())}; "
            f"its arms: {', '.join(names)}",
            hint="name one of its arms, or exclude the set with --prompt_sets",
        )
    return chosen


def _arms(
    config: ExperimentConfig, spec: TrialConfig, written: Mapping[tuple[str | int, ...], str], folder: str
) -> tuple[Arm, ...]:
    return tuple(
        Arm(
            name=name,
            prompt=Prompt(arm.prompt.text, arm.prompt.sha256),
            model=_model_spec(config, arm.model or spec.model, written, folder),
            templates=templates_of(config.task_instructions, arm.task_instructions),
        )
        for name, arm in config.prompt_sets[spec.prompt_set].arms.items()
    )


def templates_of(common: TaskInstructions, own: TaskInstructions | None = None) -> TaskTemplates:
    """Return the template of each kind of item: an arm's own, else that of the experiment, else the packaged one."""
    given = common.given | (own.given if own is not None else {})
    return TaskTemplates(**(DEFAULT_TEXTS | {kind: each.text for kind, each in given.items()}))


def _model_spec(
    config: ExperimentConfig, alias: str, written: Mapping[tuple[str | int, ...], str], folder: str
) -> ModelSpec:
    model: ModelConfig = config.models[alias]
    provider = model.provider or config.provider
    return ModelSpec(
        alias=alias,
        id=model.id,
        provider=provider,
        path=model.path,
        written_id=written.get(("models", alias, "id")),
        folder=folder,
        adapter=instance_of(config.providers, provider).adapter,
        options=model.options,
    )
