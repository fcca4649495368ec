"""JSON in answers: strictly read, of bounded depth, and compared value by value. Schemas are ``json_schemas``."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, Final

__all__ = ["MISSING", "at_path", "depth", "equal", "read_json"]

MAX_DEPTH: Final = 50
"""How deep an answer or a schema may be nested; deeper JSON is refused, as validation recurses."""
MISSING: Final = object()
"""The value of a path that does not exist."""


def read_json(text: str) -> Any:  # noqa: ANN401 - any value of JSON
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON by RFC 8259 (NaN and infinite numbers are none), nested deeper than ``MAX_DEPTH``, or has an
        object with a key twice: RFC 8259, section 4, leaves open what that means, and parsers differ.

    Examples
    --------
    >>> read_json(' {"a": [1, 2.5]} ')
    {'a': [1, 2.5]}
    """
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_refuse, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if depth(value) > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {key[:40]!r} occurs twice in an object")
    return made


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not a number in JSON")


def depth(value: object) -> int:
    """Return how deeply lists and objects are nested; it does not recurse."""
    level, found = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        found += 1
        level = [below for each in level for below in (each.values() if isinstance(each, dict) else each)]
    return found


def at_path(value: object, path: str) -> object:
    """Return what is at a path of keys and positions, as ``a.b.0``; ``MISSING`` if nothing does."""
    for key in path.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(value):
            value = value[int(key)]
        else:
            return MISSING
    return value


def equal(one: object, other: object) -> bool:
    """Whether two values of JSON are equal: 1 is 1.0, but not true; the order of keys makes no difference."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)
