"""How the items of a trial are cut into parts. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from promptrial.model import Part, Trial

__all__ = ["DEFAULT_LINES_PER_PART", "cut_parts", "pieces_within"]

DEFAULT_LINES_PER_PART: Final = 10_000


def cut_parts(
    trial: Trial, n_items: int, *, parts_per_dataset: int | None, lines_per_part: int | None
) -> tuple[Part, ...]:
    """Return the parts of a trial: for each temperature and shard, the arms side by side.

    All replicates of an item stay in one part. ``lines_per_part`` is the most requests that a part may have (at
    least one item; 10,000 if neither is given). ``parts_per_dataset`` is into how many parts each arm and temperature
    is cut, their sizes differing by one item at most; there are never more parts than items.
    """
    parts: list[Part] = []
    for temp in trial.temps:
        replicates = trial.samples_per_item[repr(temp)]
        if parts_per_dataset is not None:
            spans = _even_spans(n_items, min(parts_per_dataset, n_items))
        else:
            spans = _full_spans(n_items, max(1, (lines_per_part or DEFAULT_LINES_PER_PART) // replicates))
        for index, (start, stop) in enumerate(spans, 1):
            parts += [
                Part(trial.slug, temp, condition, index, start, stop, (stop - start) * replicates)
                for condition in trial.conditions
            ]
    return tuple(parts)


def pieces_within(
    sizes: Sequence[Sequence[float]], most: Sequence[float | None], most_items: int | None
) -> Iterator[tuple[int, int]]:
    """Yield the pieces into which a part is cut so that none is too large by any measure: start and stop, from 0.

    Each piece is as large as can be, and the same for all arms.

    Parameters
    ----------
    sizes : sequence of sequences of float
        For each measure, such as the bytes in one arm, what each item's requests have of it.
    most : sequence of float or None
        For each measure, the most of a piece; None for any amount.
    most_items : int or None
        The most items of a piece.

    Raises
    ------
    ValueError
        If an item does not fit by itself; its position is the argument.

    Examples
    --------
    >>> list(pieces_within([[4, 4, 4], [1, 9, 1]], [8, 10], None))
    [(0, 2), (2, 3)]
    """
    start, held = 0, [0.0] * len(sizes)
    for at in range(len(sizes[0])):
        own = [size[at] for size in sizes]
        if most_items == 0 or _exceed(own, most):
            raise ValueError(at)
        held = [before + size for before, size in zip(held, own, strict=True)]
        if at - start == most_items or _exceed(held, most):
            yield start, at
            start, held = at, own
    yield start, len(sizes[0])


def _exceed(sizes: Sequence[float], most: Sequence[float | None]) -> bool:
    return any(limit is not None and size > limit for size, limit in zip(sizes, most, strict=True))


def _even_spans(n_items: int, count: int) -> Iterator[tuple[int, int]]:
    bounds = [-(-n_items * index // count) for index in range(count + 1)] if count else []
    return itertools.pairwise(bounds)


def _full_spans(n_items: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + size, n_items)) for start in range(0, n_items, size))
