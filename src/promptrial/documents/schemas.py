"""How a document that other programs read is written, its version and JSON Schema; the values are elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec
import msgspec.inspect

from promptrial.errors import NewerVersionError

__all__ = ["check_version", "encode", "json_schema", "newer"]


def encode(document: msgspec.Struct) -> bytes:
    """Return a document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1) + b"\n"


class _Versioned(msgspec.Struct):
    schema_version: int | None = None


def check_version(data: bytes, known: int, where: str) -> None:
    """Look at the version of a document before anything else: what another version holds is not ours to judge.

    Parameters
    ----------
    data : bytes
        JSON.
    known : int
        The version that this program reads.
    where : str
        How messages name the document.

    Raises
    ------
    NewerVersionError
        If it is of a later version.
    ValueError
        If it is no JSON, has no version, or one of before.
    """
    found = msgspec.json.decode(data, type=_Versioned).schema_version
    if found is None:
        raise ValueError("it has no schema_version")
    if found > known:
        raise newer(where, found, known)
    if found != known:
        raise ValueError(f"schema_version is {found}; this program knows {known}")


def newer(where: str, found: int, known: int) -> NewerVersionError:
    """Return the error for a file of a later version than this program reads."""
    return NewerVersionError(
        f"{where}: made by a newer version of promptrial (schema_version {found}; this one reads {known})",
        hint="use the version that made it, or a later one; nothing was changed",
    )


def json_schema(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of document, described by the docstrings of its types.

    Every field is required, as a value that is missing is written as null and not left out; the exceptions are those
    that are UNSET by default, and the keys of a ``TypedDict`` that are not required.
    """
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind)))  # as JSON has defaults
    kinds = {each.__name__: each for each in _structs(msgspec.inspect.type_info(kind))}
    for name, definition in schema["$defs"].items():
        definition["description"] = inspect.cleandoc(definition["description"])
        optional = _optional(kinds[name]) if name in kinds else frozenset()
        definition["required"] = [field for field in definition["properties"] if field not in optional]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | schema


def _optional(kind: type) -> frozenset[str]:
    """Return the names of the fields that a kind of struct or ``TypedDict`` may lack."""
    if not issubclass(kind, msgspec.Struct):
        return frozenset(getattr(kind, "__optional_keys__", ()))
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind) if field.default is msgspec.UNSET)


def _structs(info: msgspec.inspect.Type) -> Iterator[type]:
    """Yield the kinds of struct and ``TypedDict`` that a type holds, itself included."""
    if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.TypedDictType):
        yield info.cls
    inside = (
        getattr(info, name, ()) for name in ("fields", "types", "item_types", "item_type", "key_type", "value_type")
    )
    for each in inside:
        for part in each if isinstance(each, tuple) else (each,):
            yield from _structs(part.type if isinstance(part, msgspec.inspect.Field) else part)
