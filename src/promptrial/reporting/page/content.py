"""What the page is made of, beside the facts of a run: the items of each trial. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptrial.model.arms import ArmName
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.page.items import Packed, PageItem
from promptrial.reporting.plots.bars import Changed
from promptrial.reporting.powered import PowerCurve

__all__ = ["Distribution", "TrialPage"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The scores of a continuous scorer: the share of items of each arm in equally wide bins between its ends."""

    scorer: str
    ends: tuple[float, float]
    shares: Mapping[ArmName, Sequence[float]]


@dataclass(frozen=True, slots=True)
class TrialPage:
    """What the page says about one trial.

    ``packed`` are its items for the script, of ``n_items``; None without texts. ``changed`` counts, for each contrast
    (as ``treatment vs control``), what became of the items. ``printed`` are items that changed, for print. ``power``
    has the curve of each primary endpoint.
    """

    result: TrialResult
    changed: Mapping[str, Changed]
    distributions: Sequence[Distribution] = ()
    power: Sequence[PowerCurve] = ()
    printed: Sequence[PageItem] = ()
    packed: Packed | None = None
    n_items: int = 0
