"""Growing a run: which items each step of growth adds to the sample, and the parts that hold them. Pure.

The items of a data set are ordered by their sampling hash, and a sample is a beginning of that order, so a larger
sample contains the smaller one. A step of growth holds the items that the sample before it did not have; its parts hold
those items alone, so no part of an earlier step changes. A run that never grew has one step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from promptrial.config.schema import ExperimentConfig
from promptrial.datasets.sampling import Named, sampling_hash
from promptrial.design.parts import cut_parts
from promptrial.model import ItemType, Part, Trial

__all__ = [
    "Piece",
    "Step",
    "before_growth",
    "cut_steps",
    "items_of_steps",
    "last_step",
    "pieces_of",
    "smaller",
    "steps_of",
]

_TYPES: Final[tuple[ItemType, ...]] = ("open", "closed")
"""In the order of the prepared items."""


class _Key(Named, Protocol):
    """What the order of prepared items depends on."""

    @property
    def type(self) -> ItemType:
        """Whether the question comes with a passage."""


@dataclass(frozen=True, slots=True)
class Step:
    """A sample, and how the items that it adds to the sample before it are cut into parts.

    ``sizes`` maps each data set, in the order of the configuration, to the most items that it may have; None for all.
    """

    sizes: Mapping[str, int | None]
    parts_per_dataset: int | None = None
    lines_per_part: int | None = None


def last_step(config: ExperimentConfig) -> Step:
    """Return the step that a configuration asks for."""
    sizes = {name: smaller(dataset.size, config.limit_items) for name, dataset in config.datasets.items()}
    return Step(sizes, config.parts_per_dataset, config.lines_per_part)


def smaller(one: int | None, other: int | None) -> int | None:
    """Return the smaller of two sizes, where None is all items there are."""
    return min((size for size in (one, other) if size is not None), default=None)


def steps_of(earlier: Iterable[Step], last: Step) -> tuple[Step, ...]:
    """Return the steps by which a run came to its sample, the last one as its configuration says it.

    A sample that was made smaller by force cuts every step before it short, permanently: what a later step adds goes
    into parts of its own, even if an earlier one has held it.
    """
    kept: tuple[Step, ...] = (last,)
    for step in reversed(tuple(earlier)):
        kept = (replace(step, sizes=_cut_short(step.sizes, kept[0].sizes)), *kept)
    return kept


def _cut_short(sizes: Mapping[str, int | None], later: Mapping[str, int | None]) -> dict[str, int | None]:
    return {name: smaller(size, later[name]) for name, size in sizes.items() if name in later}


def items_of_steps(keys: Sequence[_Key], steps: Sequence[Step], seed: int) -> tuple[Sequence[int], ...]:
    """Return, for each step, the positions of the items that it added.

    Parameters
    ----------
    keys : sequence
        Data set, id and type of each item of the last sample, in prepared order.
    steps : sequence of Step
    seed : int
        The seed of the sample.

    Returns
    -------
    tuple of sequences of int
        Each position is in exactly one of them. Within a step they are in the order in which the items of that
        step would be prepared alone, with the data sets in the order of that step.
    """
    if len(steps) == 1:
        return (range(len(keys)),)
    added: list[list[int]] = [[] for _ in steps]
    for position, rank in enumerate(_ranks(keys, seed)):
        sizes = (step.sizes.get(keys[position].dataset, 0) for step in steps)
        number = next((n for n, size in enumerate(sizes) if size is None or rank < size), len(steps) - 1)
        added[number].append(position)
    return tuple(sorted(found, key=_order(keys, step)) for found, step in zip(added, steps, strict=True))


def _ranks(keys: Sequence[_Key], seed: int) -> list[int]:
    """Return the rank of each item within its data set, from 0."""
    ranks, counts = [0] * len(keys), dict.fromkeys((key.dataset for key in keys), 0)
    for position in sorted(range(len(keys)), key=lambda position: sampling_hash(keys[position], seed)):
        ranks[position] = counts[keys[position].dataset]
        counts[keys[position].dataset] += 1
    return ranks


def _order(keys: Sequence[_Key], step: Step) -> Callable[[int], tuple[int, int]]:
    """Return the sort key of a position in a step; sorting is stable, so items of a data set keep their order."""
    datasets = {name: number for number, name in enumerate(step.sizes)}
    return lambda position: (
        _TYPES.index(keys[position].type),
        datasets.get(keys[position].dataset, len(datasets)),
    )


def cut_steps(trial: Trial, steps: Sequence[Step], counts: Sequence[int]) -> tuple[Part, ...]:
    """Return the parts of a trial: for each temperature, those of each step in order, numbered through.

    Parameters
    ----------
    trial : Trial
    steps : sequence of Step
    counts : sequence of int
        How many items each step added. Positions in a part count within its step.
    """
    cut = [
        cut_parts(trial, count, parts_per_dataset=step.parts_per_dataset, lines_per_part=step.lines_per_part)
        for step, count in zip(steps, counts, strict=True)
    ]
    return tuple(itertools.chain.from_iterable(_numbered(cut, temp) for temp in trial.temps))


def _numbered(cut: Sequence[Sequence[Part]], temp: float) -> Iterator[Part]:
    first = 0
    for number, parts in enumerate(cut):
        own = [part for part in parts if part.temp == temp]
        yield from (replace(part, index=first + part.index, step=number) for part in own)
        first += max((part.index for part in own), default=0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Items of a part that follow one another, by their positions in it: ``start`` up to ``stop``."""

    part: Part
    start: int
    stop: int


def pieces_of(order: Iterable[Part], parts: Iterable[Part], added: Sequence[Sequence[int]]) -> Iterator[Piece]:
    """Yield the pieces of a run's parts in the order in which a fresh run of its size has the same items.

    Parameters
    ----------
    order : iterable of Part
        The parts that a fresh run would have. Their positions are those of all prepared items.
    parts : iterable of Part
        The parts that the run has.
    added : sequence of sequences of int
        The positions of each step, as ``items_of_steps`` returns them.
    """
    order, parts = list(order), list(parts)
    if len(added) == 1 and order == parts:
        yield from (Piece(part, 0, part.stop - part.start) for part in parts)
        return
    places = _places(parts, added)
    for fresh in order:
        found = places[fresh.resume_key][fresh.start : fresh.stop]
        for _, run in itertools.groupby(enumerate(found), key=lambda each: (each[1][0], each[1][1] - each[0])):
            (_, (part, first)), *rest = run
            yield Piece(part, first, first + 1 + len(rest))


def _places(parts: Iterable[Part], added: Sequence[Sequence[int]]) -> dict[str, list[tuple[Part, int]]]:
    """Return, for each resume key and prepared item, the part that holds it, and its position there."""
    total = sum(len(positions) for positions in added)
    places: dict[str, dict[int, tuple[Part, int]]] = {}
    for part in parts:
        held = added[part.step][part.start : part.stop]
        places.setdefault(part.resume_key, {}).update((at, (part, number)) for number, at in enumerate(held))
    return {key: [found[at] for at in range(total)] for key, found in places.items()}


def before_growth(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with every sample size that is larger than in an old one put back to what it was.

    If the result equals the old configuration, growth is all that differs; if it equals the new one, nothing grew.

    Parameters
    ----------
    old, new : mapping
        Effective configurations as plain values.
    """
    tree = deepcopy(dict(new))
    before, after = old.get("datasets"), tree.get("datasets")
    pairs = [(old, tree, "limit_items")]
    if isinstance(before, dict) and isinstance(after, dict):
        pairs += [(before[name], after[name], "size") for name in after if isinstance(before.get(name), dict)]
    for was, now, key in pairs:
        if _is_larger(now.get(key), was.get(key)):
            now[key] = was.get(key)
    return tree


def _is_larger(now: object, was: object) -> bool:
    """Whether a size is larger than another; None is all items, and a size that is not a number grows nowhere."""
    if not isinstance(was, int):
        return False
    return now is None or (isinstance(now, int) and now > was)
