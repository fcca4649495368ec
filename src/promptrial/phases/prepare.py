"""Prepare: read the data sets, check them, sample them, and write the items that the run will use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from promptrial.datasets.base import Reading
from promptrial.datasets.drawing import draw
from promptrial.design.growth import last_step
from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.model.units import RUN
from promptrial.phases.base import Phase, Produced
from promptrial.phases.kept_questions import check_kept
from promptrial.phases.needs import lack_facts
from promptrial.phases.prepared import encode_item, in_order, prepared_files
from promptrial.phases.question_checks import QuestionChecks
from promptrial.phases.score_bounds import check_bounds, known_scales
from promptrial.phases.services import Services
from promptrial.phases.sources import earlier_sources, order_facts, reading_in, sample_settings, source_of
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import check_subgroups
from promptrial.phases.waves import write_waves
from promptrial.scoring.normalize import rules_for
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.rundir import digest_of

__all__ = ["PHASE", "check_questions", "read_again"]


def _run(spec: RunSpec, services: Services) -> Produced:
    check_bounds(spec.config, known_scales(spec.config))
    earlier = earlier_sources(spec)
    chosen: list[Item] = []
    sources: dict[str, Any] = {}
    with services.progress.task("prepare", RUN, len(spec.config.datasets)) as task:
        for name, read in _each_read(spec, services, earlier):
            for sentence in read.warnings:
                services.events.warn(sentence)
            for sentence in read.said:
                services.events.say(f"datasets.{name}: {sentence}")
            chosen += read.items
            sources[name] = read.source
            task.advance()
    _check_whole(spec, earlier, chosen)
    artifacts = {
        path: _write(path, (item for item in chosen if item.type == kind)) for kind, path in prepared_files(spec.run)
    }
    artifacts |= write_waves(spec, in_order(spec.run, chosen))
    return Produced(artifacts, {"sources": sources, "items": len(chosen), "examples": _examples(spec, chosen)})


@dataclass(frozen=True, slots=True)
class _Read:
    """A data set: the items that were drawn, what is recorded of it, and what there is to say."""

    items: list[Item]
    source: dict[str, Any]
    warnings: list[str]
    said: list[str]


def _each_read(spec: RunSpec, services: Services, earlier: Mapping[str, Any]) -> Iterator[tuple[str, _Read]]:
    """Yield each data set as it is read, unless a stop is asked for."""
    for name, dataset in spec.config.datasets.items():
        services.stop.check()
        known = earlier.get(name, {})
        yield name, _read(spec, services, name, known, reading_in(spec, dataset, known))


def _read(spec: RunSpec, services: Services, name: str, earlier: Mapping[str, Any], reading: Reading) -> _Read:
    """Draw the items of a data set and check them."""
    dataset = spec.config.datasets[name]
    remarks, checks = _Remarks(), QuestionChecks(spec.config)
    reading = reading._replace(note=remarks.noted.append, say=remarks.said.append)
    size = last_step(spec.config).sizes[name]
    with _unchanged(name, spec.config_folder / dataset.path if dataset.path is not None else None):
        source, format_, paths = source_of(spec, services, name, dataset, earlier)
        if (own_rules := format_.rules(paths, reading)) is not None:
            source["rules"] = own_rules
        source |= order_facts(format_, reading)
        drawn = draw(format_, paths, name, reading, size, spec.config.seed, services.stop.check)
    for place, item in sorted(drawn, key=itemgetter(0)):  # in the order of the file
        checks.notice(place, item)
    items = [item for _, item in drawn]
    rules = rules_for(dataset.known_format, dataset.rules or source.get("rules"), dataset.tokens)
    warnings = checks.warnings(name, items, rules)
    checks.refuse(name, items)
    facts = {"format": dataset.known_format, **source, "items": len(items), **lack_facts(items), **remarks.facts}
    return _Read(items, facts, warnings, remarks.said)


@contextmanager
def _unchanged(name: str, path: Path | None) -> Iterator[None]:
    """Refuse a local file that is written while it is read: its questions would not be those of its SHA-256."""
    before = _marks(path)
    yield
    if _marks(path) != before:
        raise DataError(
            f"datasets.{name}.path: {path} changed while it was read",
            hint="wait until nothing writes to it, then resume the run",
        )


def _marks(path: Path | None) -> tuple[int, ...] | None:
    """Return what tells whether a file was written or replaced; None if it does not exist."""
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
    earlier = earlier_sources(spec).get(name, {})
    read = _read(spec, services, name, {}, reading_in(spec, spec.config.datasets[name], earlier))
    return read.items, str(read.source["sha256"])


def check_questions(spec: RunSpec, services: Services) -> None:
    """Read the questions as *prepare* would now, and write nothing.

    Raises
    ------
    PromptrialError
        If the run could not be prepared from them.
    """
    earlier = earlier_sources(spec)
    _check_whole(spec, earlier, [item for _, read in _each_read(spec, services, earlier) for item in read.items])


def _check_whole(spec: RunSpec, earlier: Mapping[str, Any], chosen: Sequence[Item]) -> None:
    """Check the items of all data sets; ``earlier`` is what the run was prepared from before, if it was."""
    check_subgroups(spec.config.subgroups, chosen)
    if earlier:
        check_kept(spec, chosen)


def _examples(spec: RunSpec, chosen: Sequence[Item]) -> dict[str, int]:
    """Return the position of the first item of each kind, in prepared order; reports show its whole message."""
    first: dict[str, int] = {}
    for position, item in enumerate(in_order(spec.run, chosen)):
        first.setdefault(item.kind, position)
    return first


@dataclass(slots=True)
class _Remarks:
    """What is said about a file while it is read: to the record alone, or to people too."""

    noted: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, list[str]]:
        """What is recorded; nothing of a file of which there is nothing to say."""
        return {"remarks": [*self.noted, *self.said]} if self.noted or self.said else {}


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
    """Return what a receipt says about corrected question files: nothing without any."""
    return {"questions": digest_of(spec.corrected_sources)} if spec.corrections else {}


PHASE = Phase(
    name="prepare",
    reads=(),
    settings=sample_settings,
    made_with=_corrected,
    run_whole=_run,
    manifest="prepared/manifest.json",
    space=_space,
)
