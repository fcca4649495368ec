"""The format and the columns of a data set whose configuration does not state its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptrial import registry
from promptrial.config.datasets import DatasetConfig
from promptrial.config.effective import effective
from promptrial.config.loading import LoadedConfig
from promptrial.datasets.base import DatasetFormat, Notice, ignore, reading_of, say_nothing
from promptrial.design.defaults import Default
from promptrial.errors import ConfigError
from promptrial.model import Item
from promptrial.phases.sources import question_file
from promptrial.phases.subgroups import check_columns

__all__ = ["Source", "check_subgroup_columns", "is_there", "read_items", "recognised_source", "recorded_source"]


@dataclass(frozen=True, slots=True)
class Source:
    """What was decided about a data set, sentences for people, and types of scorers that the format asks for."""

    defaults: tuple[Default, ...]
    sentences: tuple[str, ...] = ()
    scorers: tuple[str, ...] = ()


def is_there(loaded: LoadedConfig, dataset: DatasetConfig) -> bool:
    """Tell whether the questions can be looked at: a data set on the hub always can."""
    return dataset.path is None or (loaded.folder / dataset.path).is_file()


def recorded_source(
    loaded: LoadedConfig, name: str, tree: Mapping[str, Any], reasons: Mapping[str, str]
) -> Source | None:
    """Return what is on record of a data set; None if that is another source, or not recorded.

    Parameters
    ----------
    loaded : LoadedConfig
    name : str
    tree : mapping
        The run's own copy of its configuration.
    reasons : mapping
        Keys that were decided for the run, joined by ``/`` -> why.
    """
    known = tree.get("datasets", {}).get(name)
    if not isinstance(known, dict) or not known.get("format"):
        return None
    given = effective(loaded, set(), set())["datasets"][name]
    columns, given_columns = known.get("columns") or {}, given.get("columns") or {}
    if any(given.get(key) != known.get(key) for key in ("path", "hub", "encoding", "sheet", "separator")):
        return None
    if any(columns.get(role) != column for role, column in given_columns.items()):
        return None
    return Source(
        tuple(
            Default(at, value, reasons.get("/".join(at), "on record"))
            for at, value in _values(name, known["format"], columns, given_columns)
        )
    )


def recognised_source(loaded: LoadedConfig, name: str, dataset: DatasetConfig) -> Source:
    """Look into the file of a data set; one on the hub has the format that its repository is known for.

    Raises
    ------
    ConfigError
        If the file does not exist, or the repository is not known.
    DataError
        If the file is of no known format.
    """
    from promptrial.datasets.recognising import recognise

    if dataset.path is None:
        repository = dataset.hub.repo if dataset.hub is not None else ""
        format_ = _hub_format(name, repository)
        return Source((Default(("datasets", name, "format"), format_, f"the format of {repository}"),))
    path = question_file(loaded.folder, name, dataset)
    given = {} if dataset.columns is None else dataset.columns.given
    found = recognise(path, dataset.encoding, given, dataset.sheet)
    why = f"recognised in {loaded.placeholders.get(('datasets', name, 'path'), dataset.path)}"
    values = _values(name, found.format, found.columns, given)
    return Source(
        tuple(Default(at, value, why) for at, value in values),
        tuple(f"datasets.{name}: {sentence}" for sentence in found.sentences),
        found.scorers,
    )


def _values(
    name: str, format_: str, columns: Mapping[str, object], given: Mapping[str, object]
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the keys that were decided; columns that the configuration gives stay as it writes them."""
    yield ("datasets", name, "format"), format_
    for role, column in columns.items():
        if role not in given:
            yield ("datasets", name, "columns", role), column


def _hub_format(name: str, repository: str) -> str:
    for format_name in registry.DATASETS:
        format_: DatasetFormat = registry.load("dataset format", format_name)
        if format_.hub is not None and format_.hub.repo.casefold() == repository.casefold():
            return format_name
    raise ConfigError(
        f"datasets.{name}.format: a data set on the hub needs its format, and that of {repository!r} is not known",
        hint=f"give `format`, one of: {', '.join(registry.DATASETS)}",
    )


def read_items(
    loaded: LoadedConfig,
    name: str,
    dataset: DatasetConfig,
    notice: Notice = ignore,
    say: Callable[[str], None] = say_nothing,
) -> Iterator[Item]:
    """Yield the items of a data set that is a file here, whose format is known, in its order.

    ``say`` is told what people should know of its content, each sentence after the name of the data set.

    Raises
    ------
    ConfigError
        If the file does not exist.
    DataError
        At the first thing wrong.
    """
    format_: DatasetFormat = registry.load("dataset format", dataset.known_format)
    path = question_file(loaded.folder, name, dataset)
    reading = reading_of(dataset, loaded.experiment.subgroups)
    reading = reading._replace(say=lambda text: say(f"datasets.{name}: {text}"))
    return format_.read(path, name, notice, reading)


def all_items(loaded: LoadedConfig, say: Callable[[str], None] = say_nothing) -> Iterator[Item]:
    """Yield the items of every data set, as ``read_items`` does of one."""
    for name, dataset in loaded.experiment.datasets.items():
        yield from read_items(loaded, name, dataset, say=say)


def check_subgroup_columns(loaded: LoadedConfig) -> None:
    """Check that the question files have the columns that ``subgroups`` names, as far as no hub has to be asked.

    Files are read until each column is found, so one that no file has costs the reading of all.

    Raises
    ------
    ConfigError
        Naming the column, and those that there are; or if a file does not exist.
    DataError
        If a file is wrong before that is known.
    """
    config = loaded.experiment
    if config.subgroups and all(dataset.path is not None for dataset in config.datasets.values()):
        check_columns(config.subgroups, all_items(loaded))
