"""A resolved configuration as YAML for people, each value with a remark; it reads back to the same values."""

from __future__ import annotations

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
from promptrial.config.schema import ExperimentConfig, ModelConfig, StatsConfig
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


def annotated(tree: Mapping[str, Any], remark: Callable[[KeyPath], str]) -> str:
    """Return values as YAML.

    Parameters
    ----------
    tree : mapping
    remark : callable
        Key path -> what stands behind its value, as a comment.
    """
    return "".join(f"{line}\n" for line in _lines(tree, (), remark))


def _lines(tree: Mapping[str, Any], at: KeyPath, remark: Callable[[KeyPath], str]) -> Iterator[str]:
    for key, value in tree.items():
        here, indent = (*at, key), "  " * len(at)
        name = f"{indent}{_flow(str(key))}:"
        if isinstance(value, Mapping) and value:
            yield name
            yield from _lines(value, here, remark)
        elif isinstance(value, str) and _fits_block(value):
            yield _remarked(f"{name} {'|' if value[-1] == chr(10) else '|-'}", remark(here))
            yield from (f"{indent}  {line}" if line else "" for line in value.rstrip("\n").split("\n"))
        else:
            yield _remarked(f"{name} {_flow(value)}", remark(here))


def _fits_block(text: str) -> bool:
    """Tell whether a text of several lines reads back as it is when its lines are indented."""
    lines = text.removesuffix("\n").split("\n")
    return len(lines) > 1 and not text[0].isspace() and bool(lines[-1]) and all(line.isprintable() for line in lines)


def _remarked(line: str, remark: str) -> str:
    return f"{line:<{_REMARK_AT}}  # {' '.join(remark.split())}"


def _flow(value: object) -> str:
    """Return a value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    text: str = yaml.safe_dump([value], default_flow_style=True, default_style=style, allow_unicode=True, width=_WIDE)
    return text.strip()[1:-1]
