"""The list of models of an OpenAI-compatible server, in the shapes in which servers give it.

OpenAI's is ``{"data": [{"id": ...}]}``; Together's is the list alone. Windows have several names, and may be text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from promptrial.providers.wire import entries, mapping, text, whole_number

__all__ = ["ServedModel", "is_called", "served_models", "window_of"]

_WINDOWS: Final = ("max_model_len", "context_length", "context_window")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server lists, and how many tokens it can read and write in one request, if that is stated."""

    id: str
    window: int | None = None

    @property
    def short_name(self) -> str:
        """The name to ask for it by: llama.cpp lists the path of a file, whose name alone is enough."""
        file = PurePosixPath(self.id.replace("\\", "/"))
        return file.stem if file.suffix == ".gguf" else self.id


def served_models(told: object) -> list[ServedModel]:
    """Return the models of a decoded answer; none if it is not a list of models."""
    listed = entries(told if isinstance(told, list) else mapping(told).get("data"))
    return [ServedModel(name, _window(each)) for each in listed if (name := text(each.get("id")))]


def window_of(served: Sequence[ServedModel], model_id: str) -> int | None:
    """Return the window of the model of this name, None if that is not stated."""
    return next((each.window for each in served if each.id == model_id), None)


def is_called(served: str, asked: str) -> bool:
    """Whether a served model is the one that is asked for: Ollama adds ``:latest``, llama.cpp lists paths of files."""
    if asked in {served, served.removesuffix(":latest")}:
        return True
    file = PurePosixPath(served.replace("\\", "/"))
    return file.suffix == ".gguf" and asked in {file.name, file.stem}


def _window(entry: dict[str, object]) -> int | None:
    return next((found for name in _WINDOWS if (found := whole_number(entry.get(name)))), None)
