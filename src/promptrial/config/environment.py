"""The environment with ``.env`` added, and where a configuration keeps its runs. Quick to import: no pydantic.

Both are needed before a configuration is loaded: flags may come from ``.env``, and a run is found before it is read.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from promptrial.documents.files import read_text
from promptrial.errors import ConfigError

__all__ = [
    "DEFAULT_CONFIG",
    "DEFAULT_EXPERIMENTS",
    "VARIABLE",
    "archive_dir_of",
    "dotenv",
    "environment",
    "expanded",
    "experiments_dir_in",
    "experiments_dir_of",
    "forget_secrets",
    "is_secret_variable",
    "place_flag",
    "remember_secrets",
    "remembered_secrets",
]

_MAX_DOTENV: Final = 1 << 20
DEFAULT_CONFIG: Final = Path("config/eval_config.yaml")
DEFAULT_EXPERIMENTS: Final = Path("experiments")
"""Where runs are kept if nothing else is said."""
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to a variable in a value of the configuration."""
_SECRET: Final = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)


def is_secret_variable(name: str) -> bool:
    """Tell whether a variable of the environment holds a secret, as its name says.

    Examples
    --------
    >>> is_secret_variable("OPENAI_API_KEY"), is_secret_variable("KEYBOARD")
    (True, False)
    """
    return bool(_SECRET.search(name))


_REMEMBERED: Final[set[str]] = set()
"""Values of variables that no name tells to be secret: only a configuration does."""


def remember_secrets(values: Iterable[str]) -> None:
    """Keep the secrets of a configuration that was read, for what this process says about errors."""
    _REMEMBERED.update(values)


def remembered_secrets() -> frozenset[str]:
    """Return the secrets of all configurations that the current command has read."""
    return frozenset(_REMEMBERED)


def forget_secrets() -> None:
    """Begin another command."""
    _REMEMBERED.clear()


def environment(base: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment with the values of ``.env`` in ``folder`` added where it has none.

    Raises
    ------
    ConfigError
        If the ``.env`` cannot be read.
    """
    return {**dotenv(folder), **base}


def dotenv(folder: Path) -> dict[str, str]:
    """Return the values of ``.env`` in ``folder``; none if there is no such file.

    Raises
    ------
    ConfigError
        If it cannot be read, or a line is none; the line is not repeated, because it may hold a key.
    """
    path = folder / ".env"
    try:
        text = read_text(path, _MAX_DOTENV)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: cannot read this file: {why}", hint="save it as UTF-8 text, or remove it") from None
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    wrong = next((found for found in parse_stream(io.StringIO(text)) if found.error), None)
    if wrong is not None:
        raise ConfigError(f"{path}:{wrong.original.line}: expected NAME=VALUE", hint="correct or remove this line")
    return {key: value for key, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def experiments_dir_of(path: Path, env: Mapping[str, str]) -> Path | None:
    """Return ``paths.experiments_dir`` of a configuration file, from the current folder.

    None if it names none, or cannot be read: what is wrong with it is said when it is loaded.
    """
    given = _path_of(path, "experiments_dir", env)
    return expanded(given, "paths.experiments_dir") if given else None


def experiments_dir_in(tree: object, env: Mapping[str, str]) -> Path | None:
    """Return the same of a configuration that is not a file."""
    try:
        given = _path_in(tree, "experiments_dir", env)
    except (KeyError, TypeError):
        return None
    return expanded(given, "paths.experiments_dir") if given else None


def expanded(text: str, named: str) -> Path:
    """Return a path with ``~`` and ``~user`` filled in.

    Parameters
    ----------
    text : str
    named : str
        What holds the path, for the message.

    Raises
    ------
    ConfigError
        If there is no such home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{named}: {text!r}: the home folder is not known", hint="write the path in full, without ~"
        ) from None


def place_flag(experiments: Path) -> str:
    """Return the flag that a command needs to find runs, with a space before it; empty for the default place."""
    return "" if experiments == DEFAULT_EXPERIMENTS else f" --experiments_dir {shlex.quote(str(experiments))}"


def archive_dir_of(path: Path, env: Mapping[str, str]) -> str | None:
    """Return ``paths.archive_dir`` of a configuration file, a folder or an address; None as above."""
    return _path_of(path, "archive_dir", env)


def _path_of(path: Path, name: str, env: Mapping[str, str]) -> str | None:
    from promptrial.config.tree import parse
    from promptrial.config.yaml_text import MAX_BYTES

    try:
        tree, _ = parse(path, read_text(path, MAX_BYTES))
        return _path_in(tree, name, env)
    except (OSError, ValueError, ConfigError, KeyError, TypeError):
        return None


def _path_in(tree: Any, name: str, env: Mapping[str, str]) -> str | None:  # noqa: ANN401 - any YAML, not checked yet
    given = tree["paths"][name]
    if given and any(is_secret_variable(variable) for variable in VARIABLE.findall(given)):
        return None  # it could name another machine
    return VARIABLE.sub(lambda match: env[match.group(1)], given) if given else None
