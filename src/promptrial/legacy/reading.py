"""What an older run is, from whatever of its files can still be read: its configuration, its trials, its notes.

Nothing is believed that a state file claims: only what is on disk and can be read. What had to be inferred is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptrial.config.yaml_text import YamlError, load_file
from promptrial.documents.files import read_bytes
from promptrial.engine.origin import is_legacy_config
from promptrial.model.arms import PAIR, ArmName

__all__ = ["LegacyRun", "LegacyTrial", "read_run"]

_SLUG: Final = re.compile(r"(?P<rest>.+)-tp(?P<top_p>[\d.]+)-tk(?P<top_k>\d+)-mx(?P<first>\d+)-(?P<second>\d+)")


@dataclass(frozen=True, slots=True)
class LegacyTrial:
    """One trial of an older run.

    ``manifest`` is its manifest as it was, empty if that was lost. ``prompts`` holds the SHA-256 of each arm's system
    prompt as far as it was recorded: older tools did not keep the texts.
    """

    slug: str
    folder: Path
    alias: str
    model_id: str
    prompt_set: str
    temps: tuple[float, ...]
    samples_per_item: Mapping[str, int]
    top_p: float
    top_k: int
    max_new_tokens: Mapping[str, int]
    prompts: Mapping[ArmName, str]
    tokens: Mapping[ArmName, int]
    manifest: Mapping[str, Any]


@dataclass(slots=True)
class LegacyRun:
    """An older run: where it is, its configuration (empty if lost), its trials, and what was inferred."""

    root: Path
    config: Mapping[str, Any]
    trials: tuple[LegacyTrial, ...] = ()
    inferred: list[str] = field(default_factory=list)


def read_run(root: Path) -> LegacyRun:
    """Read what can be read of an older run. A file that a migration has replaced is read from its backup."""
    run = LegacyRun(root, _config(root))
    if not run.config:
        run.inferred.append(
            "its configuration is missing: parameters come from the trials, and the others are defaults"
        )
    folders = sorted(path.parent for path in root.glob("*/results") if path.is_dir())
    run.trials = tuple(trial for folder in folders if (trial := _trial(run, folder)) is not None)
    return run


def _config(root: Path) -> Mapping[str, Any]:
    for path in (*sorted(root.glob("effective_config.backup.*.yaml")), root / "effective_config.yaml"):
        try:
            found = load_file(path)
        except (OSError, YamlError):
            continue
        if is_legacy_config(found):
            return dict(found)
    return {}


def _trial(run: LegacyRun, folder: Path) -> LegacyTrial | None:
    """Return a trial, or None for a folder in which no answers of a trial are to be found."""
    manifest = _manifest(folder / "results")
    named = _SLUG.fullmatch(folder.name)
    if not manifest:
        if named is None or not any((folder / "results").glob("t*_p*")):
            return None
        run.inferred.append(f"{folder.name}: its manifest is missing: parameters come from its name")
    described = manifest.get("trial") or {}
    model_id = str(described.get("model_id") or run.config.get("model_id") or "unknown")
    alias, prompt_set = _names(folder.name if named is None else named["rest"], described, model_id, run.config)
    limits = described.get("max_new_tokens") or run.config.get("max_new_tokens") or {}
    prompts: dict[str, Any] = manifest.get("prompts") or {}
    return LegacyTrial(
        slug=folder.name,
        folder=folder,
        alias=alias,
        model_id=model_id,
        prompt_set=prompt_set,
        temps=tuple(float(temp) for temp in manifest.get("temps") or run.config.get("temps") or _temps(folder)),
        samples_per_item={
            repr(float(temp)): int(count)
            for temp, count in (manifest.get("samples_per_item") or run.config.get("samples_per_item") or {}).items()
        },
        top_p=float(described.get("top_p") or (named["top_p"] if named else 1.0)),
        top_k=int(described.get("top_k") or (named["top_k"] if named else 50)),
        max_new_tokens={
            "open_book": int(limits.get("open_book") or (named["second"] if named else 1024)),
            "closed_book": int(limits.get("closed_book") or (named["first"] if named else 1024)),
        },
        prompts={name: str(prompts[name]["sha256"]) for name in PAIR if "sha256" in prompts.get(name, {})},
        tokens={name: int(prompts[name]["tokens"]) for name in PAIR if "tokens" in prompts.get(name, {})},
        manifest=manifest,
    )


def _manifest(results: Path) -> Mapping[str, Any]:
    """Return the manifest of the older tool: its backup if there is one, empty if none can be read."""
    for path in (*sorted(results.glob("trial_manifest.backup.*.json")), results / "trial_manifest.json"):
        try:
            found = json.loads(read_bytes(path))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "parts" not in found:
            return found
    return {}


def _names(rest: str, described: Mapping[str, Any], model_id: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """Return alias and prompt set out of the first part of a folder's name, ``alias-prompt_set``."""
    prompt_set = described.get("prompt_set")
    if prompt_set is None:
        known = [name for name in config.get("prompt_sets") or {} if rest.endswith(f"-{name}")]
        prompt_set = max(known, key=len) if known else rest.rpartition("-")[2]
    alias = rest.removesuffix(f"-{prompt_set}")
    return (alias if alias and alias != rest else model_id.rpartition("/")[2]), str(prompt_set)


def _temps(folder: Path) -> Iterator[float]:
    """Yield the temperatures that the folders of parts are named by: ``t07_control_p01`` is 0.7."""
    labels = {path.name.partition("_")[0][1:] for path in (folder / "results").glob("t*_p*") if path.is_dir()}
    yield from sorted(float(f"{label[:1]}.{label[1:] or '0'}") for label in labels if label.isdecimal())
