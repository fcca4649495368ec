"""JSON as protocol buffers read and write it: camelCase or snake_case in, camelCase out, 64-bit integers as strings.

A message is described by its fields, and parsed into a plain dict with camelCase keys. Which messages there are is not
known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

__all__ = ["Field", "Message", "ProtoError", "camel", "integer", "message", "parse"]

Kind = Literal["string", "int64", "int32", "number", "bool", "enum", "duration", "struct", "message", "sizes", "output"]
Message = Mapping[str, "Field"]
_UNDERSCORE: Final = re.compile(r"_([a-z0-9])")
_DURATION: Final = re.compile(r"\d+(\.\d{1,9})?s")
_LIMITS: Final = {"int32": 31, "int64": 63}


class ProtoError(ValueError):
    """A body is not the JSON of its message; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its kind, the names of an enum, or the fields of a message. ``output`` is read but has no effect."""

    kind: Kind
    names: frozenset[str] = frozenset()
    fields: Message | None = None


def message(**fields: Field | Kind) -> Field:
    """Return a field that holds a message, or a message to parse; names in camelCase."""
    return Field("message", fields={name: f if isinstance(f, Field) else Field(f) for name, f in fields.items()})


def parse(kind: Field, data: bytes) -> dict[str, Any]:
    """Read a body; one that is empty is an empty message.

    Raises
    ------
    ProtoError
        If it is not JSON, names an unknown field, names one twice, or a value does not fit.
    """
    try:
        value = msgspec.json.decode(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ProtoError(f"syntax error: {error}") from error
    return _message(kind.fields or {}, value, "")


def camel(name: str) -> str:
    """Return ``input_dataset_id`` as ``inputDatasetId``; what is camelCase already stays."""
    return _UNDERSCORE.sub(lambda match: match.group(1).upper(), name)


def integer(value: object, kind: Literal["int32", "int64"] = "int64") -> int:
    """Read an integer, given as a number or as a string of digits.

    Raises
    ------
    ValueError
        If it is not one, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"invalid value for {kind}: {value!r}")  # noqa: TRY004 - the parsing code catches one error
    number = int(value)
    if number != float(value) or abs(number) >= 1 << _LIMITS[kind]:
        raise ValueError(f"invalid value for {kind}: {value!r}")
    return number


def _message(fields: Message, value: object, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtoError(f"{at or 'body'}: expected an object")
    found: dict[str, Any] = {}
    for key, given in value.items():
        name = camel(key)
        if name not in fields:
            raise ProtoError(f'unknown field "{at}{key}"')
        if name in found:
            raise ProtoError(f'duplicate field "{at}{key}"')
        if given is not None and fields[name].kind != "output":  # null is a field that is not set
            found[name] = _value(fields[name], given, f"{at}{key}")
    return found


def _value(field: Field, given: Any, at: str) -> Any:  # noqa: ANN401 - JSON
    if field.kind == "message":
        return _message(field.fields or {}, given, f"{at}.")
    if field.kind in ("int64", "int32"):
        try:
            return integer(given, field.kind)
        except (ValueError, OverflowError) as error:
            raise ProtoError(f"{at}: {error}") from error
    if field.kind == "sizes":
        return _sizes(given, at)
    if not _fits(field, given):
        raise ProtoError(f"{at}: invalid value {given!r} for {field.kind}")
    return given


def _sizes(given: object, at: str) -> dict[str, int]:
    if not isinstance(given, dict):
        raise ProtoError(f"{at}: expected an object")
    return {name: _value(Field("int64"), size, f"{at}.{name}") for name, size in given.items()}


def _fits(field: Field, given: object) -> bool:
    if field.kind == "number":
        return isinstance(given, int | float) and not isinstance(given, bool)
    if field.kind == "bool":
        return isinstance(given, bool)
    if field.kind == "struct":
        return isinstance(given, dict)
    if not isinstance(given, str):
        return False
    if field.kind == "enum":
        return given in field.names
    return field.kind != "duration" or _DURATION.fullmatch(given) is not None
