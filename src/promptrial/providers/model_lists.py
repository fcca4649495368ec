"""The list of models of an OpenAI-compatible server, in the shapes in which servers give it.

OpenAI's is ``{"data": [{"id": ...}]}``; Together's is the list alone. Windows have several names, and may be text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.providers.wire import entries, mapping, text, whole_number

__all__ = ["ServedModel", "served_models", "window_of"]

_WINDOWS: Final = ("max_model_len", "context_length", "context_window")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server lists, and how many tokens it can read and write in one request, if that is told."""

    id: str
    window: int | None = None


def served_models(told: object) -> list[ServedModel]:
    """Return the models of a decoded answer; none if it is no list of models."""
    listed = entries(told if isinstance(told, list) else mapping(told).get("data"))
    return [ServedModel(name, _window(each)) for each in listed if (name := text(each.get("id")))]


def window_of(served: Sequence[ServedModel], model_id: str) -> int | None:
    """Return the window of the model of this name, None if that is not told."""
    return next((each.window for each in served if each.id == model_id), None)


def _window(entry: dict[str, object]) -> int | None:
    return next((found for name in _WINDOWS if (found := whole_number(entry.get(name)))), None)
