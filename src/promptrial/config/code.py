"""Code that a configuration names: read and hashed here, and never run. Where it may stand is decided here too."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Final

from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PYTHON, ScorerConfig
from promptrial.config.tree import Lines, dotted, place
from promptrial.documents.files import read_text
from promptrial.errors import ConfigError

__all__ = ["read_code"]

_MAX_BYTES: Final = 1_000_000


def read_code(path: Path, experiment: ExperimentConfig, line_of: Lines) -> ExperimentConfig:
    """Return the configuration with the text and the digest of every scorer that stands in a file.

    A run's own copy of the configuration carries both, and no file is read.

    Raises
    ------
    ConfigError
        Naming file, line and key: if the file lies outside the folder of the configuration, also by way of a link,
        cannot be read, or is not what the digest says.
    """
    entries = dict(experiment.scorers or {})
    for name, entry in entries.items():
        if entry.type == PYTHON:
            try:
                entries[name] = _with_code(path.parent, entry)
            except ConfigError as error:
                at = ("scorers", name, "file")
                raise ConfigError(f"{place(path, line_of, at)}: {dotted(at)}: {error.message}") from None
    return experiment.model_copy(update={"scorers": entries}) if entries else experiment


def _with_code(folder: Path, entry: ScorerConfig) -> ScorerConfig:
    text = entry.text or _read(folder, entry.file)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if entry.sha256 not in {"", sha256}:
        raise ConfigError(f"the text of {entry.file} has SHA-256 {sha256}, not {entry.sha256} as given here")
    return entry.model_copy(update={"text": text, "sha256": sha256})


def _read(folder: Path, file: str) -> str:
    path, relative = folder / file, PurePosixPath(file)
    outside = relative.is_absolute() or ".." in relative.parts
    try:
        if outside or not path.resolve(strict=True).is_relative_to(folder.resolve(strict=True)):
            raise ConfigError(f"{file} leads out of the folder of the configuration; code must stand below it")
        text = read_text(path, _MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"{path}: file not found") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # bytes that are not UTF-8
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if not text.strip():
        raise ConfigError(f"{path} is empty")
    return text
