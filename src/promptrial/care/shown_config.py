"""The resolved configuration of a file or of a run, each value with where it comes from. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import UnsetType

from promptrial.config.provenance import Given, leaves, source_of
from promptrial.config.reading import read_named
from promptrial.config.showing import annotated, complete
from promptrial.config.tree import KeyPath, parse
from promptrial.design.trials import models_used, trials_of
from promptrial.engine.origin import find_origin
from promptrial.engine.resolving import load_resolved
from promptrial.errors import CorruptRecordError
from promptrial.store import records
from promptrial.store.records import Origin, RunState
from promptrial.store.rundir import RunDir

__all__ = ["ShownConfig", "config_of_file", "config_of_run"]


@dataclass(frozen=True, slots=True)
class ShownConfig:
    """Values, where each comes from by its key path, and what people should know of it."""

    tree: Mapping[str, Any]
    sources: Mapping[KeyPath, str]
    sentences: tuple[str, ...] = ()

    def as_yaml(self, width: int | None = None) -> str:
        """Return the values as YAML that loads, each with its source as a comment; see ``annotated``."""
        return annotated(self.tree, lambda at: self.sources[at], width)


def config_of_file(
    path: Path, env: Mapping[str, str], overrides: Mapping[KeyPath, object], flags: Mapping[KeyPath, str]
) -> ShownConfig:
    """Return the configuration that a run of a file would have.

    Parameters
    ----------
    path : Path
    env : mapping
        Where ``${VAR}`` is looked up.
    overrides : mapping
        Key path -> value, from flags.
    flags : mapping
        Key path of each override -> what gave it.

    Raises
    ------
    ConfigError, DataError
        As for a run.
    """
    loaded, resolution = load_resolved(path, env, overrides)
    trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
    tree = complete(loaded, models_used(trials), {trial.prompt_set for trial in trials})
    given, lines = parse(path, read_named(path, "configuration"))
    return _shown(tree, Given(path, given, lines, flags, _paths(resolution.reasons)), resolution.sentences)


def config_of_run(run: RunDir) -> ShownConfig:
    """Return the configuration that a run uses, as its own copy has it.

    Raises
    ------
    ConfigError
        If the copy does not exist, or is damaged.
    """
    tree, lines = parse(run.config_path, read_named(run.config_path, "configuration"))
    origin = _origin(run)
    decided = {} if origin is None or isinstance(origin.decided, UnsetType) else origin.decided
    flags = {} if origin is None else dict.fromkeys(origin.overrides, "flag when the run was started")
    known = Given(run.config_path, tree, lines, _paths(flags), _paths(decided))
    return _shown(tree, known, ())


def _origin(run: RunDir) -> Origin | None:
    try:
        return Origin.of(records.load(run.state_path, RunState))
    except (FileNotFoundError, CorruptRecordError):
        return find_origin(run)


def _paths(joined: Mapping[str, str]) -> dict[KeyPath, str]:
    return {tuple(key.split("/")): value for key, value in joined.items()}


def _shown(tree: Mapping[str, Any], given: Given, sentences: tuple[str, ...]) -> ShownConfig:
    sources = {at: source_of(given, at, value, _section(tree, at)) for at, value in leaves(tree)}
    return ShownConfig(tree, sources, sentences)


def _section(tree: Any, at: KeyPath) -> Mapping[str, Any]:  # noqa: ANN401 - a tree of plain values
    for key in at[:-1]:
        tree = tree[key]
    found: Mapping[str, Any] = tree
    return found
