"""Where each value of a resolved configuration comes from: a line of the file, a flag, a variable, a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptrial.config.environment import VARIABLE
from promptrial.config.tree import KeyPath, Lines

__all__ = ["Given", "leaves", "source_of"]

DEFAULT: Final = "default"
_SHORT: Final = ("id", "path")
"""What a text in place of a section gives."""
_OF_A_MODEL: Final = ("id", "provider")
"""What a text in place of a model gives, or its ``id`` alone: ``openai/gpt-4o-mini``."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a configuration was given besides its defaults.

    Attributes
    ----------
    file : Path
        As messages call it.
    tree : mapping
        Its values as they are in the file.
    lines : mapping
        Key path -> line.
    flags : mapping
        Key path -> what gave its value in place of the file: ``flag --temps``.
    reasons : mapping
        Key path -> why it has its value, for keys that the file leaves open.
    """

    file: Path
    tree: Mapping[str, Any]
    lines: Lines
    flags: Mapping[KeyPath, str] = field(default_factory=dict)
    reasons: Mapping[KeyPath, str] = field(default_factory=dict)


def leaves(tree: object, at: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Yield key path and value of each value that has no keys below it; lists count as one value."""
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from leaves(value, (*at, key))
    else:
        yield at, tree


def source_of(given: Given, at: KeyPath, value: object, beside: Mapping[str, Any]) -> str:
    """Return where a value comes from.

    Parameters
    ----------
    given : Given
    at : KeyPath
        Where it is in the resolved configuration.
    value : object
        The value, with ``${VAR}`` as it is written.
    beside : mapping
        The section that it is in.
    """
    for known in (given.flags, given.reasons):
        for length in range(len(at), 0, -1):
            if at[:length] in known:
                return known[at[:length]]
    line = _line(given, _where_given(given, at, value))
    if line is not None:
        where = f"{given.file}:{line}" if line else str(given.file)
        names = ", ".join(VARIABLE.findall(str(value)))
        return f"{where}, environment variable {names}" if names else where
    if at[-1] in {"text", "sha256"} and (path := beside.get("path") or beside.get("file")):
        return f"read from {path}"
    server = beside.get("type") if at[0] == "providers" else None
    return DEFAULT if server is None else f"preset {server}"


def _where_given(given: Given, at: KeyPath, value: object) -> KeyPath:
    """Return the key that gives a value: the provider of a model may be in front of its id."""
    if len(at) != 3 or at[0] != "models" or value is None:
        return at
    model = (given.tree.get("models") or {}).get(at[1])
    short = isinstance(model, str) or (isinstance(model, Mapping) and at[2] not in model)
    return (*at[:2], "id") if short and at[2] in _OF_A_MODEL else at


def _line(given: Given, at: KeyPath) -> int | None:
    """Return the line that gives a value, 0 if it has none; None if no line gives it."""
    node: Any = given.tree
    place: list[str | int] = []
    for key in at:
        if isinstance(node, Mapping) and key not in node and isinstance(node.get("prompt"), Mapping):
            node, place = node["prompt"], [*place, "prompt"]
        if isinstance(node, str) and (key not in _SHORT or (at[0], key) == ("models", "path")):
            return None
        if not isinstance(node, Mapping):
            break
        if key not in node:
            return None
        node, place = node[key], [*place, key]
    if isinstance(node, Mapping) and node:
        return None
    while place and tuple(place) not in given.lines:
        place.pop()
    return given.lines.get(tuple(place), 0)
