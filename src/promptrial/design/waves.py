"""How a sample is cut into waves: clusters in a random order, whole, wave after wave. Pure.

The order of the clusters depends on the seed, their data set and their name alone. So a wave is a random sample of the
clusters, whatever their order in a file says, and no answer is needed to know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from promptrial.config.stopping import DEFAULT_LOOKS, StoppingConfig

__all__ = ["ClusterKey", "Waves", "cut_waves", "wave_ends", "wave_settings"]


class ClusterKey(NamedTuple):
    """The cluster of an item, and the data set that it is in."""

    dataset: str
    cluster: str


class Waves(NamedTuple):
    """The waves of a sample.

    ``wave_of`` holds the wave of each item, from 0, in prepared order; ``items`` and ``clusters`` how many each wave
    has; ``largest`` is the most items of one cluster.
    """

    wave_of: tuple[int, ...]
    items: tuple[int, ...]
    clusters: tuple[int, ...]
    largest: int

    @property
    def n_waves(self) -> int:
        """How many waves there are."""
        return len(self.items)

    def positions(self) -> tuple[list[int], ...]:
        """Return the positions of each wave's items, in prepared order."""
        found: tuple[list[int], ...] = tuple([] for _ in self.items)
        for position, wave in enumerate(self.wave_of):
            found[wave].append(position)
        return found


def wave_settings(stopping: StoppingConfig) -> dict[str, Any]:
    """Return what a receipt says about waves: nothing without any."""
    return {"waves": [stopping.looks, stopping.waves]} if stopping.on else {}


def wave_ends(stopping: StoppingConfig, n_items: int) -> tuple[int, ...]:
    """Return how many items are to be asked by the end of each wave; the last number is all of them.

    Examples
    --------
    >>> wave_ends(StoppingConfig(rule="pocock", looks=4), 10)
    (3, 5, 8, 10)
    >>> wave_ends(StoppingConfig(rule="pocock", waves=(2, 3)), 10)
    (2, 5, 10)
    """
    if stopping.waves is not None:
        ends: Iterable[int] = accumulate(stopping.waves)
    else:
        looks = stopping.looks or DEFAULT_LOOKS
        ends = (-(-n_items * number // looks) for number in range(1, looks + 1))
    return (*dict.fromkeys(end for end in ends if end < n_items), n_items)


def cut_waves(keys: Sequence[ClusterKey], stopping: StoppingConfig, seed: int) -> Waves:
    """Cut a sample into waves.

    Parameters
    ----------
    keys : sequence of ClusterKey
        Of each item, in prepared order; at least one.
    stopping : StoppingConfig
    seed : int
        The seed of the sample.

    Returns
    -------
    Waves
        A wave ends with the cluster that reaches its end. So there are fewer waves where one cluster reaches several.
    """
    sizes: dict[ClusterKey, int] = {}
    for key in keys:
        sizes[key] = sizes.get(key, 0) + 1
    ordered = sorted(sizes, key=lambda key: _rank(key, seed))
    wave_of = dict(zip(ordered, _waves([sizes[key] for key in ordered], wave_ends(stopping, len(keys))), strict=True))
    count = max(wave_of.values()) + 1
    items, clusters = [0] * count, [0] * count
    for key, wave in wave_of.items():
        items[wave] += sizes[key]
        clusters[wave] += 1
    return Waves(tuple(wave_of[key] for key in keys), tuple(items), tuple(clusters), max(sizes.values()))


def _waves(sizes: Sequence[int], ends: Sequence[int]) -> Iterator[int]:
    """Yield the wave of each cluster, given their sizes in order."""
    wave, passed, asked = 0, 0, 0
    for size in sizes:
        yield wave
        asked += size
        reached = sum(end <= asked for end in ends)
        if reached > passed:
            wave, passed = wave + 1, reached


def _rank(key: ClusterKey, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}|waves|{key.dataset}|{key.cluster}".encode()).digest()
