"""From plain values to a dataclass, every value checked against the type of its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from promptrial.registry import near_misses

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["SettingsError", "typed"]

_Kind = TypeVar("_Kind")
_WORDS = {"tuple_type": "expected a list"}
"""Problems that pydantic names by words of Python."""


class SettingsError(ValueError):
    """A setting is wrong. ``key`` names it; it is empty where the settings are wrong together."""

    def __init__(self, problem: str, key: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.key = key


def typed(kind: type[_Kind], values: Mapping[str, object]) -> _Kind:
    """Return a dataclass made from values, by the names of its fields.

    Raises
    ------
    SettingsError
        If it has no such field, a field without a default has no value, or a value is not of the field's type.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # that it is one is the caller's promise
    for key in values:
        if key not in known:
            raise SettingsError(f"unknown setting{near_misses(key, known) if known else '; there are none'}", key)
    try:
        return _checked(kind, values) if values else kind()
    except TypeError as error:  # without values: a field has no default
        raise SettingsError(str(error).rpartition("() ")[2]) from error
    except ValueError as error:  # without values: the defaults do not go together
        raise error if isinstance(error, SettingsError) else SettingsError(str(error)) from error


@lru_cache(maxsize=64)
def _adapter(kind: type[object]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _checked(kind: type[_Kind], values: Mapping[str, object]) -> _Kind:
    from pydantic import ValidationError

    try:
        made: _Kind = _adapter(kind).validate_python(dict(values))  # type: ignore[arg-type]  # a class can be hashed
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        message = _WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        raise SettingsError(message[:1].lower() + message[1:], str((*problem["loc"], "")[0])) from error
    return made
