"""How long answers take: of batches a stated range, of requests sent one by one the rate that was seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from promptrial.costs.bands import Band

__all__ = ["BATCH_MEDIAN_S", "BATCH_MOST_S", "at_rate", "of_batches", "side_by_side"]

BATCH_MEDIAN_S: Final = 7 * 60.0
"""Half of a reseller's 230,000 batches were ready after so many seconds."""
BATCH_MOST_S: Final = 60 * 60.0
"""Nine out of ten of them were."""
_FASTER: Final = 0.5
_SLOWER: Final = 2.0


def rounds(jobs: Iterable[int], at_once: int) -> int:
    """Return how often jobs have to wait for others to end, and once more; see ``of_batches``."""
    return sum(math.ceil(each / at_once) for each in jobs)


def of_batches(jobs: Iterable[int], at_once: int) -> Band:
    """Return how long jobs take, in seconds, if this many run at once; a vendor may take 24 hours.

    ``jobs`` has several numbers where jobs are sent only when all before them have ended, as after a look.
    """
    return Band(BATCH_MEDIAN_S, BATCH_MEDIAN_S, BATCH_MOST_S).scaled(rounds(jobs, at_once))


def at_rate(requests: int, per_second: float) -> Band:
    """Return how long requests take at a rate that was measured: between half and twice of what it says."""
    seconds = requests / per_second
    return Band(_FASTER * seconds, seconds, _SLOWER * seconds)


def side_by_side(one: Band, other: Band) -> Band:
    """Return how long two things take that are done at the same time."""
    return Band(max(one.low, other.low), max(one.expected, other.expected), max(one.high, other.high))
