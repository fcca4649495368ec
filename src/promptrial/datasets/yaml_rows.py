"""Reading rows from YAML: a list of mappings, or a list of them in a mapping, within ``yaml_text``'s limits.

A plain scalar is null, true, false or a number only where it is one in YAML 1.2 and, if a number, is written as JSON
writes it. Any other is text as it is: ``yes``, ``12:30``, ``010`` and ``2024-05-01`` are accepted answers, which
YAML 1.1 would turn into true, 750, 8 and a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import yaml

from promptrial.config import yaml_text
from promptrial.datasets.json_objects import is_usual
from promptrial.datasets.place import SEE_FORMATS, Place
from promptrial.datasets.separated import Row
from promptrial.datasets.value_texts import text_of

__all__ = ["YamlFile", "load_questions"]

_MERGE: Final = "tag:yaml.org,2002:merge"


class _Loader(yaml_text.SafeLoader):
    """A loader that leaves plain scalars as they are written, except for null, truth values and the numbers of JSON."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's, an instance variable to its types

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    problem = f"the key {key.value[:60]!r} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
                key.tag = "tag:yaml.org,2002:str"  # a number or truth value is a name here, and 1 and true are two
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


class YamlFile(NamedTuple):
    """A file of questions: its value, and the node of the whole text, if there is one."""

    path: Path
    value: Any
    nodes: list[yaml.Node]

    def rows(self) -> Iterator[Row]:
        """Yield each mapping of the list, with the line on which it begins.

        Raises
        ------
        DataError
            If the file holds no list of mappings or several, or an entry is not a mapping.
        """
        name, rows, entries = _list(self.path, self.value, self.nodes)
        for index, (row, node) in enumerate(zip(rows, entries, strict=True)):
            place = Place(self.path, node.start_mark.line + 1, f"{name}[{index}]")
            if not isinstance(row, dict):
                raise place.error(
                    f"not a mapping: {str(row)[:60]!r}", hint=f"write the test itself here; {SEE_FORMATS}"
                )
            yield place, row


def load_questions(path: Path, file: BinaryIO) -> YamlFile:
    """Return what a file of questions holds; messages name it by its path.

    Raises
    ------
    DataError
        If the text is not YAML, or exceeds a limit.
    """
    nodes: list[yaml.Node] = []
    try:
        value = yaml_text.load(file.read(yaml_text.MAX_BYTES + 1), _Loader, nodes.append)
    except yaml_text.YamlError as error:
        raise Place(path, error.line or 1).error(f"not readable as YAML: {error.problem}", hint=SEE_FORMATS) from error
    return YamlFile(path, _plain(value), nodes)


def _list(path: Path, value: object, nodes: list[yaml.Node]) -> tuple[str, list[Any], list[yaml.Node]]:
    """Return the name of the list, its values and their nodes."""
    if isinstance(value, list):
        return "", value, nodes[0].value
    if isinstance(value, dict):
        lists = [key for key, inner in value.items() if isinstance(inner, list) and _holds_mapping(inner)]
        chosen = [key for key in lists if is_usual(key)] or (lists if len(lists) == 1 else [])
        if chosen:
            node = next(inner for key, inner in nodes[0].value if key.value == chosen[0])
            return chosen[0], value[chosen[0]], node.value
    raise Place(path, 1).error(
        "no list of mappings", hint=f"write the questions as a list: - question: ...; {SEE_FORMATS}"
    )


def _holds_mapping(values: list[object]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _plain(value: Any) -> Any:  # noqa: ANN401 - a YAML tree
    """Return a value with what JSON also has: keys are text, and so are dates."""
    if isinstance(value, dict):
        return {text_of(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
