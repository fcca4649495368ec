"""Sampling items by a seeded hash of their id: a larger sample begins with the smaller one. Pure."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

from promptrial.model import Item

__all__ = ["Named", "prefixed_hash", "sample", "sampling_hash", "sampling_prefix", "smallest"]

_Value = TypeVar("_Value")


class Named(Protocol):
    """What an item's place in a sample depends on, besides the seed."""

    @property
    def dataset(self) -> str:
        """The data set's name."""

    @property
    def id(self) -> str:
        """Unique within the data set."""


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
    if size is not None and size < 0:
        raise ValueError(f"size of a sample must be 0 or more, not {size}")
    return smallest(items, size, partial(sampling_hash, seed=seed))


def smallest(values: Iterable[_Value], size: int | None, key: Callable[[_Value], bytes]) -> list[_Value]:
    """Return the ``size`` values whose keys are smallest, in the order of the key; all of them if None."""
    return sorted(values, key=key) if size is None else heapq.nsmallest(size, values, key=key)


def sampling_hash(item: Named, seed: int) -> bytes:
    """Return the SHA-256 of ``seed|dataset|id``, by which items are drawn and ordered."""
    return prefixed_hash(sampling_prefix(item.dataset, seed), item.id)


def prefixed_hash(prefix: bytes, item_id: str) -> bytes:
    """Return the sampling hash of an item by its id, for many of one data set."""
    return hashlib.sha256(prefix + item_id.encode()).digest()


def sampling_prefix(dataset: str, seed: int) -> bytes:
    """Return what ``sampling_hash`` covers before the id."""
    return f"{seed}|{dataset}|".encode()
