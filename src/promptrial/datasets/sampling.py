"""Sampling items by a seeded hash of their id: a larger sample begins with the smaller one. Pure."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from functools import partial

from promptrial.model import Item

__all__ = ["sample", "sampling_hash"]


def sample(items: Iterable[Item], size: int | None, seed: int) -> list[Item]:
    """Return the ``size`` items whose hashes are smallest, in the order of the hash.

    An item's hash depends on the seed, its data set and its id alone. So the order in which the items come does not
    matter, and the sample of 100 is the first 100 of the sample of 1,000.

    Parameters
    ----------
    items : iterable of Item
        With unique (dataset, id).
    size : int or None
        How many, at least 0; None for all. Fewer are returned where there are fewer.
    seed : int

    Raises
    ------
    ValueError
        If ``size`` is negative.

    Notes
    -----
    Each item is equally likely to be drawn; passages are not drawn as a whole, so clusters may be cut. Memory is
    O(size), time O(n log size).
    """
    key = partial(sampling_hash, seed=seed)
    if size is None:
        return sorted(items, key=key)
    if size < 0:
        raise ValueError(f"size of a sample must be 0 or more, not {size}")
    return heapq.nsmallest(size, items, key=key)


def sampling_hash(item: Item, seed: int) -> bytes:
    """Return the SHA-256 of ``seed|dataset|id``, by which items are drawn and ordered."""
    return hashlib.sha256(f"{seed}|{item.dataset}|{item.id}".encode()).digest()
