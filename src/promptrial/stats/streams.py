"""Streams of random numbers: one for each purpose, made from a seed and names, whatever else was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *names: object) -> np.random.Generator:
    """Return the stream of random numbers that belongs to a seed and names, whatever else was drawn before.

    Examples
    --------
    >>> [stream(1337, "f1", 0.0, method).random() for method in ("bootstrap", "bootstrap")]
    [0.7444805315457231, 0.7444805315457231]
    """
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    words = [int.from_bytes(digest[start : start + 4], "big") for start in range(0, len(digest), 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
