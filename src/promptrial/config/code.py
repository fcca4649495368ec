"""Code and schemas that a configuration names: read and hashed here, never run. Where they may lie is decided here.

The folder of a run may come from anybody: no file in it is read for code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from promptrial import registry
from promptrial.config.commands import COMMAND, command_digest
from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PYTHON, ScorerConfig
from promptrial.config.tree import KeyPath, Lines, dotted, place
from promptrial.config.typed import SettingsError, typed
from promptrial.documents.files import read_text
from promptrial.errors import ConfigError

__all__ = ["allowed_as", "is_carried", "lies_in_a_run", "program_digest", "read_code"]

_MAX_BYTES: Final = 1_000_000
_FUNCTIONS: Final = "docs/own_scorers.md#a-function-of-your-own shows what a function may ask for"
_PROGRAMS: Final = "docs/own_scorers.md#a-program-of-your-own shows what a program may be"
_OF_A_RUN: Final = ("effective_config.yaml", "run_state.json", "MANIFEST.json")
"""Files by which the folder of a run is known, also one that was unpacked from an archive by hand."""


def read_code(path: Path, experiment: ExperimentConfig, line_of: Lines, problems: list[str]) -> ExperimentConfig:
    """Return the configuration with the text and the digest of the file of every scorer that has one.

    A run's own copy of the configuration carries both, and no file is read. One without a text is damaged. The text of
    a file with a function is parsed, never run, so that a name or a setting that does not fit is an error before
    anything is asked.

    ``problems`` gets one for each scorer, naming file, line and key, whose file lies outside the folder of the
    configuration or in that of a run, also by way of a link, cannot be read, is not what the digest says, or has no
    such function. That scorer is left out.
    """
    entries = dict(experiment.scorers or {})
    for name, entry in list(entries.items()):
        if entry.file or entry.kind == COMMAND:
            try:
                entries[name] = _with_code(path, entry) if entry.file else _with_program(path, entry)
                if entry.file and not entry.text:
                    _check(entries[name])
            except ConfigError as error:
                at: KeyPath = ("scorers", name, "file" if entry.file else "command")
                hint = _PROGRAMS if entry.kind == COMMAND else None
                problem = error.message
            except SettingsError as error:
                at = ("scorers", name, error.key or "file")
                problem = f"{entry.path}: {error.problem}"
                hint = _FUNCTIONS if entry.type == PYTHON else None
            else:
                continue
            problems.append(str(ConfigError(f"{place(path, line_of, at)}: {dotted(at)}: {problem}", hint=hint)))
            del entries[name]
    return experiment.model_copy(update={"scorers": entries}) if experiment.scorers else experiment


def is_carried(path: Path, entry: ScorerConfig) -> bool:
    """Whether the code of an entry comes with the configuration itself, and is not read from a file beside it."""
    return bool(entry.text) or (entry.kind == COMMAND and lies_in_a_run(path))


def _with_program(path: Path, entry: ScorerConfig) -> ScorerConfig:
    """Return an entry with the digest of its program; a run's own copy of the configuration has it."""
    if is_carried(path, entry):
        if not entry.sha256:
            raise ConfigError("the digest of the program is missing from the run's own copy, which is damaged")
        return entry
    program = typed(registry.load("scorer", entry.kind), entry.settings)
    sha256 = program_digest(path.parent, program.command, program.files, os.environ)
    if entry.sha256 not in {"", sha256}:
        raise ConfigError(f"the program has SHA-256 {sha256}, not {entry.sha256} as given here")
    return entry.model_copy(update={"sha256": sha256})


def program_digest(folder: Path, words: Sequence[str], files: Sequence[str], env: Mapping[str, str]) -> str:
    """Return the digest of a program, as ``command_digest`` does, unless it is in the folder of a run.

    Raises
    ------
    ConfigError
        If it does, and as ``command_digest``.
    """
    for file in (*words, *files):
        _check_in_no_run(folder / file, file)
    return command_digest(folder, words, files, env)


def allowed_as(entry: ScorerConfig, folder: Path) -> str:
    """Return the digest under which it is kept that the code of an entry may run.

    A program can load what lies beside it, which its own digest does not cover. So what is allowed is that program in
    that folder; the text of a Python file is the same wherever it is.
    """
    if entry.kind != COMMAND:
        return entry.sha256
    return hashlib.sha256(f"{entry.sha256}\0{folder.resolve()}".encode()).hexdigest()


def _check(entry: ScorerConfig) -> None:
    """Check the text of a file that was read, without running it."""
    from promptrial.config.functions import check_text

    if entry.function:
        check_text(entry.text, entry.function, entry.settings)
    elif entry.type != PYTHON:
        try:
            typed(registry.load("scorer", entry.kind), entry.with_text)
        except SettingsError as error:
            raise SettingsError(error.problem, "" if error.key == entry.file_setting else error.key) from None


def _with_code(path: Path, entry: ScorerConfig) -> ScorerConfig:
    text = entry.text or _read(path, entry.path)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if entry.sha256 not in {"", sha256}:
        raise ConfigError(f"the text of {entry.path} has SHA-256 {sha256}, not {entry.sha256} as given here")
    return entry.model_copy(update={"text": text, "sha256": sha256})


def lies_in_a_run(path: Path) -> bool:
    """Whether a file lies in the folder of a run: as its path is written, or as it is with links followed."""
    folders = {*Path(os.path.abspath(path)).parents, *path.resolve().parents}  # noqa: PTH100 - links are not followed
    return any(os.path.lexists(folder / name) for folder in folders for name in _OF_A_RUN)


def _check_in_no_run(path: Path, file: str) -> None:
    """Refuse a file in the folder of a run, which may be somebody else's."""
    if lies_in_a_run(path):
        raise ConfigError(f"{file} is in the folder of a run; read it, then copy it to a folder of your own")


def _read(configuration: Path, file: str) -> str:
    if lies_in_a_run(configuration):
        raise ConfigError(f"the text of {file} is missing from the run's own copy, which is damaged")
    folder, relative = configuration.parent, PurePosixPath(file)
    path, outside = folder / file, relative.is_absolute() or ".." in relative.parts
    try:
        real = path.resolve(strict=True)
        if outside or not real.is_relative_to(folder.resolve(strict=True)):
            raise ConfigError(f"{file} is outside the folder of the configuration; it must be below it")
        _check_in_no_run(path, file)
        text = read_text(real, _MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"{path}: file not found") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # bytes that are not UTF-8
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if not text.strip():
        raise ConfigError(f"{path} is empty")
    return text
