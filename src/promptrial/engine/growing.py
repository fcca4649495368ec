"""Growing a run: a sample that became larger is no drift. What is recorded of it, and when it is refused.

The growth is on record, in the state and then in every trial, before the first new item is drawn: the parts that were
asked before can then be distinguished from the new ones, whatever is lost or killed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import msgspec

from promptrial.config.effective import config_hash
from promptrial.engine.origin import holds_answers, own_copy, trial_manifests
from promptrial.errors import ConfigDriftError
from promptrial.phases import stats
from promptrial.phases.build import requests_per_item
from promptrial.phases.sources import knows_sources, missing_sources, most_items
from promptrial.phases.spec import RunSpec
from promptrial.store.change_records import Growth, SampleSize
from promptrial.store.manifests import load_manifest
from promptrial.store.part_records import listed
from promptrial.store.records import Origin, RunState
from promptrial.store.rundir import RunDir

__all__ = [
    "Outlook",
    "check_sources",
    "growth_on_record",
    "is_copy_damaged",
    "new_growth",
    "outlook",
    "recorded_tree",
    "sentence",
]


def growth_on_record(run: RunDir, origin: Origin | None) -> tuple[Growth, ...]:
    """Return each growth of a run, oldest first: as its records say, or, if they are lost, as its requests do."""
    if origin is not None:
        return tuple(listed(origin.growth))
    built = load_manifest(run.batch_inputs / "manifest.json")
    found = built.facts.get("growth", []) if built is not None else []
    return tuple(msgspec.convert(found, list[Growth]))


def recorded_tree(run: RunDir, origin: Origin | None) -> dict[str, Any] | None:
    """Return the configuration that a run uses; None if its own copy is lost or damaged.

    The own copy may be that of before the last growth: a kill came before it was written again.
    """
    own, growth = own_copy(run), growth_on_record(run, origin)
    if own is None or not growth or origin is None or config_hash(own) == origin.config_hash:
        return own
    datasets = own.get("datasets")
    if not isinstance(datasets, dict) or not all(isinstance(each, dict) for each in datasets.values()):
        return None
    return _with_sizes(own, growth[-1].after)


def is_copy_damaged(run: RunDir, origin: Origin | None) -> bool:
    """Whether a run's own copy is lost, or not the configuration that the run uses, as far as that is on record."""
    tree = recorded_tree(run, origin)
    return tree is None or (origin is not None and config_hash(tree) != origin.config_hash)


def _with_sizes(tree: Mapping[str, Any], size: SampleSize) -> dict[str, Any]:
    found = deepcopy(dict(tree))
    found["limit_items"] = size.limit_items
    for name, dataset in found["datasets"].items():
        if name in size.sizes:
            dataset["size"] = size.sizes[name]
    return found


def new_growth(run: RunDir, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Growth | None:
    """Return what to record of a sample that became larger; None if no request was written yet, so that none is kept.

    Parameters
    ----------
    run : RunDir
    old, new : mapping
        The configuration that the run uses, and the one that it has from now on.
    """
    if old is None or not ((run.batch_inputs / "manifest.json").exists() or holds_answers(run)):
        return None
    return Growth(
        config_hash=config_hash(dict(old)),
        before=_size(old),
        after=_size(new),
        parts_per_dataset=old.get("parts_per_dataset"),
        lines_per_part=old.get("lines_per_part"),
        statistics=_has_statistics(run),
    )


def _size(tree: Mapping[str, Any]) -> SampleSize:
    return SampleSize(tree["limit_items"], {name: dataset["size"] for name, dataset in tree["datasets"].items()})


def _has_statistics(run: RunDir) -> bool:
    """Whether anybody may have seen statistics of the run: they are there, or were committed."""
    if any(run.root.glob("*/results/significance.json")):
        return True
    return any(stats.PHASE.stage in manifest.stage_status for manifest in trial_manifests(run))


def check_sources(spec: RunSpec, state: RunState | None) -> None:
    """Refuse to grow a run whose question files are not those that it was prepared from, or are not recorded.

    Raises
    ------
    ConfigDriftError
        Names the files, and what to do.
    """
    hint = "or start a new run with another --run_id"
    if spec.config.stopping.on:
        raise ConfigDriftError(
            f"run {spec.run.run_id} cannot grow: it is asked in waves, and its stopping rule counts on its size",
            hint=f"resume it with the size that it has, {hint}",
        )
    if state is not None and state.migrated is True:
        raise ConfigDriftError(
            f"run {spec.run.run_id} cannot grow: promptrial's predecessor drew its sample, in another order",
            hint=f"resume it with its current size, {hint}",
        )
    if not knows_sources(spec):
        raise ConfigDriftError(
            f"run {spec.run.run_id} cannot grow: there is no record of the question files that it was prepared from",
            hint=f"resume it with its current size, which records them, and extend it afterwards; {hint}",
        )
    if problems := missing_sources(spec):
        lines = "\n  ".join(problems)
        raise ConfigDriftError(
            f"run {spec.run.run_id} cannot grow, because its questions have changed:\n  {lines}",
            hint="if only accepted answers or columns that are not sent were corrected, resume it with its current "
            f"size, which takes them over and asks nothing, and extend it afterwards: {spec.run.resume_command}; "
            f"otherwise restore the files that it was prepared from, {hint}",
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a growth that is not built yet will add.

    ``change`` names the sizes that grew. Of ``items`` and ``requests`` there may be fewer where questions come from the
    hub; None if the number is not known. ``refused`` says why the run cannot grow; empty if it can.
    """

    change: str
    items: int | None = None
    requests: int | None = None
    refused: str = ""


def outlook(spec: RunSpec, state: RunState | None) -> Outlook | None:
    """Return what the last growth will add; None if the run never grew, or its new requests are written already."""
    built = load_manifest(spec.run.batch_inputs / "manifest.json")
    if not spec.growth or built is None or len(built.facts.get("growth", ())) == len(spec.growth):
        return None
    change = sentence(spec.growth[-1])
    try:
        check_sources(spec, state)
    except ConfigDriftError as error:
        return Outlook(change, refused=error.message)
    total = most_items(spec)
    if total is None:
        return Outlook(change)
    items = total - int(built.facts["items"])
    return Outlook(change, items, items * sum(requests_per_item(trial) for trial in spec.trials))


def sentence(growth: Growth) -> str:
    """Return what grew, and from what to what: ``limit_items: 10 -> 20``."""
    before, after = growth.before, growth.after
    sizes = {f"datasets.{name}.size": (before.sizes.get(name), size) for name, size in after.sizes.items()}
    changes = {"limit_items": (before.limit_items, after.limit_items), **sizes}
    return ", ".join(f"{key}: {_shown(was)} -> {_shown(now)}" for key, (was, now) in changes.items() if was != now)


def _shown(size: int | None) -> str:
    return "all" if size is None else str(size)
