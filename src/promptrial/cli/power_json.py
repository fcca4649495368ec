"""What a run can show, as programs read it in a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from promptrial.design.power import POWERS, PowerRow
from promptrial.documents.plan import (
    AssumedDocument,
    DetectableDocument,
    EndpointPower,
    ItemsNeeded,
    PowerDocument,
)
from promptrial.documents.usual import DIFFERENCES

if TYPE_CHECKING:
    from promptrial.phases.planned_power import PlannedPower
    from promptrial.stats.planning import Design

__all__ = ["power_document"]


def power_document(power: PlannedPower) -> PowerDocument:
    """Return the section of a plan on power; differences are on the scale of the scores."""
    return PowerDocument(
        endpoints=tuple(map(_endpoint, power.rows)), notes=power.notes, absent=power.absent or msgspec.UNSET
    )


def _endpoint(row: PowerRow) -> EndpointPower:
    endpoint, scores = row.endpoint, row.endpoint.scores
    found = EndpointPower(
        trial=endpoint.trial,
        contrast=endpoint.contrast,
        metric=scores.metric,
        temp=endpoint.temp,
        items=scores.items,
        passages=len(scores.sizes),
        replicates=endpoint.replicates,
        tests_in_family=row.tests,
        alpha=row.alpha,
    )
    if row.design is None:
        return msgspec.structs.replace(found, reason=row.reason, clusters_needed=row.clusters_needed)
    return msgspec.structs.replace(
        found,
        source="assumptions" if endpoint.estimated is None else "scores",
        assumed=_assumed(row, row.design),
        detectable=tuple(
            DetectableDocument(power=power, difference=None if share is None else share * scores.width)
            for power, share in zip(POWERS, row.smallest, strict=True)
        ),
        items_needed=tuple(
            ItemsNeeded(difference=share * scores.width, n=n) for share, n in zip(DIFFERENCES, row.needed, strict=True)
        ),
    )


def _assumed(row: PowerRow, design: Design) -> AssumedDocument:
    assumed = AssumedDocument(
        discordance=design.discordance,
        sd=design.sd,
        icc=design.icc,
        design_effect=design.design_effect,
        within=design.within,
    )
    found = row.endpoint.estimated
    if found is None:
        return assumed
    return msgspec.structs.replace(
        assumed,
        pairs=found.pairs,
        answered=found.answered,
        at_most=found.at_most,
        icc_is_assumed=row.endpoint.scores.clustered and found.icc is None,
        baseline=found.baseline if row.endpoint.binary else msgspec.UNSET,
    )
