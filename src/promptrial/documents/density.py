"""How many clusters say anything about a difference: counted by statistics, and read back from what they remark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["EACH_WAY", "MANY", "MOST", "Density", "Remarked", "remarked"]

MANY: Final = 20
"""Clusters with a pair that differs that are enough, however many there are."""
MOST: Final = 0.7
"""The share of the clusters that is enough, however few there are."""
EACH_WAY: Final = 3
"""Clusters with gains, and clusters with losses, that are needed."""
_SAID: Final = re.compile(
    r"pairs differ in (?P<differ>\d+) of (?P<of>\d+) (?P<units>\w+)"
    r"(?:: upwards in (?P<gains>\d+), downwards in (?P<losses>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Density:
    """How many clusters say anything: with a pair that differs, with a gain, with a loss, of ``n_clusters``.

    ``varies`` is whether the clusters differ in their means at all.
    """

    n_clusters: int
    discordant: int
    gains: int
    losses: int
    varies: bool

    @property
    def many(self) -> bool:
        """Whether at least 20, or at least 70%, of the clusters have a pair that differs."""
        return self.discordant >= MANY or self.discordant >= MOST * self.n_clusters

    @property
    def dense(self) -> bool:
        """Whether sign flips can be trusted away from 0 on 0/1 scores.

        At least 20, or at least 70%, of the clusters have a discordant pair, at least 3 have gains and 3 have losses.
        """
        return self.varies and self.many and min(self.gains, self.losses) >= EACH_WAY

    def said(self, units: str) -> str:
        """Return in words in how many clusters pairs differ; ``units`` is what the clusters are called."""
        return f"pairs differ in {self.discordant} of {self.n_clusters} {units}"

    def ways(self) -> str:
        """Return in words how many clusters hold a gain, and how many a loss."""
        return f"upwards in {self.gains}, downwards in {self.losses}"


@dataclass(frozen=True, slots=True)
class Remarked:
    """What a remark on sparse data says: in how many clusters pairs differ, and which way; None where it is not said.

    ``units`` is what the remark calls clusters: ``clusters``, or ``items`` where none share one.
    """

    differ: int
    of: int
    units: str
    gains: int | None
    losses: int | None

    @property
    def why(self) -> Literal["few", "one_way", "alike"]:
        """Why the data count as sparse: few clusters differ, almost all go one way, or all have the same mean."""
        found = Density(self.of, self.differ, self.gains or 0, self.losses or 0, varies=True)
        if self.gains is None or not found.many:
            return "few"
        return "alike" if found.dense else "one_way"


def remarked(text: str) -> Remarked | None:
    """Read what ``Density`` says about itself back from a remark; None if it says nothing of the kind.

    Examples
    --------
    >>> remarked("pairs differ in 20 of 20 clusters: upwards in 20, downwards in 0").why
    'one_way'
    """
    found = _SAID.search(text)
    if found is None:
        return None
    gains, losses = (None if found[name] is None else int(found[name]) for name in ("gains", "losses"))
    return Remarked(int(found["differ"]), int(found["of"]), found["units"], gains, losses)
