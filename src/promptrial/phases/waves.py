"""The waves of a run: which items each one holds, how many may be asked now, and which items the results are of.

*Prepare* cuts the sample into waves and records them before anything is asked. What looks decided is in
``looks.jsonl`` of each trial (``store.look_records``). Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from promptrial.datasets.clusters import cluster_id
from promptrial.design.waves import ClusterKey, Waves, cut_waves
from promptrial.documents.files import read_bytes
from promptrial.errors import CorruptRecordError
from promptrial.model import Item, ids
from promptrial.phases.prepared import item_keys
from promptrial.phases.spec import RunSpec
from promptrial.store import atomic
from promptrial.store.atomic import AtomicFile
from promptrial.store.look_records import LookRecord, is_over, read_looks, taken
from promptrial.store.part_records import FileRecord
from promptrial.store.rundir import RunDir

__all__ = [
    "asked_keys",
    "asked_steps",
    "has_waves",
    "is_kept",
    "looks_of",
    "open_waves",
    "over",
    "planned_waves",
    "waves_of_items",
    "waves_on_record",
    "write_waves",
]

WAVES_FILE: Final = "waves.json"


class _WavesFile(msgspec.Struct, frozen=True, kw_only=True):
    """``prepared/waves.json``: items and clusters of each wave, and the wave of each item in prepared order, from 0."""

    schema_version: int = 1
    items: tuple[int, ...]
    clusters: tuple[int, ...]
    largest_cluster: int
    wave_of: tuple[int, ...]


def waves_of_items(spec: RunSpec, items: Iterable[Item]) -> Waves:
    """Return the waves of a sample, given its items in prepared order."""
    keys = [ClusterKey(item.dataset, cluster_id(item)) for item in items]
    return cut_waves(keys, spec.config.stopping, spec.config.seed)


def write_waves(spec: RunSpec, items: Sequence[Item]) -> dict[Path, FileRecord]:
    """Write the waves of a sample, given its items in prepared order, and return the record of the file.

    Without waves, none is left of an earlier configuration.
    """
    path = spec.run.prepared / WAVES_FILE
    if not spec.config.stopping.on or not items:
        if path.exists():
            atomic.remove(path)
        return {}
    waves = waves_of_items(spec, items)
    held = _WavesFile(items=waves.items, clusters=waves.clusters, largest_cluster=waves.largest, wave_of=waves.wave_of)
    with AtomicFile(path) as file:
        file.write(msgspec.json.encode(held) + b"\n")
    return {path: FileRecord(file.sha256(), file.size)}


def waves_on_record(run: RunDir) -> Waves:
    """Return the waves that *prepare* cut.

    Raises
    ------
    CorruptRecordError
        If the file is damaged or missing.
    """
    path = run.prepared / WAVES_FILE
    try:
        found = msgspec.json.decode(read_bytes(path), type=_WavesFile)
    except (OSError, ValueError, RecursionError) as error:
        hint = f"prepare again: {run.command('run')} --from_step prepare"
        raise CorruptRecordError(f"{path}: damaged record of the waves: {error}", hint=hint) from error
    return Waves(found.wave_of, found.items, found.clusters, found.largest_cluster)


def has_waves(run: RunDir) -> bool:
    """Whether a run that is prepared is asked in waves."""
    return bool((run.prepared / WAVES_FILE).exists())


def looks_of(run: RunDir, slug: str) -> tuple[LookRecord, ...]:
    """Return what ``looks.jsonl`` of a trial says, oldest first."""
    return read_looks(run.trial(slug).results)


def over(spec: RunSpec, slug: str) -> bool:
    """Whether the looks at a trial are over, so that nothing more is asked; true of a run without a stopping rule."""
    return not spec.config.stopping.on or is_over(looks_of(spec.run, slug))


def open_waves(spec: RunSpec, slug: str) -> int | None:
    """Return how many waves of a trial may be asked now; None without a stopping rule, so that everything may.

    That follows from the configuration and the looks alone, whatever else is lost.
    """
    if not spec.config.stopping.on:
        return None
    looks = looks_of(spec.run, slug)
    return len(taken(looks)) + (not is_over(looks))


def planned_waves(spec: RunSpec, slug: str) -> int | None:
    """Return how many waves of a trial will be asked at most; None for all, as long as no look has ended it."""
    return open_waves(spec, slug) if over(spec, slug) else None


def asked_steps(run: RunDir, slug: str) -> int | None:
    """Return of how many waves the results of a trial are; None without waves, so that they are of everything."""
    return len(taken(looks_of(run, slug))) if has_waves(run) else None


def is_kept(run: RunDir, slug: str) -> list[bool] | None:
    """Return for each prepared item, in order, whether the results of a trial are of it; None for all items."""
    if not has_waves(run):
        return None
    waves, most = waves_on_record(run), len(taken(looks_of(run, slug)))
    return None if most >= waves.n_waves else [wave < most for wave in waves.wave_of]


def asked_keys(run: RunDir, slug: str) -> set[str] | None:
    """Return the keys (``data set|id``) of the items that the results of a trial are of; None for all items."""
    kept = is_kept(run, slug)
    if kept is None:
        return None
    return {ids.item_key(key.dataset, key.id) for key, asked in zip(item_keys(run), kept, strict=True) if asked}
