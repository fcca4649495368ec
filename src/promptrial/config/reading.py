"""Reading a text file that the user named: problems are errors that name it."""

from __future__ import annotations

from pathlib import Path

from promptrial.config.yaml_text import MAX_BYTES
from promptrial.documents.files import read_text
from promptrial.errors import ConfigError

__all__ = ["read_named"]


def read_named(path: Path, what: str) -> str:
    """Return the text of a file.

    Raises
    ------
    ConfigError
        If it is not there, or is not UTF-8 text.
    """
    try:
        return read_text(path, MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: {what} file not found", hint="give the path of one, for example config/eval_config.yaml"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot read this {what} file: {error.strerror}") from error
    except ValueError as error:  # a name that holds NUL, or bytes that are not UTF-8
        raise ConfigError(f"{path}: cannot read this {what} file: {error}") from error
