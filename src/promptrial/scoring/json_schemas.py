"""JSON Schemas that may come from anybody: checked when loaded, nothing fetched, patterns linear, work bounded.

``jsonschema`` does the validation. Replaced are only its keywords that a hostile schema could use to take forever:
patterns run on re2, and references are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from promptrial.scoring.expressions import compiled, searchable
from promptrial.scoring.json_values import MAX_DEPTH, depth

__all__ = ["CheckedSchema"]

_MAX_REFERENCES: Final = 10_000
_PROBES: Final[tuple[object, ...]] = ({}, [], "", 0, None)
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose value is data, and no schema."""
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value has names of the schema's own for keys."""
_REFUSED: Final = ("$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties")
_Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]
_references: ContextVar[int] = ContextVar("_references", default=0)


class _TooManyReferencesError(ValueError):
    """A schema takes too long for a value."""


class CheckedSchema:
    """A schema that can be used on any answer.

    Parameters
    ----------
    schema : dict or bool
        By the draft that its ``$schema`` names, or 2020-12.

    Raises
    ------
    ValueError
        If it is not valid, refers to what is not in it, has a pattern that re2 does not know (look-around, references
        back), is nested too deep or refers to itself without end. Names the place as ``$.properties.a``.
    """

    def __init__(self, schema: dict[str, Any] | bool) -> None:  # noqa: FBT001 - a schema may be a truth value
        if depth(schema) > 2 * MAX_DEPTH:
            raise ValueError(f"the schema is nested deeper than {2 * MAX_DEPTH} levels")
        self._validator = _validator(schema)
        for probe in _PROBES:
            try:
                self._fits(probe)
            except RecursionError:
                raise ValueError("the schema refers to itself endlessly, or is nested too deeply") from None

    def fits(self, value: object) -> bool:
        """Whether a value fits.

        One that cannot be decided on does not: it takes more than 10,000 references within the schema, recurses too
        deep, or has a number that cannot be calculated with.
        """
        try:
            return self._fits(value)
        except (_TooManyReferencesError, RecursionError, ArithmeticError):
            return False

    def _fits(self, value: object) -> bool:
        _references.set(0)
        return bool(self._validator.is_valid(value))


def _validator(schema: dict[str, Any] | bool) -> Any:  # noqa: ANN401, FBT001 - the library's
    from jsonschema import SchemaError
    from jsonschema.validators import extend
    from jsonschema_specifications import REGISTRY

    found = _draft(schema)
    try:
        found.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"{error.json_path}: {error.message[:200]}") from None
    except RecursionError:
        raise ValueError("the schema is nested too deep") from None
    own = {name: keyword for name, keyword in _KEYWORDS.items() if name in found.VALIDATORS}
    validator: Any = extend(found, own)(schema, registry=REGISTRY)  # type: ignore[no-untyped-call]  # jsonschema's own types say less
    _check_parts(schema, validator)
    return validator


def _draft(schema: dict[str, Any] | bool) -> Any:  # noqa: ANN401, FBT001 - the library's
    """Return the validator of the draft that a schema names."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    if isinstance(schema, bool) or "$schema" not in schema:
        return Draft202012Validator
    named = schema["$schema"]
    found: Any = validator_for(schema, default=None) if isinstance(named, str) else None  # type: ignore[arg-type]  # jsonschema's own types say less
    if found is None:
        raise ValueError(f"$.$schema: {str(named)[:80]!r} is not a known draft of JSON Schema")
    return found


def _check_parts(schema: object, validator: Any) -> None:  # noqa: ANN401 - the library's
    """Check what ``check_schema`` does not look into: references, patterns, and keywords that are refused."""
    for where, key, value in _keywords(schema, "$"):
        if key in _REFUSED or (key == "$id" and where != "$.$id"):
            raise ValueError(f"{where}: {key} is not supported here")
        if key == "$ref" and isinstance(value, str):
            _check_reference(value, validator, where)
        elif key == "pattern" and isinstance(value, str):
            _check_pattern(value, where)
        elif key == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                _check_pattern(pattern, where)


def _keywords(part: object, at: str) -> Iterator[tuple[str, str, object]]:
    """Yield place, keyword and value of all keywords in a schema and below it."""
    if isinstance(part, list):
        for index, each in enumerate(part):
            yield from _keywords(each, f"{at}[{index}]")
    elif isinstance(part, dict):
        for key, value in part.items():
            yield f"{at}.{key}", key, value
            if key in _NAMED and isinstance(value, dict):
                for name, below in value.items():
                    yield from _keywords(below, f"{at}.{key}.{name}")
            elif key not in _DATA:
                yield from _keywords(value, f"{at}.{key}")


def _check_reference(reference: str, validator: Any, where: str) -> None:  # noqa: ANN401 - the library's
    from referencing.exceptions import Unresolvable

    if not reference.startswith("#"):
        raise ValueError(
            f"{where}: {reference!r} points outside the schema, and nothing is downloaded: put it in `$defs`"
        )
    try:
        validator._resolver.lookup(reference)  # noqa: SLF001 - the library has no public way to ask
    except Unresolvable:
        raise ValueError(f"{where}: {reference!r} points to nothing in the schema") from None


def _check_pattern(pattern: str, where: str) -> None:
    try:
        compiled(pattern)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _matches(pattern: str, text: str) -> bool:
    return compiled(pattern).search(searchable(text)) is not None


def _pattern(validator: Any, pattern: str, instance: object, _schema: object) -> Iterator[Any]:  # noqa: ANN401 - jsonschema has no types for it
    from jsonschema import ValidationError

    if validator.is_type(instance, "string") and not _matches(pattern, str(instance)):
        yield ValidationError("does not match the pattern")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: object) -> Iterator[Any]:  # noqa: ANN401 - jsonschema has no types for it
    if validator.is_type(instance, "object"):
        for pattern, below in patterns.items():
            for key, value in instance.items():
                if _matches(pattern, key):
                    yield from validator.descend(value, below, path=key, schema_path=pattern)


def _additional_properties(validator: Any, below: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:  # noqa: ANN401 - jsonschema has no types for it
    from jsonschema import ValidationError

    if not validator.is_type(instance, "object"):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(_matches(pattern, key) for pattern in patterns):
            continue
        if validator.is_type(below, "object"):
            yield from validator.descend(value, below, path=key)
        elif not below:
            yield ValidationError("an additional property")


def _reference(validator: Any, reference: str, instance: object, _schema: object) -> Iterator[Any]:  # noqa: ANN401 - jsonschema has no types for it
    """Follow a reference as the library does, and count it."""
    _references.set(_references.get() + 1)
    if _references.get() > _MAX_REFERENCES:
        raise _TooManyReferencesError(f"the schema takes more than {_MAX_REFERENCES:,} references for one answer")
    yield from validator._validate_reference(ref=reference, instance=instance)  # noqa: SLF001 - as its own keyword does


_KEYWORDS: Final[Mapping[str, _Keyword]] = {
    "$ref": _reference,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
}
