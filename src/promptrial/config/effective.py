"""The resolved configuration as it is written into a run: its text, its hash, and the difference between two."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # digests are needed everywhere, pydantic and YAML are not
    import yaml

    from promptrial.config.loading import LoadedConfig

__all__ = ["canonical_json", "config_hash", "difference", "effective", "to_yaml"]

_ABSENT: Final = object()
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")


def effective(loaded: LoadedConfig, models: set[str], prompt_sets: set[str]) -> dict[str, Any]:
    """Return the resolved configuration as plain values, ``${VAR}`` left as it stood.

    Only the models and prompt sets that a trial uses are kept, so that editing an unused prompt is no drift; where the
    trials are written out, the sweep, which may name unused ones, is left out too.
    """
    tree: dict[str, Any] = loaded.experiment.model_dump(mode="json")
    tree["models"] = {name: tree["models"][name] for name in tree["models"] if name in models}
    tree["prompt_sets"] = {name: tree["prompt_sets"][name] for name in tree["prompt_sets"] if name in prompt_sets}
    if tree["trials"] is not None:
        tree["sweep"] = type(loaded.experiment.sweep)().model_dump(mode="json")
    for path, text in loaded.placeholders.items():
        branch: Any = tree
        key: Any
        for key in path[:-1]:
            branch = branch[key] if isinstance(branch, list) or key in branch else None
            if branch is None:  # the value belongs to a model or prompt set that no trial uses
                break
        else:
            _put_back(branch, path[-1], text)
    return tree


def _put_back(branch: Any, key: Any, text: str) -> None:  # noqa: ANN401 - a tree of plain values
    if isinstance(branch, dict) and isinstance(branch.get(key), dict):  # a prompt, given by its path alone
        branch[key]["path"] = text
    elif isinstance(branch, list) or key in branch:
        branch[key] = text


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def config_hash(tree: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical_json(tree)).hexdigest()


def to_yaml(tree: dict[str, Any]) -> bytes:
    """Return the configuration as YAML that reads back to the same values."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(str, _represent_text)
    text: str = yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quote and escape a text with one of Unicode's own line breaks, which YAML readers would turn into spaces."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _BREAKS.search(text) else None)


def difference(old: object, new: object, at: str = "") -> Iterator[str]:
    """Yield one line per key that differs: ``stats.alpha: 0.05 -> 0.01``."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from difference(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{at}.{key}" if at else str(key))
    elif old is _ABSENT or new is _ABSENT or canonical_json(old) != canonical_json(new):
        yield f"{at}: {_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    if value is _ABSENT:
        return "not there"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
