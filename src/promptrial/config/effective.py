"""The resolved configuration as it is written into a run: its text, its hash, and the difference between two."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # digests are needed everywhere, pydantic is not
    from promptrial.config.loading import LoadedConfig

__all__ = ["canonical_json", "config_hash", "difference", "effective", "to_yaml"]


def effective(loaded: LoadedConfig, models: set[str], prompt_sets: set[str]) -> dict[str, Any]:
    """Return the resolved configuration as plain values, ``${VAR}`` left as it stood.

    Only the models and prompt sets that a trial uses are kept, so that editing an unused prompt is no drift.
    """
    tree: dict[str, Any] = loaded.experiment.model_dump(mode="json")
    tree["models"] = {name: tree["models"][name] for name in tree["models"] if name in models}
    tree["prompt_sets"] = {name: tree["prompt_sets"][name] for name in tree["prompt_sets"] if name in prompt_sets}
    for path, text in loaded.placeholders.items():
        branch: Any = tree
        key: Any
        for key in path[:-1]:
            branch = branch[key] if isinstance(branch, list) or key in branch else None
            if branch is None:  # the value belongs to a model or prompt set that no trial uses
                break
        else:
            branch[path[-1]] = text
    return tree


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def config_hash(tree: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical_json(tree)).hexdigest()


def to_yaml(tree: dict[str, Any]) -> bytes:
    """Return the configuration as YAML that reads back to the same values."""
    import yaml  # noqa: PLC0415 - digests are needed everywhere, YAML is not

    text: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


def difference(old: object, new: object, at: str = "") -> Iterator[str]:
    """Yield one line per key that differs: ``stats.alpha: 0.05 -> 0.01``."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from difference(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif old != new:
        yield f"{at}: {_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
