"""A YAML text as a tree of plain values, with the line of every key. What the keys mean is up to ``config.schema``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from promptrial.errors import ConfigError

__all__ = ["KeyPath", "Lines", "dotted", "parse", "place"]

KeyPath = tuple[str | int, ...]
Lines = Mapping[KeyPath, int]
_TEXT: Final = "tag:yaml.org,2002:str"
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """YAML whose keys are the text that stands in the file (``no`` is a name, not False) and that knows no dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = _TEXT


def parse(path: Path, text: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the values and, for every key path, its line.

    Raises
    ------
    ConfigError
        If the text is not YAML, is not a mapping, or has a key twice in one place; names file and line.
    """
    line_of: dict[KeyPath, int] = {}
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            _index(path, node, (), line_of)
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of CSafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{_place_of(error, path, text)}: not valid YAML: {_problem(error)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid YAML: nested too deeply, or an alias that holds itself") from None
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else f"a {type(tree).__name__}"
        raise ConfigError(f"{path}: expected keys and values at the top level, found {found}")
    return tree, line_of


def place(path: Path, line_of: Lines, at: KeyPath) -> str:
    """Return ``file:line`` of a key, or of the nearest key above it that stands in the file."""
    while at and at not in line_of:
        at = at[:-1]
    line = line_of.get(at)
    return f"{path}:{line}" if line else str(path)


def dotted(at: KeyPath) -> str:
    """Return a key path as people write it: ``stats.primary.0``."""
    return ".".join(str(key) for key in at)


def _index(path: Path, node: yaml.Node, at: KeyPath, line_of: dict[KeyPath, int]) -> None:
    line_of.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # loading says what is wrong with it
            below, line = (*at, key.value), key.start_mark.line + 1
            if key.value in seen:
                raise ConfigError(f"{path}:{line}: {dotted(below)}: this key stands twice")
            seen.add(key.value)
            line_of[below] = line
            _index(path, value, below, line_of)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index(path, value, (*at, index), line_of)


def _place_of(error: Exception, path: Path, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark is not None:
        return f"{path}:{mark.line + 1}"
    return str(path) if position is None else f"{path}:{text.count(chr(10), 0, position) + 1}"


def _problem(error: Exception) -> str:
    return getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
