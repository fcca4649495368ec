"""Resampled sums, exact in distribution and fast: bootstrap means of clusters, and sums under random signs.

Two facts make ten thousand resamples of a hundred thousand clusters cheap without approximation:

* Clusters that are alike need no separate draws. How often a class of m equal clusters out of C is drawn is one
  multinomial count; how many of m equal values are in a random subset, or have a positive sign, is one binomial count.
* Clusters that are not alike can be drawn by the byte. The bootstrap counts how often each block of 256 clusters is
  hit, then draws within the block by random bytes; eight random signs are one byte, looked up in the table
  of the 256 sums that they can give.

Sums are added in a fixed order and never by a linear-algebra library, so that they do not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.pairing import FloatArray, IntArray

__all__ = [
    "all_joint_sign_sums",
    "all_sign_flip_sums",
    "all_subset_sums",
    "bootstrap_means",
    "joint_sign_sums",
    "subset_sums",
]

ComplexArray = npt.NDArray[np.complex128]

# Break-even points, measured: a multinomial count costs about as much as 64 draws by the byte, and a binomial count
# about as much as 256 random signs.
_HEAVY_DRAWS: Final = 64
_HEAVY_SIGNS: Final = 256
_BLOCK: Final = 256
# So many replicates at once keep a block's draws within the cache: several times faster than ten thousand at once.
_REPLICATES_AT_ONCE: Final = 200
_BYTES_AT_ONCE: Final = 250_000


def bootstrap_means(totals: ClusterTotals, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """Draw bootstrap replicates of a mean over items, resampling whole clusters.

    Each replicate draws C clusters of C with replacement and returns the sum of their sums over the sum of their sizes.

    Parameters
    ----------
    totals : ClusterTotals
        At least one cluster.
    n_resamples : int

    Returns
    -------
    ndarray of float, shape (n_resamples,)

    Notes
    -----
    Identical in distribution to drawing indices. Memory is bounded by a few MB whatever the number of clusters.
    """
    sizes, sums, members = _classes(totals)
    heavy = members >= _HEAVY_DRAWS
    blocks = list(_blocks(sizes[~heavy], sums[~heavy], members[~heavy]))
    cell_sizes = np.concatenate([sizes[heavy], np.array([size for size, _ in blocks], dtype=np.int64)])
    cell_members = np.concatenate([members[heavy], np.array([len(block) for _, block in blocks], dtype=np.int64)])
    shares = cell_members / totals.n_clusters
    means = []
    # One buffer for all draws: a fresh array of this size is mapped and faulted in each time, at eight times the cost.
    buffer = np.empty(2 * _BLOCK * _REPLICATES_AT_ONCE)
    for start in range(0, n_resamples, _REPLICATES_AT_ONCE):
        counts = rng.multinomial(totals.n_clusters, shares, size=min(_REPLICATES_AT_ONCE, n_resamples - start))
        total = (counts[:, : heavy.sum()] * sums[heavy]).sum(axis=1)
        for column, (_, block) in enumerate(blocks, start=int(heavy.sum())):
            total += _sums_of_draws(block, counts[:, column], rng, buffer)
        means.append(total / (counts * cell_sizes).sum(axis=1))
    return np.concatenate(means)


def subset_sums(values: ComplexArray, n_resamples: int, rng: np.random.Generator) -> ComplexArray:
    """Draw sums of random subsets, each value being in or out with probability one half.

    Parameters
    ----------
    values : ndarray of complex, shape (n,)
        Two numbers a unit, which are summed together.
    n_resamples : int

    Returns
    -------
    ndarray of complex, shape (n_resamples,)

    Notes
    -----
    O(n_resamples) memory beside the values.
    """
    kinds, members = np.unique(values, return_counts=True)
    heavy = members >= _HEAVY_SIGNS
    sums = np.zeros(n_resamples, dtype=np.complex128)
    for value, count in zip(kinds[heavy], members[heavy], strict=True):
        sums += value * rng.binomial(count, 0.5, size=n_resamples)
    light = np.repeat(kinds[~heavy], members[~heavy])
    octets = np.pad(light, (0, -len(light) % 8)).reshape(-1, 8)
    at_once = max(1, _BYTES_AT_ONCE // max(n_resamples, 256))
    for start in range(0, len(octets), at_once):
        tables = _octet_sums(octets[start : start + at_once])
        draws = _random_bytes(len(tables) * n_resamples, rng).reshape(len(tables), n_resamples)
        for table, bytes_ in zip(tables, draws, strict=True):
            sums += table.take(bytes_)
    return sums


def all_subset_sums(values: ComplexArray) -> ComplexArray:
    """Return the sums of all subsets of the values: shape (2**n,), that of the empty one first.

    Examples
    --------
    >>> all_subset_sums(np.array([1 + 2j, 3j])).tolist()
    [0j, (1+2j), 3j, (1+5j)]
    """
    sums = np.zeros(1, dtype=np.complex128)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def all_sign_flip_sums(magnitudes: FloatArray) -> FloatArray:
    """Return the sums of the magnitudes under every choice of signs: shape (2**n,).

    Examples
    --------
    >>> all_sign_flip_sums(np.array([1.0, 2.0])).tolist()
    [-3.0, -1.0, 1.0, 3.0]
    """
    sums = np.zeros(1)
    for magnitude in magnitudes:
        sums = np.concatenate([sums - magnitude, sums + magnitude])
    return sums


def joint_sign_sums(rows: FloatArray, n_resamples: int, rng: np.random.Generator) -> FloatArray:
    """Draw sums of rows under independent random signs, one sign for a whole row.

    Parameters
    ----------
    rows : ndarray of float, shape (n, q)
    n_resamples : int

    Returns
    -------
    ndarray of float, shape (n_resamples, q)

    Notes
    -----
    Rows that are alike, or that are the negative of each other, are drawn together, as a binomial count. The sums
    depend on which rows there are and not on their order. O(n_resamples q) memory beside the rows.
    """
    kinds, members = _oriented_rows(rows)
    heavy = members >= _HEAVY_SIGNS
    sums = np.zeros((n_resamples, rows.shape[1]))
    for kind, count in zip(kinds[heavy], members[heavy], strict=True):
        sums += kind * (2.0 * rng.binomial(count, 0.5, size=n_resamples) - count)[:, None]
    light = np.repeat(kinds[~heavy], members[~heavy], axis=0)
    octets = np.pad(light, ((0, -len(light) % 8), (0, 0))).reshape(-1, 8, rows.shape[1])
    at_once = max(1, _BYTES_AT_ONCE // max(n_resamples, 2048 * rows.shape[1]))
    whole_words = 8 * -(-n_resamples // 8)  # an octet begins with a random number of its own, however many are drawn
    for start in range(0, len(octets), at_once):
        tables = _all_joint_sign_sums(octets[start : start + at_once])
        draws = _random_bytes(len(tables) * whole_words, rng).reshape(len(tables), whole_words)[:, :n_resamples]
        for table, bytes_ in zip(tables, draws, strict=True):
            sums += table.take(bytes_, axis=0)
    return sums


def all_joint_sign_sums(rows: FloatArray) -> FloatArray:
    """Return the sums of rows under every choice of signs, one sign for a whole row: shape (2**n, q).

    The first sum is that of the rows as they are; the second half holds the negatives of the first.

    Examples
    --------
    >>> all_joint_sign_sums(np.array([[1.0, 2.0], [10.0, 0.0]])).tolist()
    [[11.0, 2.0], [-9.0, 2.0], [9.0, -2.0], [-11.0, -2.0]]
    """
    sums: FloatArray = _all_joint_sign_sums(rows[None])[0]
    return sums


def _all_joint_sign_sums(blocks: FloatArray) -> FloatArray:
    """Return the same of several blocks of rows, shape (k, n, q): shape (k, 2**n, q)."""
    sums = np.zeros((len(blocks), 1, blocks.shape[2]))
    for at in reversed(range(blocks.shape[1])):
        row = blocks[:, at, None]
        sums = np.concatenate([sums + row, sums - row], axis=1)
    return sums


def _oriented_rows(rows: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct rows that are not all 0, their first number above 0, and how often each is there."""
    kept = rows[(rows != 0).any(axis=1)]
    if not len(kept):
        return kept, np.zeros(0, dtype=np.int64)
    leading = kept[np.arange(len(kept)), (kept != 0).argmax(axis=1)]
    kinds, members = np.unique(kept * np.sign(leading)[:, None] + 0.0, axis=0, return_counts=True)
    return kinds, members


def _classes(totals: ClusterTotals) -> tuple[IntArray, FloatArray, IntArray]:
    """Group clusters of equal size and sum: sizes, sums and numbers of members, by size, then sum."""
    order = np.lexsort((totals.sums, totals.sizes))
    sizes, sums = totals.sizes[order], totals.sums[order]
    first = np.flatnonzero(np.r_[True, (np.diff(sizes) != 0) | (np.diff(sums) != 0)])
    return sizes[first], sums[first], np.diff(np.r_[first, len(order)])


def _blocks(sizes: IntArray, sums: FloatArray, members: IntArray) -> Iterator[tuple[int, FloatArray]]:
    """Cut the clusters of each size into blocks of at most 256: yields the size and the clusters' sums."""
    for size in np.unique(sizes):
        chosen = sizes == size
        values = np.repeat(sums[chosen], members[chosen])
        for start in range(0, len(values), _BLOCK):
            yield int(size), values[start : start + _BLOCK]


def _sums_of_draws(block: FloatArray, counts: IntArray, rng: np.random.Generator, buffer: FloatArray) -> FloatArray:
    """Return, for each count, the sum of so many draws from the block with replacement."""
    total = int(counts.sum())
    draws = buffer[:total] if total <= len(buffer) else np.empty(total)
    if len(block) == _BLOCK:
        index = _random_bytes(total, rng)
    else:
        index = rng.integers(0, len(block), size=total, dtype=np.uint8)
    block.take(index, out=draws, mode="wrap")  # every index is in range; "wrap" writes to `out` without a second copy
    sums = np.zeros(len(counts))
    drawn = np.flatnonzero(counts)
    if len(drawn):
        starts = np.cumsum(counts[drawn]) - counts[drawn]
        sums[drawn] = np.add.reduceat(draws, starts)
    return sums


def _octet_sums(octets: ComplexArray) -> ComplexArray:
    """Return, for each row of eight values, the sums of its 256 subsets."""
    sums = np.zeros((len(octets), 1), dtype=np.complex128)
    for column in octets.T:
        sums = np.concatenate([sums, sums + column[:, None]], axis=1)
    return sums


def _random_bytes(n: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    words = rng.integers(0, 2**64, size=-(-n // 8), dtype=np.uint64)
    return words.astype("<u8", copy=False).view(np.uint8)[:n]
