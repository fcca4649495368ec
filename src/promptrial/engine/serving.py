"""What can be known to be wrong with models and their servers without a call: names, options, keys, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.config.loading import LoadedConfig
from promptrial.config.schema import ExperimentConfig
from promptrial.config.tree import KeyPath
from promptrial.design.trials import models_asked
from promptrial.errors import ConfigProblemsError, MissingDependencyError, PromptrialError
from promptrial.model import ModelSpec, Trial
from promptrial.model.instances import Instance
from promptrial.phases.sent_sampling import sampling_notes
from promptrial.providers.base import BatchProvider
from promptrial.providers.capabilities import ChecksNames, FindsAddress

__all__ = [
    "misnamed",
    "misunderstood",
    "require_executor",
    "require_reachable",
    "require_understood",
    "served",
    "shown_address",
    "unsent",
    "unservable",
]


def unservable(
    config: ExperimentConfig, trials: tuple[Trial, ...], env: Mapping[str, str], *, dry_run: bool
) -> Iterator[str]:
    """Yield why a model cannot be asked: its name, an option, no weights or engine here, or no key for a hosted one."""
    models = models_asked(trials)
    yield from misnamed(models)
    yield from misunderstood(config, models)
    yield from unsendable(config, trials)
    for name in dict.fromkeys(model.provider for model in models):
        instance, kind = _server(config, name)
        if dry_run and not kind.local:
            continue
        try:
            provider = kind.open(env, instance)
        except PromptrialError as error:
            yield str(error)
            continue
        with closing(provider):
            yield from _refused(provider, [model for model in models if model.provider == name])


def served(
    loaded: LoadedConfig, models: Iterable[ModelSpec], env: Mapping[str, str], *, dry_run: bool = False
) -> tuple[str, ...]:
    """Return a line for each model that is not computed in this process: which server is asked, where, and how."""
    lines = []
    for model in models:
        instance, kind = _server(loaded.experiment, model.provider)
        if kind.local:
            continue
        where = shown_address(instance, loaded.placeholders, env) or instance.label
        where = "a local emulator" if dry_run else where
        way = "in batches" if kind.jobs else "request by request"
        key = f", key {instance.key}" if instance.key and not dry_run else ""
        lines.append(f"models.{model.alias}: {model.shown_id} at {instance.name} ({where}), {way}{key}")
    return tuple(dict.fromkeys(lines))


def shown_address(instance: Instance, placeholders: Mapping[KeyPath, str], env: Mapping[str, str]) -> str:
    """Return where an instance is asked, as it may be shown: with ``${VAR}`` as it is written; empty if it is nowhere.

    Parameters
    ----------
    instance : Instance
    placeholders : mapping
        Key path -> text with ``${VAR}``, of the configuration.
    env : mapping
        Where the address is looked up that some adapters take from a variable.
    """
    written = placeholders.get(("providers", instance.name, "base_url"))
    if written or instance.base_url:
        return written or instance.base_url
    kind = registry.load("provider", instance.adapter)
    return str(kind.address(env)) if isinstance(kind, FindsAddress) else ""


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
            instance, kind = _server(config, model.provider)
            taken = kind.understands.difference(instance.option("lacks").split())
            takes = f"it takes: {', '.join(sorted(taken))}" if taken else "it takes no such keys"
            for key in sorted(given.keys() - taken):
                where = f"models.{model.alias}.{key}: {instance.label} ({instance.adapter})"
                yield f"{where} does not take this key; {takes}\n  next: remove it, or name another `provider`"


def unsendable(config: ExperimentConfig, trials: tuple[Trial, ...]) -> Iterator[str]:
    """Yield each decoding parameter that was chosen and that a model or its server does not take."""
    yield from dict.fromkeys(text for text, refused in _samplings(config, trials) if refused)


def unsent(config: ExperimentConfig, trials: tuple[Trial, ...]) -> Iterator[str]:
    """Yield what is not sent of decoding parameters that nobody chose, because there is no such thing there."""
    yield from dict.fromkeys(text for text, refused in _samplings(config, trials) if not refused)


def _samplings(config: ExperimentConfig, trials: tuple[Trial, ...]) -> Iterator[tuple[str, bool]]:
    """Yield what adapters say about the decoding parameters of each trial and model, and whether that is a refusal."""
    for note in (note for trial in trials for note in sampling_notes(config, trial)):
        yield f"models.{note.model.alias}: {note.text}", note.refused


def require_understood(config: ExperimentConfig, trials: tuple[Trial, ...]) -> None:
    """Refuse options and decoding parameters that a server does not take.

    Raises
    ------
    ConfigProblemsError
        Naming each.
    """
    problems = [*misunderstood(config, models_asked(trials)), *unsendable(config, trials)]
    if problems:
        raise ConfigProblemsError(problems)


def require_executor(name: str) -> None:
    """Refuse an executor whose library is not installed.

    Raises
    ------
    MissingDependencyError
        Naming the command that installs it.
    """
    lacking = [each for found, each in registry.EXECUTOR_LIBRARIES.get(name, {}).items() if find_spec(found) is None]
    if lacking:
        raise MissingDependencyError(
            f"the executor {name} needs the {lacking[0]} package, which is not installed",
            hint=f"pip install 'promptrial[{name}]'",
        )


def require_reachable(config: ExperimentConfig, trials: Sequence[Trial], env: Mapping[str, str]) -> None:
    """Refuse servers whose key, account or address is missing or wrong, as far as that is known without a call.

    Raises
    ------
    ConfigProblemsError
        Naming each.
    """
    problems = []
    for name in dict.fromkeys(model.provider for model in models_asked(tuple(trials))):
        instance, kind = _server(config, name)
        if kind.local:
            continue
        try:
            kind.open(env, instance).close()
        except PromptrialError as error:
            problems.append(str(error))
    if problems:
        raise ConfigProblemsError(problems)


def _server(config: ExperimentConfig, name: str) -> tuple[Instance, type[BatchProvider]]:
    """Return an instance, and its adapter."""
    instance = instance_of(config.providers, name)
    return instance, registry.load("provider", instance.adapter)


def _refused(provider: BatchProvider, models: Sequence[ModelSpec]) -> Iterator[str]:
    """Yield why a model cannot be asked; a hosted provider is not called."""
    for model in models if provider.local else ():
        try:
            provider.check(model)
        except PromptrialError as error:
            yield str(error)
