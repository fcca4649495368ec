"""What is typed for a new configuration, as values: a prompt or its file, questions, a model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from promptrial.config.draft import DraftModel
from promptrial.config.instances import address_needed, known_instances
from promptrial.config.presets import PRESETS
from promptrial.config.reading import read_named
from promptrial.config.short_forms import split_model
from promptrial.errors import UsageError
from promptrial.providers.embedded_weights import BUILT_IN_MODEL, check_installed

__all__ = [
    "as_name",
    "check_engine",
    "check_unicode",
    "model_named",
    "prompt_given",
    "questions_given",
    "read_prompt",
    "texts_in_words",
    "variables_needed",
]

_MODEL_ALIAS: Final = BUILT_IN_MODEL.removesuffix("-instruct")
_LOOKS_LIKE_A_FILE: Final = re.compile(
    r"\S+\.(txt|md|markdown|prompt)|[^\s\u3001\u3002\uff01\uff0c\uff1f]*/[^\s\u3001\u3002\uff01\uff0c\uff1f]*",
    re.IGNORECASE,
)
"""A name with the ending of a text, or one word with a slash; no sentence of a script that has no spaces."""
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


def prompt_given(flag: str, text: str) -> Path | str:
    """Return the file that a text names, or else the text, which then is the prompt itself.

    Raises
    ------
    UsageError
        If it is empty, no valid Unicode, a folder, or looks like the name of a file that does not exist.
    """
    check_unicode(flag, text)
    if not text.strip():
        raise UsageError(f"{flag}: an empty prompt", hint="give a file, or the text of the prompt")
    if os.path.isdir(text):  # noqa: PTH112 - it never raises, whatever the text is
        raise UsageError(f"{flag}: {text} is a folder", hint="give a file, or the text of the prompt")
    if os.path.exists(text):  # noqa: PTH110 - likewise
        read_prompt(Path(text))
        return Path(text)
    if _LOOKS_LIKE_A_FILE.fullmatch(text):
        raise UsageError(f"{flag}: there is no file {text}", hint="correct the path, or give the text of the prompt")
    return text


def texts_in_words(prompts: Mapping[str, Path | str]) -> list[str]:
    """Return one line for each prompt that is a text and no file, so that a mistyped path is seen.

    Examples
    --------
    >>> texts_in_words({"control": "Be brief.", "treatment": Path("B.txt")})
    ['control: text, 9 characters']
    """
    sizes = {name: len(prompt) for name, prompt in prompts.items() if isinstance(prompt, str)}
    return [f"{name}: text, {size:,} character{'' if size == 1 else 's'}" for name, size in sizes.items()]


def check_unicode(what: str, text: str) -> None:
    """Refuse a text that no file of UTF-8 can hold.

    Raises
    ------
    UsageError
        Naming ``what`` has it.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{what}: not valid Unicode text: it holds bytes that are not UTF-8", hint="give it as UTF-8"
        ) from None


def read_prompt(path: Path) -> str:
    """Return the text of a prompt file.

    Raises
    ------
    ConfigError
        If it cannot be read.
    UsageError
        If it is empty.
    """
    text = read_named(path, "prompt")
    if not text.strip():
        raise UsageError(f"{path} is empty", hint="write the prompt in this file")
    return text


def questions_given(path: Path) -> Path:
    """Return the path of a question file that is there.

    Raises
    ------
    UsageError
        If it is not.
    """
    if not path.is_file():
        what = "is not a file" if os.path.lexists(path) else "there is no such file"
        raise UsageError(f"--questions {path}: {what}", hint="give a CSV, JSONL, JSON, Parquet or Excel file")
    return path


def model_named(text: str | None, server: Mapping[str, str] | None = None) -> DraftModel:
    """Return the model that a text names: the embedded one, a GGUF file, or PROVIDER/ID.

    ``server`` are keys of `providers` for PROVIDER, such as ``base_url`` and ``mode``.

    Raises
    ------
    UsageError
        If it names none of these, or one of this machine where something is said about a server.
    """
    found = _model_named(text, server or {})
    if server and not found.provider:
        raise UsageError(f"--{next(iter(server))} gives a server, but this model needs none",
                         hint="add --model PROVIDER/ID, such as llamacpp/NAME")  # fmt: skip
    return found


def _model_named(text: str | None, server: Mapping[str, str]) -> DraftModel:
    if text is None or text.casefold() in (_MODEL_ALIAS, BUILT_IN_MODEL):
        return DraftModel(_MODEL_ALIAS, BUILT_IN_MODEL)
    if text.lower().endswith(".gguf"):
        if not os.path.isfile(text):  # noqa: PTH113 - it never raises
            raise UsageError(f"--model {text}: there is no such file", hint="correct the path of the GGUF file")
        alias = as_name(Path(text).stem)
        return DraftModel(alias, alias, path=text)
    servers = {name for name in known_instances({}) if "base_url" in server or not address_needed({}, name)}
    provider, id_ = split_model(text, servers)
    if provider:
        return DraftModel(as_name(id_.rpartition("/")[2]), id_, provider, server=tuple(server.items()))
    first, slash, _ = text.partition("/")
    what = f"no such model: {first!r} is no provider" if slash else "no such model"
    if slash and address_needed({}, first):
        what = f"{first} needs the address of its server: add --base_url {address_needed({}, first)}"
    raise UsageError(
        f"--model {text}: {what}",
        hint=f"give {_MODEL_ALIAS}, the path of a GGUF file, or PROVIDER/ID with one of: {', '.join(sorted(servers))}",
    )


def variables_needed(model: DraftModel, env: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that a model needs and the environment does not have."""
    if not model.provider:
        return []
    preset = PRESETS.get(model.provider)
    needed = () if preset is None else (preset.key, *preset.more_variables)
    missing = [name for name in needed if name and not env.get(name)]
    return [f"{name} is not set: put {name}=... in .env, or export it" for name in missing]


def as_name(text: str) -> str:
    """Return a text as a name that a configuration may give to a model or to itself."""
    return _NOT_IN_A_NAME.sub("-", text).strip("-._")[:64] or "trial"


def check_engine(model: DraftModel) -> None:
    """Find out before anything is written or asked that the engine of a model is not installed.

    Raises
    ------
    MissingDependencyError
        With the line that installs it.
    """
    if not model.provider or model.provider == "embedded":
        check_installed(with_model=not model.path)
