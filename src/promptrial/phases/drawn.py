"""The items that *prepare* would draw now, before it has run. Reads only; no hub is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptrial import registry
from promptrial.config.datasets import DatasetConfig
from promptrial.datasets.base import DatasetFormat
from promptrial.datasets.drawing import draw
from promptrial.design.growth import last_step
from promptrial.model import Item
from promptrial.phases.prepared import all_items, in_order
from promptrial.phases.services import Services
from promptrial.phases.sources import earlier_sources, hub_location, reading_in, source_of
from promptrial.phases.spec import RunSpec

__all__ = ["DrawnNow", "drawn_now", "items_planned"]


@dataclass(frozen=True, slots=True)
class DrawnNow:
    """The items that *prepare* would draw now, in prepared order; without those of data sets that are not here.

    ``absent`` names the data sets on the hub that are not in the cache: the hub is not asked.
    """

    items: list[Item]
    absent: tuple[str, ...] = ()


def drawn_now(spec: RunSpec, services: Services) -> DrawnNow:
    """Draw the items of a run as *prepare* does, and write nothing. Whether they can be scored is not checked.

    Raises
    ------
    ConfigError
        If a question file does not exist.
    DataError
        If a question file is wrong, or is not the one that the run was prepared from.
    """
    earlier, sizes = earlier_sources(spec), last_step(spec.config).sizes
    items: list[Item] = []
    absent: list[str] = []
    for name, dataset in spec.config.datasets.items():
        files = _files_here(spec, services, name, dataset, earlier.get(name, {}))
        if files is None:
            absent.append(name)
            continue
        format_, paths = files
        reading = reading_in(spec, dataset, earlier.get(name, {}))
        drawn = draw(format_, paths, name, reading, sizes[name], spec.config.seed, services.stop.check)
        items += [item for _, item in drawn]
    return DrawnNow(in_order(spec.run, items), tuple(absent))


def items_planned(spec: RunSpec, services: Services, *, prepared: bool) -> DrawnNow:
    """Return the items of a run: those that are ``prepared``, or else those that *prepare* would draw now.

    Raises
    ------
    PromptrialError
        As ``drawn_now``; or if a prepared item is damaged.
    """
    return DrawnNow(list(all_items(spec.run))) if prepared else drawn_now(spec, services)


def _files_here(
    spec: RunSpec, services: Services, name: str, dataset: DatasetConfig, earlier: Mapping[str, Any]
) -> tuple[DatasetFormat, Sequence[Path]] | None:
    """Return the format and the files of a data set; None for one on the hub that is not in the cache."""
    if dataset.hub is None:
        _, format_, paths = source_of(spec, services, name, dataset, earlier)
        return format_, paths
    hub_format: DatasetFormat = registry.load("dataset format", dataset.known_format)
    client, location = hub_location(spec, services, dataset.hub, hub_format)
    found = client.cached(location, earlier.get("commit"))
    return None if found is None else (hub_format, found.paths)
