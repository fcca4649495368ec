"""The data sets of a run: which files they are, and whether it was prepared from these. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptrial import registry
from promptrial.config.datasets import DatasetConfig, HubConfig
from promptrial.config.environment import expanded
from promptrial.datasets.base import DatasetFormat, Reading, reading_of
from promptrial.design.growth import last_step
from promptrial.design.waves import wave_settings
from promptrial.errors import ConfigError, DataError
from promptrial.model import Item, Trial
from promptrial.phases.base import Manifests
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store import jsonl
from promptrial.store.manifests import load_manifest
from promptrial.store.rundir import digest_of

if TYPE_CHECKING:
    from promptrial.datasets.hub import Hub, HubLocation

__all__ = [
    "changed_sources",
    "earlier_sources",
    "hub_location",
    "knows_sources",
    "missing_sources",
    "most_items",
    "order_facts",
    "question_file",
    "reading_in",
    "sample_settings",
    "source_of",
]

_Source = tuple[dict[str, Any], DatasetFormat, Sequence[Path]]
"""What identifies a source, its format, and its files."""


def changed_sources(spec: RunSpec) -> dict[str, str]:
    """Return, by data set, a sentence for each local question file that is no longer what the run was prepared from."""
    return {
        name: f"datasets.{name}.path: {path} has changed since this run was prepared; the run keeps its questions. "
        "Start a new run to ask the new ones"
        for name, path, recorded in _local_sources(spec)
        if path.is_file() and jsonl.digest(path).sha256 != recorded
    }


def knows_sources(spec: RunSpec) -> bool:
    """Return whether any record says what the run was prepared from."""
    return _on_record(spec) is not None


def missing_sources(spec: RunSpec) -> list[str]:
    """Return a sentence for each local question file that the run was prepared from and that no longer exists."""
    return [
        f"datasets.{name}.path: {path} {'is another file' if path.is_file() else 'does not exist'}; the run was "
        f"prepared from one with SHA-256 {recorded}"
        for name, path, recorded in _local_sources(spec)
        if not path.is_file() or jsonl.digest(path).sha256 != recorded
    ]


def most_items(spec: RunSpec) -> int | None:
    """Return how many items the sample will have; of data sets on the hub, which are not asked, at most.

    None if that is not known, because all items of a data set on the hub are wanted.

    Raises
    ------
    DataError
        For a question file that is wrong.
    """
    sizes, total = last_step(spec.config).sizes, 0
    for name, dataset in spec.config.datasets.items():
        found = sizes[name]
        if dataset.path is not None:
            format_: DatasetFormat = registry.load("dataset format", dataset.known_format)
            found = sum(1 for _ in islice(_items(format_, spec, name, dataset), found))
        if found is None:
            return None
        total += found
    return total


def _items(format_: DatasetFormat, spec: RunSpec, name: str, dataset: DatasetConfig) -> Iterator[Item]:
    return format_.read(spec.config_folder / str(dataset.path), name, reading=reading_of(dataset))


def _local_sources(spec: RunSpec) -> Iterator[tuple[str, Path, str]]:
    """Yield name, path and recorded SHA-256 of each local question file that the run has its questions from."""
    for name, recorded in earlier_sources(spec).items():
        dataset = spec.config.datasets.get(name)
        if dataset is not None and dataset.path is not None:
            sha256 = spec.corrected_sources.get(name, recorded.get("sha256"))
            yield name, spec.config_folder / dataset.path, str(sha256)


def source_of(
    spec: RunSpec, services: Services, name: str, dataset: DatasetConfig, earlier: Mapping[str, Any]
) -> _Source:
    """Return what identifies a source, its format, and its files.

    Raises
    ------
    ConfigError
        If the file does not exist.
    DataError
        If the run was prepared before, from a file with other content.
    """
    format_: DatasetFormat = registry.load("dataset format", dataset.known_format)
    if dataset.hub is not None:
        return _hub_source(spec, services, name, dataset.hub, format_, earlier)
    path = question_file(spec.config_folder, name, dataset)
    digest = jsonl.digest(path)
    if digest.sha256 not in {earlier.get("sha256", digest.sha256), spec.corrected_sources.get(name)}:
        raise DataError(
            f"datasets.{name}.path: {path} is not the file that this run was prepared from",
            hint=f"restore the file with SHA-256 {earlier['sha256']}, or start a new run",
        )
    written = spec.as_written(str(dataset.path), "datasets", name, "path")
    source = {"path": written, "sha256": digest.sha256, "size": digest.size}
    return source, format_, [path]


def question_file(folder: Path, name: str, dataset: DatasetConfig) -> Path:
    """Return the path of a data set that is a file here.

    Raises
    ------
    ConfigError
        If the file does not exist.
    """
    path = folder / str(dataset.path)
    if not path.is_file():
        raise ConfigError(
            f"datasets.{name}.path: {path} is not a file",
            hint="correct the path; it is relative to the folder of the configuration file",
        )
    return path


def _hub_source(
    spec: RunSpec,
    services: Services,
    name: str,
    hub: HubConfig,
    format_: DatasetFormat,
    earlier: Mapping[str, Any],
) -> _Source:
    """Fetch a data set from the hub; a run that was prepared before asks for the same commit again."""
    client, location = hub_location(spec, services, hub, format_)
    fetched = client.fetch(location, commit=earlier.get("commit"), progress=lambda _done, _all: services.stop.check())
    hidden = [text for at, text in spec.written.items() if at[:3] == ("datasets", name, "hub")]
    source = {"hub": " ".join(hidden) or str(location), "commit": fetched.commit}
    return source, format_, fetched.paths


def reading_in(spec: RunSpec, dataset: DatasetConfig, earlier: Mapping[str, Any]) -> Reading:
    """Return how the files of a data set are read in a run; ``earlier`` is what it was prepared from before, if it was.

    What a run of an earlier version has asked, it asks on when it grows or is prepared again.
    """
    file_order = "choice_order" not in earlier if earlier else _was_built(spec)
    return reading_of(dataset, spec.config.subgroups)._replace(file_order=file_order)


def order_facts(format_: DatasetFormat, reading: Reading) -> dict[str, str]:
    """Return what is recorded of a source whose choices may be in another order than in the file; else nothing."""
    return {"choice_order": "hash"} if format_.orders_choices and not reading.file_order else {}


def _was_built(spec: RunSpec) -> bool:
    """Whether there are requests of an earlier version, of which no record says what they were prepared from."""
    return _on_record(spec) is None and load_manifest(spec.run.batch_inputs / "manifest.json") is not None


def hub_location(spec: RunSpec, services: Services, hub: HubConfig, format_: DatasetFormat) -> tuple[Hub, HubLocation]:
    """Return the hub, and where a data set is there."""
    from promptrial.datasets.hub import HUB_ENDPOINT, Hub, locate

    location = locate(format_.hub, repo=hub.repo, config=hub.config, split=hub.split, revision=hub.revision)
    given = services.env.get("PROMPTRIAL_CACHE") or spec.config.paths.cache_dir
    cache = expanded(given or "~/.cache/promptrial", "paths.cache_dir")
    client = Hub(cache / "hub", services.env.get("HF_ENDPOINT") or HUB_ENDPOINT, services.env.get("HF_TOKEN"))
    return client, location


def earlier_sources(spec: RunSpec) -> dict[str, Any]:
    """Return what this run was prepared from before, if it was, under settings that differ by growth at most."""
    recorded = _on_record(spec)
    if recorded is None or recorded[0] not in {digest_of(settings) for settings in _settings_by_step(spec)}:
        return {}
    return recorded[1]


def _on_record(spec: RunSpec) -> tuple[object, dict[str, Any]] | None:
    """Return the digest of the settings that items were drawn by, and the sources: as *build* says if the own are lost.

    None if there is no record, or only one of an earlier version, in which *build* does not repeat them.
    """
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    if prepared is not None:
        return prepared.receipt.inputs.get("plan"), prepared.facts.get("sources", {})
    built = load_manifest(spec.run.batch_inputs / "manifest.json")
    drawn = None if built is None else built.facts.get("prepared_from")
    return None if drawn is None else (drawn["plan"], drawn["sources"])


def _settings_by_step(spec: RunSpec) -> Iterator[object]:
    """Yield the settings of now, and those before each growth."""
    settings = sample_settings(spec, {}, None)
    yield settings
    for size in (growth.before for growth in spec.growth):
        datasets = {name: {**values, "size": size.sizes.get(name)} for name, values in settings["datasets"].items()}
        yield {**settings, "limit_items": size.limit_items, "datasets": datasets}


def sample_settings(spec: RunSpec, _manifests: Manifests, _trial: Trial | None) -> dict[str, Any]:
    """Return what of a configuration decides which items are drawn."""
    config = spec.config
    return {
        "datasets": {
            name: dataset.model_dump(mode="json", exclude={"rules", "tokens"})
            for name, dataset in config.datasets.items()
        },
        "limit_items": config.limit_items,
        "seed": config.seed,
        **wave_settings(config.stopping),
    }
