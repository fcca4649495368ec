"""From a YAML file, the environment and flags to a checked ``ExperimentConfig``; errors name file, line and key.

Precedence: flag, environment (``PROMPTRIAL_*``, applied by the command line), file, default. ``${VAR}`` in a value
is taken from the environment or from ``.env`` for use, and stays ``${VAR}`` in everything that is written down.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from promptrial.config.schema import ExperimentConfig, PromptConfig
from promptrial.errors import ConfigError

__all__ = ["LoadedConfig", "environment", "load_config", "models_in"]

KeyPath = tuple[str | int, ...]
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with what is needed to write it down again.

    ``placeholders`` maps the key path of every value that held ``${VAR}`` to the text as it stood in the file.
    ``folder`` is what relative paths in the file start from.
    """

    experiment: ExperimentConfig
    folder: Path
    placeholders: Mapping[KeyPath, str]


def environment(base: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment with the values of ``.env`` in ``folder`` added where it has none."""
    from dotenv import dotenv_values  # noqa: PLC0415 - only needed when a file is there

    path = folder / ".env"
    extra = {key: value for key, value in dotenv_values(path).items() if value is not None} if path.exists() else {}
    return {**extra, **base}


def load_config(path: Path, env: Mapping[str, str], overrides: Mapping[KeyPath, object] | None = None) -> LoadedConfig:
    """Read, merge and check a configuration, and read the prompt files that it names.

    Parameters
    ----------
    path : Path
        The YAML file.
    env : mapping
        Where ``${VAR}`` is looked up.
    overrides : mapping, optional
        Key path -> value, from flags; they win over the file.

    Raises
    ------
    ConfigError
        Naming the file, the line, the key, what was given and what is allowed.
    """
    text = _read_text(path, "configuration")
    tree, line_of = _parse(path, text)
    _apply(tree, overrides or {})
    placeholders: dict[KeyPath, str] = {}
    resolved = _interpolate(path, tree, env, line_of, placeholders, ())
    try:
        experiment = ExperimentConfig.model_validate(resolved)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, error, line_of))) from None
    return LoadedConfig(_with_prompts(path, experiment, line_of), path.parent, placeholders)


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: {what} file not found", hint="give the path of one, for example config/eval_config.yaml"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read this {what} file: {error}") from error


class _Loader(yaml.CSafeLoader):
    """YAML without the trap of silently keeping the last of two equal keys."""


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        node = yaml.compose(text, Loader=_Loader)
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of CSafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(tree, dict) or node is None:
        raise ConfigError(f"{path}: expected keys and values at the top level, got {type(tree).__name__}")
    line_of: dict[KeyPath, int] = {}
    _index_lines(path, node, (), line_of)
    return tree, line_of


def _index_lines(path: Path, node: yaml.Node, at: KeyPath, line_of: dict[KeyPath, int]) -> None:
    line_of.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line_of[(*at, key.value)] = key.start_mark.line + 1
            if key.value in seen:
                raise ConfigError(
                    f"{path}:{key.start_mark.line + 1}: {_dotted((*at, key.value))}: this key stands twice"
                )
            seen.add(key.value)
            _index_lines(path, value, (*at, key.value), line_of)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index_lines(path, value, (*at, index), line_of)


def _apply(tree: dict[str, Any], overrides: Mapping[KeyPath, object]) -> None:
    for at, value in overrides.items():
        branch: Any = tree
        for key in at[:-1]:
            branch = branch.setdefault(key, {})
        branch[at[-1]] = value


def _interpolate(
    path: Path,
    value: Any,  # noqa: ANN401 - a YAML tree
    env: Mapping[str, str],
    line_of: Mapping[KeyPath, int],
    placeholders: dict[KeyPath, str],
    at: KeyPath,
) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {
            str(key): _interpolate(path, item, env, line_of, placeholders, (*at, str(key)))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_interpolate(path, item, env, line_of, placeholders, (*at, index)) for index, item in enumerate(value)]
    if not isinstance(value, str) or not _VARIABLE.search(value):
        return value

    def look_up(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in env:
            raise ConfigError(
                f"{_place(path, line_of, at)}: {_dotted(at)}: the environment has no {name}",
                hint=f"export {name}=..., or put it into .env",
            )
        return env[name]

    placeholders[at] = value
    return _VARIABLE.sub(look_up, value)


def _with_prompts(path: Path, experiment: ExperimentConfig, line_of: Mapping[KeyPath, int]) -> ExperimentConfig:
    """Read every prompt file that has no text yet (a run's own ``effective_config.yaml`` carries the texts)."""

    def read(prompt: PromptConfig, at: KeyPath) -> PromptConfig:
        if prompt.sha256:
            return prompt
        try:
            text = _read_text(path.parent / prompt.path, "prompt")
        except ConfigError as error:
            raise ConfigError(f"{_place(path, line_of, at)}: {_dotted(at)}: {error.message}") from None
        if not text.strip():
            raise ConfigError(f"{_place(path, line_of, at)}: {_dotted(at)}: {path.parent / prompt.path} is empty")
        return prompt.with_text(text)

    def read_fields(owner: BaseModel, at: KeyPath) -> dict[str, PromptConfig]:
        return {name: read(getattr(owner, name), (*at, name)) for name in type(owner).model_fields}

    sets = {
        name: prompt_set.model_copy(update=read_fields(prompt_set, ("prompt_sets", name)))
        for name, prompt_set in experiment.prompt_sets.items()
    }
    instructions = experiment.task_instructions
    instructions = instructions.model_copy(update=read_fields(instructions, ("task_instructions",)))
    for name, wanted in (("open_book", ("{context}", "{question}")), ("closed_book", ("{question}",))):
        prompt: PromptConfig = getattr(instructions, name)
        missing = [field for field in wanted if prompt.text.count(field) != 1]
        if missing:
            raise ConfigError(
                f"{_place(path, line_of, ('task_instructions', name))}: task_instructions.{name}: "
                f"{prompt.path} must hold {' and '.join(missing)} exactly once"
            )
    return experiment.model_copy(update={"prompt_sets": sets, "task_instructions": instructions})


def _explain(path: Path, error: ValidationError, line_of: Mapping[KeyPath, int]) -> Iterable[str]:
    for problem in error.errors(include_url=False):
        at = tuple(key for key in problem["loc"] if key in {*_keys(line_of)} or isinstance(key, str))
        if problem["type"] == "extra_forbidden":
            yield f"{_place(path, line_of, at)}: {_dotted(at)}: unknown key{_did_you_mean(at)}"
        elif problem["type"] == "missing":
            yield f"{_place(path, line_of, at[:-1])}: {_dotted(at)}: this key is needed"
        else:
            given = problem["input"]
            shown = f"; given: {given!r}" if isinstance(given, str | int | float | bool | None) else ""
            yield f"{_place(path, line_of, at)}: {_dotted(at) or 'top level'}: {_lower(problem['msg'])}{shown}"


def _keys(line_of: Mapping[KeyPath, int]) -> set[str | int]:
    return {key for at in line_of for key in at}


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _did_you_mean(at: KeyPath) -> str:
    known = _fields_at(ExperimentConfig, at[:-1])
    close = difflib.get_close_matches(str(at[-1]), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _fields_at(model: type[BaseModel], at: KeyPath) -> list[str]:
    """Return the field names of the model that stands at a key path of the schema."""
    if not at:
        return list(model.model_fields)
    field = model.model_fields.get(str(at[0]))
    if field is None:
        return []
    for candidate, skip in models_in(field.annotation):
        found = _fields_at(candidate, at[1 + skip :])
        if found:
            return found
    return []


def models_in(annotation: Any) -> Iterable[tuple[type[BaseModel], int]]:  # noqa: ANN401 - typing forms
    """Yield each model inside an annotation, with the number of keys (dict key, list index) that lead to it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, 0
        return
    origin = getattr(annotation, "__origin__", None)
    step = 1 if origin in (dict, tuple, list) else 0
    for argument in getattr(annotation, "__args__", ()):
        for candidate, skip in models_in(argument):
            yield candidate, skip + step


def _place(path: Path, line_of: Mapping[KeyPath, int], at: KeyPath) -> str:
    while at and at not in line_of:
        at = at[:-1]
    line = line_of.get(at)
    return f"{path}:{line}" if line else str(path)


def _dotted(at: KeyPath) -> str:
    return ".".join(str(key) for key in at)
