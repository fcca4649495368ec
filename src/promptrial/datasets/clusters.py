"""Which cluster an item belongs to: decided here, once, for plans, waves, scores and labels."""

from __future__ import annotations

import hashlib

from promptrial.model import Item, ids

__all__ = ["ClusterParts", "cluster_id", "cluster_parts"]

ClusterParts = tuple[str, str, str]
"""What a cluster is made of, a data set, and its name there; equal for items of one cluster."""


def cluster_parts(item: Item) -> ClusterParts:
    """Return what is equal for the items of one cluster, and for no others.

    Items are of one cluster where the source groups them itself; else where they have the same passage; else an item is
    a cluster of its own. None spans data sets.
    """
    if item.cluster is not None:
        return "cluster", item.dataset, item.cluster
    if item.context is not None:
        return "passage", item.dataset, item.context
    return "item", item.dataset, item.id


def cluster_id(item: Item) -> str:
    """Return the name of the cluster that an item belongs to, unique across data sets.

    ``dataset#name`` where the source groups its items itself; else, for items with a passage, ``p`` and 16 hex digits
    of the SHA-256 of data set and passage; else the item's own key, so that it is a cluster of one.
    """
    made_of, dataset, name = cluster_parts(item)
    if made_of == "cluster":
        return f"{dataset}#{name}"
    if made_of == "passage":
        return "p" + hashlib.sha256(f"{dataset}\0{name}".encode()).hexdigest()[:16]
    return ids.item_key(dataset, name)
