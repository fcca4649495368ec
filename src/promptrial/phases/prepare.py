"""Prepare: read the question sets, check them, sample them, and write the items that the run will use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from promptrial import registry
from promptrial.config.environment import expanded
from promptrial.config.schema import DatasetConfig, HubConfig
from promptrial.datasets.base import DatasetFormat, Notice
from promptrial.datasets.sampling import sample
from promptrial.errors import ConfigError, DataError
from promptrial.model import Item, Trial
from promptrial.model.units import RUN
from promptrial.phases.base import Manifests, Phase, Produced, load_manifest
from promptrial.phases.prepared import encode_item, prepared_files
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.scoring.golds import GoldCheck
from promptrial.scoring.normalize import rules_for
from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord
from promptrial.store.rundir import digest_of

__all__ = ["PHASE", "changed_sources"]


def _settings(spec: RunSpec, _manifests: Manifests, _trial: Trial | None) -> object:
    config = spec.config
    return {
        "datasets": {
            name: dataset.model_dump(mode="json", exclude={"rules", "tokens"})
            for name, dataset in config.datasets.items()
        },
        "limit_items": config.limit_items,
        "seed": config.seed,
    }


def _run(spec: RunSpec, services: Services) -> Produced:
    earlier = _earlier_sources(spec)
    chosen: list[Item] = []
    sources: dict[str, Any] = {}
    with services.progress.task("prepare", RUN, len(spec.config.datasets)) as task:
        for name, dataset in spec.config.datasets.items():
            services.stop.check()
            golds = GoldCheck(spec.config.scoring.extra_refusals)
            source, rows = _source(spec, services, name, dataset, earlier.get(name, {}), golds.notice)
            items = sample(_stoppable(services, rows), _size(spec, dataset), spec.config.seed)
            rules = rules_for(dataset.format, dataset.rules or source.get("rules"), dataset.tokens)
            for sentence in golds.warnings(name, items, rules):
                services.events.warn(sentence)
            chosen += items
            sources[name] = {"format": dataset.format, **source, "items": len(items)}
            task.advance()
    artifacts = {
        path: _write(path, (item for item in chosen if item.type == kind)) for kind, path in prepared_files(spec.run)
    }
    return Produced(artifacts, {"sources": sources, "items": len(chosen)})


def changed_sources(spec: RunSpec) -> list[str]:
    """Return a sentence for each local question file that is no longer what the run was prepared from."""
    sentences = []
    for name, recorded in _earlier_sources(spec).items():
        dataset = spec.config.datasets.get(name)
        path = spec.config_folder / dataset.path if dataset is not None and dataset.path is not None else None
        if path is not None and path.is_file() and jsonl.digest(path).sha256 != recorded.get("sha256"):
            sentences.append(
                f"datasets.{name}.path: {path} has changed since this run was prepared; the run keeps the questions "
                "that it has. Start a new run to ask the new ones"
            )
    return sentences


def _size(spec: RunSpec, dataset: DatasetConfig) -> int | None:
    sizes = [size for size in (dataset.size, spec.config.limit_items) if size is not None]
    return min(sizes) if sizes else None


def _source(
    spec: RunSpec, services: Services, name: str, dataset: DatasetConfig, earlier: dict[str, Any], notice: Notice
) -> tuple[dict[str, Any], Iterable[Item]]:
    """Return what identifies a source, and its items.

    Raises
    ------
    ConfigError
        If the file is not there.
    DataError
        If the run was prepared before, from a file with other content.
    """
    format_: DatasetFormat = registry.load("dataset format", dataset.format)
    if dataset.hub is not None:
        return _hub_source(spec, services, name, dataset.hub, format_, earlier, notice)
    path = spec.config_folder / str(dataset.path)
    if not path.is_file():
        raise ConfigError(
            f"datasets.{name}.path: {path} is not a file",
            hint="correct the path; it starts from the folder of the configuration file",
        )
    digest = jsonl.digest(path)
    if earlier.get("sha256", digest.sha256) != digest.sha256:
        raise DataError(
            f"datasets.{name}.path: {path} is not the file that this run was prepared from",
            hint=f"restore the file with SHA-256 {earlier['sha256']}, or start a new run",
        )
    written = spec.as_written(str(dataset.path), "datasets", name, "path")
    source = {"path": written, "sha256": digest.sha256, "size": digest.size, **_rules(format_, [path])}
    return source, format_.read(path, name, notice)


def _rules(format_: DatasetFormat, paths: list[Path]) -> dict[str, str]:
    """Return the rules of these files where they are not the format's."""
    rules = format_.rules(paths)
    return {} if rules is None else {"rules": rules}


def _hub_source(
    spec: RunSpec,
    services: Services,
    name: str,
    hub: HubConfig,
    format_: DatasetFormat,
    earlier: dict[str, Any],
    notice: Notice,
) -> tuple[dict[str, Any], Iterable[Item]]:
    """Fetch a data set from the hub; a run that was prepared before asks for the same commit again."""
    from promptrial.datasets.hub import HUB_ENDPOINT, Hub, locate

    location = locate(format_.hub, repo=hub.repo, config=hub.config, split=hub.split, revision=hub.revision)
    given = services.env.get("PROMPTRIAL_CACHE") or spec.config.paths.cache_dir
    cache = expanded(given or "~/.cache/promptrial", "paths.cache_dir")
    client = Hub(cache / "hub", services.env.get("HF_ENDPOINT") or HUB_ENDPOINT, services.env.get("HF_TOKEN"))
    fetched = client.fetch(location, commit=earlier.get("commit"), progress=lambda _done, _all: services.stop.check())
    hidden = [text for at, text in spec.written.items() if at[:3] == ("datasets", name, "hub")]
    source = {
        "hub": " ".join(hidden) or str(location),
        "commit": fetched.commit,
        **_rules(format_, list(fetched.paths)),
    }
    return source, format_.read_parquet(fetched.paths, name, notice)


def _earlier_sources(spec: RunSpec) -> dict[str, Any]:
    """Return what this run was prepared from before, if it was, under the same settings."""
    manifest = load_manifest(spec.run.prepared / "manifest.json")
    if manifest is None or manifest.receipt.inputs.get("plan") != digest_of(_settings(spec, {}, None)):
        return {}
    sources: dict[str, Any] = manifest.facts.get("sources", {})
    return sources


def _stoppable(services: Services, rows: Iterable[Item]) -> Iterator[Item]:
    for row in rows:
        services.stop.check()
        yield row


def _write(path: Path, items: Iterable[Item]) -> FileRecord:
    rows = 0
    with AtomicFile(path) as file:
        for item in items:
            file.write(encode_item(item) + b"\n")
            rows += 1
    return FileRecord(file.sha256(), file.size, rows)


def _space(spec: RunSpec, _size_read: int) -> int:
    """At most what the local files have; of a hub's, the size is not known before."""
    paths = [spec.config_folder / source.path for source in spec.config.datasets.values() if source.path]
    return 2 * sum(path.stat().st_size for path in paths if path.is_file())


PHASE = Phase(
    name="prepare", reads=(), settings=_settings, run_whole=_run, manifest="prepared/manifest.json", space=_space
)
