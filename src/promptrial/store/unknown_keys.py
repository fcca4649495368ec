"""Keys of a record that this program does not know, as of a newer version: they are kept when the record is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

__all__ = ["keep_unknown", "with_unknown"]

_Path = tuple[str | int, ...]


def keep_unknown(record: msgspec.Struct, data: bytes) -> None:
    """Let a record carry the keys of its file that this program does not know, so that saving it keeps them."""
    if msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n" == data:
        return  # as this program writes it: there are none
    known = msgspec.json.decode(msgspec.json.encode(record))
    record.__dict__["unknown"] = dict(_unknown(msgspec.json.decode(data), known, ()))


def _unknown(said: object, known: object, at: _Path) -> Iterator[tuple[_Path, object]]:
    """Yield path and value of each key that a JSON value has and another, of the same file, has not."""
    if isinstance(said, dict) and isinstance(known, dict):
        for key, value in said.items():
            if key in known:
                yield from _unknown(value, known[key], (*at, key))
            else:
                yield (*at, key), value
    elif isinstance(said, list) and isinstance(known, list):
        for index, pair in enumerate(zip(said, known, strict=False)):
            yield from _unknown(*pair, (*at, index))


def with_unknown(record: msgspec.Struct, data: bytes) -> bytes:
    """Return an encoded record with the unknown keys that it carries, where what they belong to is still there."""
    carried: dict[_Path, object] = getattr(record, "__dict__", {}).get("unknown", {})
    if not carried:
        return data
    tree = msgspec.json.decode(data)
    for path, value in carried.items():
        branch: Any = tree
        with suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                branch = branch[key]
            branch.setdefault(path[-1], value)
    return msgspec.json.encode(tree)
