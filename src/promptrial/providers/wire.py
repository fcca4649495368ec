"""What vendors say, read without trust in its shape: an odd value that nothing depends on is the same as none."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Anything", "entries", "mapping", "text", "whole_number"]

_MOST_DIGITS = 15


class Anything(msgspec.Struct):
    """Any JSON object: for answers that say nothing beyond yes."""


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
