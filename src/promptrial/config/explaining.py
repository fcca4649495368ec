"""What is wrong with a configuration, in sentences: file and line, key, what was given, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from promptrial.config.key_shapes import without_keys
from promptrial.config.near_keys import examples, meant
from promptrial.config.schema import ExperimentConfig
from promptrial.config.tree import KeyPath, Lines, dotted, place

__all__ = ["explain", "models_in"]

_WORDS: Final[Mapping[str, str]] = {
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "too_short": "needs {min_length} or more entries",
    "too_long": "may have at most {max_length} entries",
    "string_too_short": "may not be empty",
}
_SHORT_FORMS: Final[Mapping[str, str]] = {
    "ArmConfig": "expected the path of a file",
    "PromptConfig": "expected the path of a file",
    "DatasetConfig": "expected the path of a file, or keys and values",
    "ModelConfig": "expected the id of a model, or keys and values",
    "MaxNewTokens": "expected a whole number, or keys and values",
}
"""What is expected where a section may be given in a short form."""
_ONE_FILE: Final = "expected one file: give each a name of its own, as in `datasets: {first: a.csv, second: b.csv}`"
_LONGEST: Final = 800
_OURS: Final = ("value_error", "wrong_together")
"""Problems worded by our own rules, which name the value themselves."""
_INSTEAD_OF_INPUT: Final = re.compile(r"^(Input|String) should (be|match|have)\b")


def explain(
    path: Path,
    error: ValidationError,
    tree: object,
    line_of: Lines,
    placeholders: Mapping[KeyPath, str],
    flag: Callable[[KeyPath], str] = lambda _at: "",
) -> Iterable[str]:
    """Yield one sentence for each problem.

    Parameters
    ----------
    path : Path
        The file that the tree was read from.
    error : ValidationError
    tree : plain values
        What was checked.
    line_of : mapping
        Key path -> line.
    placeholders : mapping
        Key path -> text with ``${VAR}``; shown in place of the value, which may be a secret.
    flag : callable
        Key path -> the flag that gave its value in place of the file; empty if none did.
    """
    for problem in error.errors(include_url=False):
        if problem["type"] == "too_short" and problem["input"]:
            continue  # entries were given; that they are wrong is said for each
        at = _key_path(problem, tree)
        sentence = _sentence(problem, at, tree, placeholders)
        if at[:1] == ("providers",):
            sentence = without_keys(sentence, problem["input"])
        sentence = _shortened(sentence)
        where = flag(at) or f"{place(path, line_of, at)}: {dotted(at) or 'top level'}"
        yield f"{where}: {sentence}"


def _shortened(sentence: str) -> str:
    """Return a sentence that fits on a screen, whatever the value is that it names."""
    left_out = len(sentence) - _LONGEST
    if left_out <= 0:
        return sentence
    return f"{sentence[: _LONGEST // 2]} … ({left_out:,} characters omitted) … {sentence[-_LONGEST // 2 :]}"


def _key_path(problem: ErrorDetails, tree: object) -> KeyPath:
    """Return the keys that lead to a problem, without the names that pydantic gives to branches of a union."""
    at: list[str | int] = []
    value: Any = tree
    *above, last = problem["loc"] or ("",)
    for key in (*above, last):
        if _has(value, key):
            value = value[key]
            at.append(key)
    if problem["type"] == "missing":
        at.append(last)
    return (*at, *problem.get("ctx", {}).get("at", ()))


def _has(value: object, key: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and key < len(value)
    return isinstance(value, dict) and key in value


def _sentence(problem: ErrorDetails, at: KeyPath, tree: object, placeholders: Mapping[KeyPath, str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key{_did_you_mean(at)}"
    if problem["type"] == "missing":
        return f"this key is required{examples(at)}"
    allowed = _allowed(problem)
    shown = problem["type"] not in _OURS and _may_be_shown(at)
    sentence = f"{allowed}; given: {_given(problem['input'])}" if shown else allowed
    if problem["type"] in {"dict_type", "model_type"}:
        sentence += examples(at)
    for where, text in placeholders.items():
        if where[: len(at)] == at:
            sentence = sentence.replace(repr(_value_at(tree, where)), repr(text))
    return sentence


def _allowed(problem: ErrorDetails) -> str:
    """Return what is expected where a problem is."""
    context = problem.get("ctx", {})
    section = context.get("class_name", "")
    if section == "DatasetConfig" and isinstance(problem["input"], list):
        return _ONE_FILE
    words = _SHORT_FORMS.get(section) or _WORDS.get(problem["type"], "").format(**context)
    return words or _plain(problem["msg"])


def _plain(message: str) -> str:
    message = _INSTEAD_OF_INPUT.sub(r"must \2", message.removeprefix("Value error, "))
    return message[:1].lower() + message[1:]


def _given(value: object) -> str:
    """Return a value as it may be shown: scalars as they are, the rest by its kind."""
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, dict | BaseModel):
        return "keys and values" if value else "no keys"
    return "nothing" if value is None else repr(value)


def _may_be_shown(at: KeyPath) -> bool:
    """Whether what is here cannot be a secret that somebody wrote down."""
    return at[:1] != ("providers",) or not {*at[2:3]} & {"headers", "key", "api_key", "proxy"}


def _value_at(tree: Any, at: KeyPath) -> object:  # noqa: ANN401 - a YAML tree
    for key in at:
        tree = tree[key]
    return tree


def _did_you_mean(at: KeyPath) -> str:
    section, known = _section_at(ExperimentConfig, at[:-1])
    return meant(str(at[-1]), section, known, ExperimentConfig)


def _section_at(model: type[BaseModel], at: KeyPath) -> tuple[type[BaseModel], list[str]]:
    """Return the model that is at a key path of the schema, and its keys; no keys where there is none."""
    if not at:
        return model, [*model.model_fields, *getattr(model, "also_takes", ())]
    field = model.model_fields.get(str(at[0]))
    for candidate, skip in () if field is None else models_in(field.annotation):
        section, known = _section_at(candidate, at[1 + skip :])
        if known:
            return section, known
    return model, []


def models_in(annotation: Any) -> Iterable[tuple[type[BaseModel], int]]:  # noqa: ANN401 - typing forms
    """Yield each model inside an annotation, with the number of keys (dict key, list index) that lead to it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, 0
        return
    step = 1 if get_origin(annotation) in (dict, tuple, list) else 0
    for argument in get_args(annotation):
        for candidate, skip in models_in(argument):
            yield candidate, skip + step
