"""From a YAML file, the environment and flags to a checked ``ExperimentConfig``; errors name file, line and key.

Precedence: flag, environment (``PROMPTRIAL_*``, applied by the command line), ``.env``, file, default. ``${VAR}`` in a
value is taken from the environment or from ``.env`` for use, and stays ``${VAR}`` in everything that is written down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from promptrial.config.code import is_carried, read_code
from promptrial.config.environment import VARIABLE, environment, remember_secrets
from promptrial.config.explaining import explain
from promptrial.config.flags import flag_of
from promptrial.config.labels import read_labels
from promptrial.config.prompts import read_prompts
from promptrial.config.reading import read_named
from promptrial.config.schema import ExperimentConfig
from promptrial.config.secrets import hidden, misplaced_secrets, secret_values
from promptrial.config.short_forms import write_out_servers
from promptrial.config.tree import KeyPath, Lines, dotted, parse, place
from promptrial.errors import ConfigError, ConfigProblemsError
from promptrial.model.arms import PAIR, SECOND_ASK
from promptrial.model.templates import KINDS

__all__ = ["KeyPath", "LoadedConfig", "environment", "load_config", "placeholder_of_value"]

_SHOWN: Final = 20
_TEXTS_OF_AN_ARM: Final[frozenset[KeyPath]] = frozenset(
    {
        ("text",),
        ("prompt", "text"),
        *(("task_instructions", kind, "text") for kind in KINDS),
    }
)
"""Keys that lead from an arm to a text that is sent."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with what is needed to write it down again.

    ``placeholders`` maps the key path of every value that held ``${VAR}`` to the text as it was in the file.
    ``folder`` is what relative paths in the file start from. ``carried`` holds the SHA-256 of each text of code that
    was in the configuration itself, and was not read from a file beside it.
    """

    experiment: ExperimentConfig
    folder: Path
    placeholders: Mapping[KeyPath, str]
    carried: frozenset[str] = frozenset()

    def with_values(self) -> LoadedConfig:
        """Return it as it is to be written down: with the values of ``${VAR}``, except for those that may be secret."""
        return replace(self, placeholders=hidden(self.placeholders))


def load_config(
    path: Path,
    env: Mapping[str, str],
    overrides: Mapping[KeyPath, object] | None = None,
    *,
    unused_may_lack: bool = False,
    wrong_files: list[str] | None = None,
) -> LoadedConfig:
    """Read, merge and check a configuration, and read the prompt files that it names.

    Parameters
    ----------
    path : Path
        The YAML file.
    env : mapping
        Where ``${VAR}`` is looked up.
    overrides : mapping, optional
        Key path -> value, from flags; they win over the file.
    unused_may_lack : bool
        Whether a prompt set that no trial uses may name files that do not exist; it then has no texts.
    wrong_files : list of str, optional
        Gets what is wrong with prompts and files of scorers; these are left out then, and nothing is raised for them.

    Side effects: the keys of its servers are remembered as secrets, so that no message of this process holds them.

    Raises
    ------
    ConfigError
        Naming the file, the line, the key, what was given and what is allowed.
    """
    text = read_named(path, "configuration")
    tree, line_of = parse(path, text)
    _apply(path, tree, line_of, overrides or {})
    write_out_servers(tree)
    placeholders: dict[KeyPath, str] = {}
    resolved = _interpolate(path, tree, env, line_of, placeholders, ())
    try:
        # A flag may leave a temperature out that the file gives replicates for; only the file's own slips are errors.
        flags = {"temps", "trials"} & {at[0] for at in overrides or ()}
        experiment = ExperimentConfig.model_validate(resolved, context={"temps_from_flags": bool(flags)})
    except ValidationError as error:
        # A short form may be wrong in each of the keys that it stands for: that is said once.
        by_flag = partial(flag_of, given=overrides or {}, env=env)
        problems = list(dict.fromkeys(explain(path, error, resolved, line_of, placeholders, by_flag)))
        more = [f"{path}: and {len(problems) - _SHOWN:,} more problems"] if len(problems) > _SHOWN else []
        raise ConfigProblemsError([*problems[:_SHOWN], *more]) from None
    remember_secrets(secret_values(experiment.providers, placeholders, env))
    for at, problem in misplaced_secrets(experiment.providers, placeholders):
        raise ConfigError(f"{place(path, line_of, at)}: {dotted(at)}: {problem}")
    if experiment.aa:
        placeholders |= _of_second_ask(placeholders)
    experiment = _placed(experiment, path.parent)
    strict = set(experiment.prompt_sets) if not unused_may_lack else _used_sets(experiment)
    carried = {name for name, entry in (experiment.scorers or {}).items() if is_carried(path, entry)}
    wrong: list[str] = []
    experiment = read_code(path, read_prompts(path, experiment, line_of, strict, wrong), line_of, wrong)
    labels = read_labels(path, experiment.labels, line_of, wrong)
    experiment = experiment.model_copy(update={"labels": labels})
    if wrong and wrong_files is None:
        raise ConfigProblemsError(wrong)
    if wrong_files is not None:
        wrong_files += wrong
    in_use = experiment.scorers_in_use
    digests = frozenset(in_use[name].sha256 for name in carried if name in in_use)
    return LoadedConfig(experiment, path.parent, _in_full(placeholders), digests)


def _placed(experiment: ExperimentConfig, folder: Path) -> ExperimentConfig:
    """Return the configuration with the files of certificates found from its own folder."""
    placed = {
        name: entry.model_copy(update={"ca_file": str(folder / Path(entry.ca_file).expanduser())})
        for name, entry in experiment.providers.items()
        if entry.ca_file is not None
    }
    return experiment.model_copy(update={"providers": experiment.providers | placed}) if placed else experiment


def _of_second_ask(placeholders: Mapping[KeyPath, str]) -> dict[KeyPath, str]:
    """Return the places of an A/A run's second ask in which the control holds ``${VAR}``."""
    return {
        (*at[:2], "treatments", SECOND_ASK, *at[3:]): text
        for at, text in placeholders.items()
        if at[0] == "prompt_sets" and at[2:3] == PAIR[:1]
    }


def placeholder_of_value(placeholders: Mapping[KeyPath, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each text that holds ``${VAR}``, mapped to the text."""
    return {VARIABLE.sub(lambda match: env[match[1]], text): text for text in placeholders.values()}


_SHORT: Final = {"models": "id", "datasets": "path"}
"""Sections whose entries may be a text, and the key that the text is for."""


def _in_full(placeholders: Mapping[KeyPath, str]) -> dict[KeyPath, str]:
    """Return the key paths as they are where no entry is given in its short form."""
    return {
        (*at, _SHORT[str(at[0])]) if len(at) == 2 and at[0] in _SHORT else at: text for at, text in placeholders.items()
    }


def _apply(path: Path, tree: dict[str, Any], line_of: Lines, overrides: Mapping[KeyPath, object]) -> None:
    for at, value in overrides.items():
        branch: Any = tree
        _write_out(tree, at)
        for depth, key in enumerate(at[:-1], 1):
            if branch.get(key) is None:
                branch[key] = {}
            branch = branch[key]
            if not isinstance(branch, dict):
                raise ConfigError(f"{place(path, line_of, at[:depth])}: {dotted(at[:depth])}: expected keys and values")
        branch[at[-1]] = value
    if ("temps",) in overrides:  # a flag wins over the file, and so over what each trial of the file says
        for trial in tree["trials"] if isinstance(tree.get("trials"), list) else ():
            if isinstance(trial, dict):
                trial.pop("temps", None)


def _write_out(tree: dict[str, Any], at: KeyPath) -> None:
    """Write a model or a data set that is given as a text as the section that it stands for."""
    section = tree.get(str(at[0]))
    if len(at) > 2 and at[0] in _SHORT and isinstance(section, dict) and isinstance(section.get(at[1]), str):
        section[at[1]] = {_SHORT[str(at[0])]: section[at[1]]}


def _interpolate(
    path: Path,
    value: Any,  # noqa: ANN401 - a YAML tree
    env: Mapping[str, str],
    line_of: Lines,
    placeholders: dict[KeyPath, str],
    at: KeyPath,
) -> Any:  # noqa: ANN401 - a tree of plain values
    if isinstance(value, dict):
        for key in value:
            _check_text(place(path, line_of, (*at, key)), dotted(at) or "the top level", key)
        return {key: _interpolate(path, item, env, line_of, placeholders, (*at, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(path, item, env, line_of, placeholders, (*at, index)) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if _is_text(at) or not VARIABLE.search(value):
        _check_text(place(path, line_of, at), dotted(at), value)
        return value

    def look_up(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in env:
            raise ConfigError(
                f"{place(path, line_of, at)}: {dotted(at)}: the environment variable {name} is not set",
                hint=f"export {name}=..., or put it in .env",
            )
        return env[name]

    placeholders[at] = value
    filled = VARIABLE.sub(look_up, value)
    _check_text(place(path, line_of, at), dotted(at), filled)
    return filled


def _check_text(where: str, key: str, text: object) -> None:
    """Refuse what no file name, record or request can hold."""
    if isinstance(text, str):
        if "\0" in text:
            raise ConfigError(f"{where}: {key}: a NUL character is not allowed in a value or a key")
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ConfigError(f"{where}: {key}: not valid Unicode text: it holds bytes that are not UTF-8")


def _is_text(at: KeyPath) -> bool:
    """Whether the text of a prompt or of code is here, which may speak of ``${VAR}`` and is used as it is."""
    if at[0] != "prompt_sets":
        return at[0] in {"task_instructions", "scorers"} and at[2:] == ("text",)
    in_arm = at[4:] if at[2:3] == ("treatments",) else at[3:]
    return in_arm in _TEXTS_OF_AN_ARM


def _used_sets(experiment: ExperimentConfig) -> set[str]:
    """Return the names of the prompt sets that trials use."""
    if experiment.trials is not None:
        return {trial.prompt_set for trial in experiment.trials}
    return set(experiment.sweep.prompt_sets or experiment.prompt_sets)
