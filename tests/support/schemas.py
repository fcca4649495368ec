"""Documents held against JSON Schemas, each of which is itself checked once: that takes up to 0.4 s."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import jsonschema

__all__ = ["validate"]


def validate(document: object, schema: Mapping[str, Any]) -> None:
    """Require that a document fits a schema; as ``jsonschema.validate``.

    Raises
    ------
    jsonschema.ValidationError
        If it does not.
    jsonschema.SchemaError
        If the schema is none.
    """
    _validator(json.dumps(schema)).validate(document)


@functools.cache
def _validator(schema: str) -> Any:
    found = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)
