"""The looks at a trial that was asked in waves, as ``significance.json`` holds them."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["EndpointLookRow", "LookRow", "Looks", "StoppingRule"]

StoppingRule = Literal["evalue", "obrien_fleming", "pocock"]


class EndpointLookRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a look said about the endpoint in one contrast (``short vs control``) at one temperature.

    ``ci_low`` and ``ci_high`` are valid under the rule, ``p`` crosses the bound where it is at most ``level``.
    ``reason`` is why the trial could stop as far as this contrast goes.
    """

    contrast: str
    temp: float
    difference: float | None
    ci_low: float
    ci_high: float
    p: float
    level: float
    n_pairs: int
    n_clusters: int
    reason: Literal["efficacy", "futility"] | None


class LookRow(msgspec.Struct, frozen=True, kw_only=True):
    """A look: after which wave (from 1), and how many items were asked by then."""

    wave: int
    items: int
    endpoints: tuple[EndpointLookRow, ...]


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial was looked at, and how it ended: ``stop`` where the rule ended it early, ``end`` after all waves.

    It is ``unblind`` where people ended it to see the results. ``deviations`` say in what they departed from the rule.

    ``items`` of the ``items_planned`` were asked, in ``len(taken)`` of ``waves_planned`` waves. ``futility`` is the
    margin within which no difference is worth finding, on the scale of the measure.
    """

    rule: StoppingRule
    metric: str
    alpha: float
    efficacy: bool
    futility: float | None
    waves_planned: int
    items_planned: int
    items: int
    decision: Literal["stop", "end", "unblind"]
    taken: tuple[LookRow, ...]
    deviations: tuple[str, ...] = ()

    @property
    def stopped_early(self) -> bool:
        """Whether items were left that were not asked."""
        return self.decision != "end"
