"""Prepare: read the question sets, check them, sample them, and write the items that the run will use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from promptrial import registry
from promptrial.config.datasets import DatasetConfig, HubConfig
from promptrial.config.environment import expanded
from promptrial.datasets.base import DatasetFormat, Notice, reading_of
from promptrial.datasets.drawing import draw
from promptrial.datasets.place import Place
from promptrial.design.growth import last_step
from promptrial.errors import ConfigError, DataError
from promptrial.model import Item, Trial
from promptrial.model.units import RUN
from promptrial.phases.base import Manifests, Phase, Produced, load_manifest
from promptrial.phases.needs import LackCheck, lack_facts
from promptrial.phases.prepared import encode_item, in_order, prepared_files
from promptrial.phases.scorers import known_needs
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import check_subgroups
from promptrial.scoring.golds import GoldCheck
from promptrial.scoring.normalize import rules_for
from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord
from promptrial.store.rundir import digest_of

__all__ = ["PHASE", "both", "changed_sources", "knows_sources", "missing_sources", "most_items", "read_again"]


_Source = tuple[dict[str, Any], DatasetFormat, Sequence[Path]]
"""What identifies a source, its format, and its files."""


def _settings(spec: RunSpec, _manifests: Manifests, _trial: Trial | None) -> dict[str, Any]:
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
            read = _read(spec, services, name, dataset, earlier.get(name, {}))
            for sentence in read.warnings:
                services.events.warn(sentence)
            for sentence in read.said:
                services.events.say(f"datasets.{name}: {sentence}")
            chosen += read.items
            sources[name] = read.source
            task.advance()
    check_subgroups(spec.config.subgroups, chosen)
    artifacts = {
        path: _write(path, (item for item in chosen if item.type == kind)) for kind, path in prepared_files(spec.run)
    }
    return Produced(artifacts, {"sources": sources, "items": len(chosen), "examples": _examples(spec, chosen)})


@dataclass(frozen=True, slots=True)
class _Read:
    """A question set: the items that were drawn, what is recorded of it, and what there is to say."""

    items: list[Item]
    source: dict[str, Any]
    warnings: list[str]
    said: list[str]


def _read(spec: RunSpec, services: Services, name: str, dataset: DatasetConfig, earlier: Mapping[str, Any]) -> _Read:
    """Draw the items of a question set and check them."""
    needs = known_needs(spec.config) if spec.config.unscorable == "refuse" else {}
    remarks, golds, lacks = _Remarks(), GoldCheck(spec.config.scoring.extra_refusals), LackCheck(needs)
    reading = reading_of(dataset, spec.config.subgroups)._replace(note=remarks.noted.append, say=remarks.said.append)
    size = last_step(spec.config).sizes[name]
    with _unchanged(name, spec.config_folder / dataset.path if dataset.path is not None else None):
        source, format_, paths = _source(spec, services, name, dataset, earlier)
        if (own_rules := format_.rules(paths, reading)) is not None:
            source["rules"] = own_rules
        drawn = draw(format_, paths, name, reading, size, spec.config.seed, services.stop.check)
    notice = both(golds, lacks)
    for place, item in sorted(drawn, key=itemgetter(0)):  # in the order of the file
        notice(place, item)
    items = [item for _, item in drawn]
    rules = rules_for(dataset.known_format, dataset.rules or source.get("rules"), dataset.tokens)
    warnings = list(golds.warnings(name, items, rules))
    lacks.check(name, items)
    facts = {"format": dataset.known_format, **source, "items": len(items), **lack_facts(items), **remarks.facts}
    return _Read(items, facts, warnings, remarks.said)


@contextmanager
def _unchanged(name: str, path: Path | None) -> Iterator[None]:
    """Refuse a local file that is written while it is read: its questions would not be those of its SHA-256."""
    before = _marks(path)
    yield
    if _marks(path) != before:
        raise DataError(
            f"datasets.{name}.path: {path} was changed while it was read",
            hint="wait until nothing writes it any more, then resume the run",
        )


def _marks(path: Path | None) -> tuple[int, ...] | None:
    """Return what tells whether a file was written or replaced; None if it is not there."""
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_again(spec: RunSpec, services: Services, name: str) -> tuple[list[Item], str]:
    """Return the items of a local question file as *prepare* would draw them now, and the SHA-256 of the file.

    Raises
    ------
    PromptrialError
        If a run could not be prepared from it.
    """
    read = _read(spec, services, name, spec.config.datasets[name], {})
    return read.items, str(read.source["sha256"])


def _examples(spec: RunSpec, chosen: Sequence[Item]) -> dict[str, int]:
    """Return the position of the first item of each kind, in prepared order; reports show its whole message."""
    first: dict[str, int] = {}
    for position, item in enumerate(in_order(spec.run, chosen)):
        first.setdefault(item.kind, position)
    return first


@dataclass(slots=True)
class _Remarks:
    """What is said of a file while it is read: to the record alone, or to people too."""

    noted: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, list[str]]:
        """What is recorded; nothing of a file of which there is nothing to say."""
        return {"remarks": [*self.noted, *self.said]} if self.noted or self.said else {}


def both(golds: GoldCheck, lacks: LackCheck) -> Notice:
    """Return what tells both checks of each item."""

    def notice(place: Place, item: Item) -> None:
        golds.notice(place, item)
        lacks.notice(place, item)

    return notice


def changed_sources(spec: RunSpec) -> dict[str, str]:
    """Return, by data set, a sentence for each local question file that is no longer what the run was prepared from."""
    return {
        name: f"datasets.{name}.path: {path} has changed since this run was prepared; the run keeps the questions "
        "that it has. Start a new run to ask the new ones"
        for name, path, recorded in _local_sources(spec)
        if path.is_file() and jsonl.digest(path).sha256 != recorded
    }


def knows_sources(spec: RunSpec) -> bool:
    """Return whether any record says what the run was prepared from."""
    return _on_record(spec) is not None


def missing_sources(spec: RunSpec) -> list[str]:
    """Return a sentence for each local question file that the run was prepared from and that is not there any more."""
    return [
        f"datasets.{name}.path: {path} is {'another file' if path.is_file() else 'not there'}; the run was prepared "
        f"from one with SHA-256 {recorded}"
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
    for name, recorded in _earlier_sources(spec).items():
        dataset = spec.config.datasets.get(name)
        if dataset is not None and dataset.path is not None:
            sha256 = spec.corrected_sources.get(name, recorded.get("sha256"))
            yield name, spec.config_folder / dataset.path, str(sha256)


def _source(
    spec: RunSpec, services: Services, name: str, dataset: DatasetConfig, earlier: Mapping[str, Any]
) -> _Source:
    """Return what identifies a source, its format, and its files.

    Raises
    ------
    ConfigError
        If the file is not there.
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
    """Return the path of a question set that is a file here.

    Raises
    ------
    ConfigError
        If the file is not there.
    """
    path = folder / str(dataset.path)
    if not path.is_file():
        raise ConfigError(
            f"datasets.{name}.path: {path} is not a file",
            hint="correct the path; it starts from the folder of the configuration file",
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
    from promptrial.datasets.hub import HUB_ENDPOINT, Hub, locate

    location = locate(format_.hub, repo=hub.repo, config=hub.config, split=hub.split, revision=hub.revision)
    given = services.env.get("PROMPTRIAL_CACHE") or spec.config.paths.cache_dir
    cache = expanded(given or "~/.cache/promptrial", "paths.cache_dir")
    client = Hub(cache / "hub", services.env.get("HF_ENDPOINT") or HUB_ENDPOINT, services.env.get("HF_TOKEN"))
    fetched = client.fetch(location, commit=earlier.get("commit"), progress=lambda _done, _all: services.stop.check())
    hidden = [text for at, text in spec.written.items() if at[:3] == ("datasets", name, "hub")]
    source = {"hub": " ".join(hidden) or str(location), "commit": fetched.commit}
    return source, format_, fetched.paths


def _earlier_sources(spec: RunSpec) -> dict[str, Any]:
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
    settings = _settings(spec, {}, None)
    yield settings
    for size in (growth.before for growth in spec.growth):
        datasets = {name: {**values, "size": size.sizes.get(name)} for name, values in settings["datasets"].items()}
        yield {**settings, "limit_items": size.limit_items, "datasets": datasets}


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


def _corrected(spec: RunSpec) -> dict[str, str]:
    """Return what a receipt says of corrected question files: nothing without any."""
    return {"questions": digest_of(spec.corrected_sources)} if spec.corrections else {}


PHASE = Phase(
    name="prepare",
    reads=(),
    settings=_settings,
    made_with=_corrected,
    run_whole=_run,
    manifest="prepared/manifest.json",
    space=_space,
)
