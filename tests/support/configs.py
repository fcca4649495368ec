"""The smallest configuration that loads, in a folder, for tests that change one thing about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from promptrial.config.effective import effective
from promptrial.config.loading import LoadedConfig, load_config
from promptrial.config.tree import KeyPath
from promptrial.design.trials import models_used, trials_of
from promptrial.errors import ConfigError

PROMPTS = {
    "control.txt": "You are careful.\n",
    "treatment.txt": "Be accurate.\n",
    "unused.txt": "Be brief.\n",
    "open.txt": "Passage: {context}\nQuestion: {question}\n",
    "closed.txt": "Question: {question}\n",
}


def base() -> dict[str, Any]:
    """Return the values of a configuration with one model and one prompt set."""
    return {
        "models": {"m1": {"id": "vendor/model-1"}},
        "prompt_sets": {"main": {"control": "control.txt", "treatment": "treatment.txt"}},
        "task_instructions": {"open_book": "open.txt", "closed_book": "closed.txt"},
        "datasets": {"questions": {"format": "custom", "path": "questions.jsonl"}},
    }


def write(folder: Path, config: Mapping[str, Any] | str, prompts: Mapping[str, str] | None = None) -> Path:
    """Write prompt files and a configuration (values, or the text itself); return its path."""
    for name, text in (PROMPTS | dict(prompts or {})).items():
        (folder / name).write_bytes(text.encode())
    path = folder / "eval.yaml"
    text = config if isinstance(config, str) else yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    path.write_text(text)
    return path


def loaded(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[KeyPath, object] | None = None,
    prompts: Mapping[str, str] | None = None,
) -> LoadedConfig:
    """Return the base configuration with some top-level keys changed, as the program reads it."""
    return load_config(write(folder, base() | dict(changes or {}), prompts), env or {}, overrides)


def tree_of(config: LoadedConfig) -> dict[str, Any]:
    """Return the effective configuration, with the models and prompt sets that its trials use."""
    trials = trials_of(config.experiment)
    return effective(config, models_used(trials), {trial.prompt_set for trial in trials})


def complaint(folder: Path, config: Mapping[str, Any] | str, env: Mapping[str, str] | None = None) -> str:
    """Return the error of a configuration that does not load, its path written ``FILE``."""
    path = write(folder, config)
    try:
        load_config(path, env or {})
    except ConfigError as error:
        return str(error).replace(str(path), "FILE").replace(f"{folder}/", "")
    raise AssertionError("this configuration loads")
