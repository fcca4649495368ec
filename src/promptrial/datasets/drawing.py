"""Drawing a sample from question files: every question is checked, and only those that are drawn are kept.

Items are drawn by a hash of their id (``sampling``). Of a table of separated values the plain rows are checked and
hashed without making an item of each (``quick``); whatever is not plain takes the general way, which also finds the
words for what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from promptrial.datasets.base import DatasetFormat, Placed, Reading
from promptrial.datasets.place import Place
from promptrial.datasets.sampling import prefixed_hash, sampling_prefix, smallest
from promptrial.model import Item

__all__ = ["Drawn", "draw"]

Drawn = list[tuple[Place, Item]]
"""The items of a sample with their places, in the order of the sample."""

_CHECK_EVERY: Final = 64


def draw(
    format_: DatasetFormat,
    paths: Sequence[Path],
    dataset: str,
    reading: Reading,
    size: int | None,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> Drawn:
    """Return the ``size`` items whose hashes are smallest, in the order of the hash; all of them if None.

    Parameters
    ----------
    format_ : DatasetFormat
    paths : sequence of Path
        The file, or the Parquet files from the hub.
    dataset : str
    reading : Reading
    size : int or None
        At least 1.
    seed : int
    check : callable
        Called now and then; may raise to stop.

    Raises
    ------
    DataError
        For anything wrong in the files, also in what is not drawn.

    Notes
    -----
    Memory is O(size), and of other kinds of files than separated values also O(items) for their ids.
    """
    if size is not None and len(paths) == 1 and format_.quick_sample is not None:
        drawn = format_.quick_sample(paths[0], dataset, reading, size, seed, check)
        if drawn is not None:
            return drawn
    placed = _checked(format_.placed(paths, dataset, reading), check)
    prefix = sampling_prefix(dataset, seed)
    return smallest(placed, size, lambda one: prefixed_hash(prefix, one[1].id))


def _checked(placed: Placed, check: Callable[[], None]) -> Iterator[tuple[Place, Item]]:
    for number, one in enumerate(placed):
        if not number % _CHECK_EVERY:
            check()
        yield one
