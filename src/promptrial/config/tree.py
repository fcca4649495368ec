"""A YAML text as a tree of plain values, with the line of every key. What the keys mean is up to ``config.schema``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from promptrial.config.yaml_text import SafeLoader, YamlError, load
from promptrial.errors import ConfigError

__all__ = ["KeyPath", "Lines", "dotted", "parse", "place"]

KeyPath = tuple[str | int, ...]
Lines = Mapping[KeyPath, int]
_TEXT: Final = "tag:yaml.org,2002:str"
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_ESCAPE: Final = "write a path with / between folders, or in single quotes"
"""What to do about a backslash in double quotes, which mostly is part of a Windows path."""
_OCTAL: Final = re.compile("[-+]?0[0-7_]+")


class _Loader(SafeLoader):
    """YAML whose keys are the text that is in the file (``no`` is a name, not False) and that knows no dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = _TEXT


def _number(
    construct: Callable[[SafeLoader, yaml.ScalarNode], float],
) -> Callable[[SafeLoader, yaml.ScalarNode], float]:
    """Return a constructor of numbers that refuses those which YAML 1.1 reads in another base than people do."""

    def checked(loader: SafeLoader, node: yaml.ScalarNode) -> float:
        value, text = construct(loader, node), str(node.value)
        base = "8" if _OCTAL.fullmatch(text) else "60" if ":" in text else ""
        if base:
            problem = f"YAML reads {text} in base {base}, as {value}: write a decimal number, or quote it if it is text"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return value

    return checked


_Loader.add_constructor("tag:yaml.org,2002:int", _number(SafeLoader.construct_yaml_int))
_Loader.add_constructor("tag:yaml.org,2002:float", _number(SafeLoader.construct_yaml_float))


def parse(path: Path, text: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the values and, for every key path, its line.

    Raises
    ------
    ConfigError
        If the text is not YAML, exceeds a limit of ``yaml_text``, is not a mapping, or has a key twice in one place;
        names file and line.
    """
    line_of: dict[KeyPath, int] = {}
    try:
        tree = load(text, _Loader, lambda node: _index(path, node, (), line_of))
    except YamlError as error:
        hint = _ESCAPE if "escape character" in error.problem else None
        raise ConfigError(f"{_numbered(path, error.line)}: not valid YAML: {error.problem}", hint=hint) from None
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else f"a {type(tree).__name__}"
        raise ConfigError(f"{path}: expected keys and values at the top level, found {found}")
    return tree, line_of


def place(path: Path, line_of: Lines, at: KeyPath) -> str:
    """Return ``file:line`` of a key, or of the nearest key above it that is in the file."""
    while at and at not in line_of:
        at = at[:-1]
    line = line_of.get(at)
    return _numbered(path, line)


def _numbered(path: Path, line: int | None) -> str:
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
                raise ConfigError(f"{path}:{line}: {dotted(below)}: this key is given twice")
            seen.add(key.value)
            line_of[below] = line
            _index(path, value, below, line_of)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index(path, value, (*at, index), line_of)
