"""Whether the older answers of an arm still hold: what a second ask of some of its items shows. Typed rows only."""

from __future__ import annotations

import msgspec

from promptrial.model.arms import ArmName

__all__ = ["Drift"]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A primary endpoint at a temperature: answers of ``arm`` that were asked again, against those of ``runs``.

    ``difference`` is new minus older, over the ``n_pairs`` items that have both, of ``n_asked`` that were to be asked
    again. ``p`` and the interval are those of the test that decides on the endpoint; ``drifted`` is ``p <= alpha``,
    corrected for nothing. ``not_excluded`` is the largest absolute difference that the interval holds. ``reason`` is
    set where there is no p-value.
    """

    arm: ArmName
    metric: str
    temp: float
    runs: tuple[str, ...]
    n_asked: int
    n_pairs: int
    n_clusters: int
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    method: str | None
    p: float | None
    drifted: bool | None
    not_excluded: float | None
    reason: str | None = None
