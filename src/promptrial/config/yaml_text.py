"""A YAML text as plain values, within limits that are checked before any value is made. What keys mean is not here.

A small text can stand for a huge tree: aliases repeat what they name, and each level of nesting costs stack. So the
parser's events are counted first, with aliases expanded, which costs time in proportion to the text alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from promptrial.documents.files import read_bytes

__all__ = ["MAX_BYTES", "SafeLoader", "YamlError", "load", "load_file"]

MAX_BYTES: Final = 16 << 20
"""The largest file of YAML that is read."""
MAX_LEVELS: Final = 64
"""How deep values may be nested."""
MAX_VALUES: Final = 200_000
"""How many values (keys too) a text may hold once its aliases are expanded."""
_SHOWN: Final = 60


class YamlError(ValueError):
    """A text is not YAML, or exceeds a limit.

    Attributes
    ----------
    problem : str
        What is wrong, without the place.
    line : int or None
        The line, from 1, if it is known.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.problem = problem
        self.line = line


class SafeLoader(yaml.CSafeLoader):
    """PyYAML's safe loader, whose every error about a value is a ``ConstructorError`` that knows the line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, D102, FBT001, FBT002 - PyYAML's
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as error:
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            given = repr(node.value)[:_SHOWN] if isinstance(node, yaml.ScalarNode) else "this"
            problem = f"{given} is not a valid value of type {kind}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def load(
    data: bytes | str, loader: type[SafeLoader] = SafeLoader, look: Callable[[yaml.Node], None] = lambda _: None
) -> Any:  # noqa: ANN401 - a YAML tree
    """Return the value of a text.

    Parameters
    ----------
    data : bytes or str
    loader : type
        What makes the values.
    look : callable
        Called with the node of the whole text, whose parts know their lines, before values are made.

    Raises
    ------
    YamlError
        If it is not YAML, or exceeds a limit.
    """
    text = _text(data)
    try:
        _check_limits(yaml.parse(text, Loader=SafeLoader))
        parser = loader(text)
        try:
            node = parser.get_single_node()
            if node is None:
                return None
            look(node)
            return parser.construct_document(node)
        finally:
            parser.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _explained(error, text) from None


def load_file(path: Path) -> Any:  # noqa: ANN401 - a YAML tree
    """Return the value of a file, read as the safe loader reads it.

    Raises
    ------
    YamlError
        As ``load``.
    OSError
        If it cannot be read, is not a regular file, or is larger than ``MAX_BYTES``.
    """
    return load(read_bytes(path, MAX_BYTES))


def _text(data: bytes | str) -> str:
    if len(data) > MAX_BYTES:
        raise YamlError(f"larger than {MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise YamlError(f"not UTF-8: {error.reason}", line) from None


@dataclass(slots=True)
class _Size:
    """The values that a node stands for, itself included, and the levels of lists and mappings in it."""

    anchor: str | None
    values: int = 1
    levels: int = 0


def _check_limits(events: Iterator[yaml.Event]) -> None:
    """Walk through the events and raise where a limit is exceeded, before anything is read beyond it."""
    known: dict[str, _Size] = {}
    around = [_Size(None)]  # the whole text, then each list or mapping whose end is not reached
    total = 0
    for event in events:
        size = None
        if isinstance(event, yaml.CollectionStartEvent):
            around.append(_Size(event.anchor, levels=1))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            size = around.pop()
        elif isinstance(event, yaml.ScalarEvent):
            size = _Size(event.anchor)
            total += 1
        elif isinstance(event, yaml.AliasEvent):
            size = _named_by(event, known, around)
            total += size.values
        if size is not None:
            _add(around[-1], size, known)
        _check(len(around) - 2 + around[-1].levels, total, event)


def _named_by(alias: yaml.AliasEvent, known: Mapping[str, _Size], around: Sequence[_Size]) -> _Size:
    if any(alias.anchor == size.anchor for size in around):
        raise YamlError(f"the alias *{alias.anchor} refers to a value that contains it", _line_of(alias))
    named = known.get(alias.anchor or "", _Size(None))  # an unknown one is refused by the parser
    return _Size(None, named.values, named.levels)


def _add(around: _Size, size: _Size, known: dict[str, _Size]) -> None:
    around.values += size.values
    around.levels = max(around.levels, size.levels + 1)
    if size.anchor is not None:
        known[size.anchor] = size


def _check(levels: int, values: int, event: yaml.Event) -> None:
    if levels > MAX_LEVELS:
        raise YamlError(f"nested more than {MAX_LEVELS} levels deep", _line_of(event))
    if values > MAX_VALUES:
        raise YamlError(f"more than {MAX_VALUES:,} values, aliases expanded", _line_of(event))


def _line_of(event: yaml.Event) -> int | None:
    return None if event.start_mark is None else event.start_mark.line + 1


def _explained(error: Exception, text: str) -> YamlError:
    if isinstance(error, YamlError):
        return error
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    line = mark.line + 1 if mark is not None else None
    if line is None and position is not None:
        line = text.count("\n", 0, position) + 1
    if line is not None and _is_indented_by_tab(text, line):
        return YamlError(f"line {line} is indented with a tab; use spaces", line)
    return YamlError(getattr(error, "problem", None) or getattr(error, "reason", None) or str(error), line)


def _is_indented_by_tab(text: str, line: int) -> bool:
    shown = text.split("\n")[line - 1 : line]
    return any("\t" in each[: len(each) - len(each.lstrip(" \t"))] for each in shown)
