"""JSON, and what vendors say in it, read without trust in its shape.

An odd value that nothing depends on is the same as none.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

__all__ = ["Anything", "entries", "mapping", "read_json", "text", "whole_number"]

T = TypeVar("T")
_MOST_DIGITS = 15


class Anything(msgspec.Struct):
    """Any JSON object: for answers that say nothing beyond yes."""


def read_json(decoder: msgspec.json.Decoder[T], line: bytes | msgspec.Raw) -> T:
    """Return what a decoder makes of JSON.

    Raises
    ------
    ValueError
        If it is no JSON, or not of the decoder's type, or nested too deeply to be read.
    """
    try:
        return decoder.decode(line)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def mapping(value: object) -> dict[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; none of anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a text, or an empty one for anything else."""
    return value if isinstance(value, str) else ""


def whole_number(value: object) -> int | None:
    """Return a whole number that is not negative, also if it came as text; None of anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    return value if type(value) is int and value >= 0 else None
