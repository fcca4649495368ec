"""The table of how long answers took, where their servers say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptrial.model.arms import ArmName
from promptrial.reporting.cells import Table, count, significant
from promptrial.reporting.facts import LatencyFacts

__all__ = ["latency_table"]

_NOTES: Final = (
    "The time that the server reports for an answer. It does not include its queue or the network.",
    "promptrial does not measure time itself, so the same answers always give the same report.",
)


def latency_table(latency: Mapping[ArmName, LatencyFacts]) -> Table:
    """Return the median and the 95th percentile of each arm; no rows where no answer says how long it took."""
    rows = tuple(
        (arm, count(found.answers), f"{significant(found.median_s)} s", f"{significant(found.p95_s)} s")
        for arm, found in latency.items()
    )
    return Table("Latency", ("Arm", "Answers with a time", "Median", "95th percentile"), rows, _NOTES, "lrrr")
