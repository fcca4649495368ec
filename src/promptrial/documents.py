"""How a document that other programs read is written, and its JSON Schema; the values themselves stand elsewhere."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

__all__ = ["encode", "json_schema"]


def encode(document: msgspec.Struct) -> bytes:
    """Return a document as indented JSON that ends in a newline; equal documents give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1) + b"\n"


def json_schema(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of document, described by the docstrings of its types.

    Every field is required, as a value that is missing is written as null and not left out; the exceptions are those
    of the document itself that are UNSET by default.
    """
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind)))  # as JSON has defaults
    optional = {field.encode_name for field in msgspec.structs.fields(kind) if field.default is msgspec.UNSET}
    for name, definition in schema["$defs"].items():
        definition["description"] = inspect.cleandoc(definition["description"])
        left_out = optional if name == kind.__name__ else set()
        definition["required"] = [field for field in definition["properties"] if field not in left_out]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | schema
