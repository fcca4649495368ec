"""What can be known to be wrong with models and their servers without a call: names, options, keys, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.config.schema import ExperimentConfig
from promptrial.design.trials import models_asked
from promptrial.errors import ConfigProblemsError, PromptrialError
from promptrial.model import ModelSpec, Trial
from promptrial.providers.base import BatchProvider, ChecksNames

__all__ = ["misnamed", "misunderstood", "require_understood", "unservable"]


def unservable(
    config: ExperimentConfig, trials: tuple[Trial, ...], env: Mapping[str, str], *, dry_run: bool
) -> Iterator[str]:
    """Yield why a model cannot be asked: its name, an option, no weights or engine here, or no key for a hosted one."""
    models = models_asked(trials)
    yield from misnamed(models)
    yield from misunderstood(config, models)
    for name in dict.fromkeys(model.provider for model in models):
        instance = instance_of(config.providers, name)
        kind: type[BatchProvider] = registry.load("provider", instance.adapter)
        if dry_run and not kind.local:
            continue
        try:
            provider = kind.open(env, instance)
        except PromptrialError as error:
            yield str(error)
            continue
        with closing(provider):
            yield from _refused(provider, [model for model in models if model.provider == name])


def misnamed(models: Iterable[ModelSpec]) -> Iterator[str]:
    """Yield why the name of a model can be none of its provider's; nothing is opened, and no key needed."""
    for model in models:
        provider = registry.load("provider", model.adapter)
        if isinstance(provider, ChecksNames):
            try:
                provider.check_name(model)
            except PromptrialError as error:
                yield f"models.{model.alias}: {error}"


def misunderstood(config: ExperimentConfig, models: Iterable[ModelSpec]) -> Iterator[str]:
    """Yield each option of a model that its server does not take, so that it would change nothing or fail each row."""
    for model in models:
        given = model.options.given()
        if given:
            instance = instance_of(config.providers, model.provider)
            kind: type[BatchProvider] = registry.load("provider", instance.adapter)
            taken = kind.understands.difference(instance.option("lacks").split())
            takes = f"it takes: {', '.join(sorted(taken))}" if taken else "it takes none of its kind"
            for key in sorted(given.keys() - taken):
                where = f"models.{model.alias}.{key}: {instance.label} ({instance.adapter})"
                yield f"{where} does not take this key; {takes}\n  next: remove it, or name another `provider`"


def require_understood(config: ExperimentConfig, trials: tuple[Trial, ...]) -> None:
    """Refuse options that a server does not take.

    Raises
    ------
    ConfigProblemsError
        Naming each.
    """
    problems = list(misunderstood(config, models_asked(trials)))
    if problems:
        raise ConfigProblemsError(problems)


def _refused(provider: BatchProvider, models: Sequence[ModelSpec]) -> Iterator[str]:
    """Yield why a model cannot be asked; a hosted provider is not called."""
    for model in models if provider.local else ():
        try:
            provider.check(model)
        except PromptrialError as error:
            yield str(error)
