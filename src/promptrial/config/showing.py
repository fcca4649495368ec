"""A resolved configuration as YAML for people, each value with a remark; it reads back to the same values."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from promptrial.config.costs import CostsConfig
from promptrial.config.datasets import DatasetConfig
from promptrial.config.effective import effective, with_placeholders
from promptrial.config.instances import complete_entry
from promptrial.config.loading import LoadedConfig
from promptrial.config.models import ModelConfig
from promptrial.config.schema import ExperimentConfig
from promptrial.config.stats import StatsConfig
from promptrial.config.tree import KeyPath

__all__ = ["annotated", "complete"]

_FILLED: Final = (ExperimentConfig, ModelConfig, DatasetConfig, StatsConfig, CostsConfig)
"""Sections whose keys are all shown; the forms of the others leave out what does not apply."""
_REMARK_AT: Final = 48
_WIDE: Final = 1 << 30


def complete(loaded: LoadedConfig, models: set[str], prompt_sets: set[str]) -> dict[str, Any]:
    """Return every value that a run would have, defaults and places too, with ``${VAR}`` as it is written.

    Parameters
    ----------
    loaded : LoadedConfig
    models, prompt_sets : set of str
        Those that trials use; others are left out.
    """
    recorded = effective(loaded, models, prompt_sets)
    tree = _filled(loaded.experiment, recorded)
    used = {model["provider"] or tree["provider"] for model in tree["models"].values()}
    tree["providers"] = {
        name: complete_entry(entry) for name, entry in loaded.experiment.providers.items() if name in used
    }
    return with_placeholders(tree, loaded.placeholders)


def _filled(section: BaseModel, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a section with the keys that records leave out while they have their defaults."""
    found: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        shown = tree[name] if name in tree else to_jsonable_python(value)
        if isinstance(value, _FILLED):
            shown = _filled(value, shown)
        elif isinstance(value, Mapping):
            shown = {
                key: _filled(value[key], below) if isinstance(value.get(key), _FILLED) else below
                for key, below in shown.items()
            }
        found[name] = shown
    return found


def annotated(tree: Mapping[str, Any], remark: Callable[[KeyPath], str], width: int | None = None) -> str:
    """Return values as YAML.

    Parameters
    ----------
    tree : mapping
    remark : callable
        Key path -> where its value comes from, as a comment.
    width : int, optional
        How wide lines may be: longer texts are folded, and a comment that does not fit comes before its value. A word
        that is wider stays whole.
    """
    return "".join(f"{line}\n" for line in _lines(tree, (), remark, width))


def _lines(tree: Mapping[str, Any], at: KeyPath, remark: Callable[[KeyPath], str], width: int | None) -> Iterator[str]:
    for key, value in tree.items():
        here, indent = (*at, key), "  " * len(at)
        name = f"{indent}{_flow(str(key))}:"
        if isinstance(value, Mapping) and value:
            yield name
            yield from _lines(value, here, remark, width)
            continue
        folded = _folded(value, name, indent, width) if isinstance(value, str) else None
        if folded is not None:
            yield from _remarked(f"{name} >-", remark(here), width)
            yield from folded
        elif isinstance(value, str) and _fits_block(value):
            yield from _remarked(f"{name} {'|' if value[-1] == chr(10) else '|-'}", remark(here), width)
            yield from (f"{indent}  {line}" if line else "" for line in value.rstrip("\n").split("\n"))
        else:
            yield from _remarked(f"{name} {_flow(value)}", remark(here), width)


def _folded(text: str, name: str, indent: str, width: int | None) -> list[str] | None:
    """Return the lines of a text as a folded block; None where it fits as it is, or would not read back the same.

    In such a block a line break reads as a space, and n + 1 of them as n.
    """
    if width is None or all(len(line) + len(name) + 1 <= width for line in text.split("\n")):
        return None
    lines = text.split("\n")
    if not all(line.isprintable() and line == " ".join(line.split(" ")).strip() for line in lines):
        return None
    if not (lines[0] and lines[-1]) or any("  " in line for line in lines):
        return None
    found: list[str] = []
    for at, line in enumerate(lines):
        found += [""] if at else []
        found += textwrap.wrap(line, max(width - len(indent) - 2, 20), break_long_words=False, break_on_hyphens=False)
    return [f"{indent}  {line}" if line else "" for line in found]


def _fits_block(text: str) -> bool:
    """Tell whether a text of several lines reads back as it is when its lines are indented."""
    lines = text.removesuffix("\n").split("\n")
    return len(lines) > 1 and not text[0].isspace() and bool(lines[-1]) and all(line.isprintable() for line in lines)


def _remarked(line: str, remark: str, width: int | None) -> Iterator[str]:
    """Yield a line with a comment after it, or before it where it would be too wide."""
    said = f"# {' '.join(remark.split())}"
    whole = f"{line:<{_REMARK_AT}}  {said}"
    if width is None or len(whole) <= width:
        yield whole
        return
    indent = " " * (len(line) - len(line.lstrip(" ")))
    yield from textwrap.wrap(said, width, initial_indent=indent, subsequent_indent=f"{indent}# ",
                             break_long_words=False, break_on_hyphens=False)  # fmt: skip
    yield line


def _flow(value: object) -> str:
    """Return a value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    text: str = yaml.safe_dump([value], default_flow_style=True, default_style=style, allow_unicode=True, width=_WIDE)
    return text.strip()[1:-1]
